"""The functions of token rules and of authorization on claims: the names they take, and which nodes they become.

Claims are read of verified tokens only: the fact behind `claim` holds no other.
"""

import re
from collections.abc import Callable, Mapping

from hoplon.rules import syntax
from hoplon.rules.around import Around
from hoplon.rules.refusal import Refusal, did_you_mean, shown

CLAIMS_FACT = "http.request.jwt.claims"
FACTS: Mapping[str, str] = {
    "is_jwt_valid": "hoplon.token.valid",
    "is_jwt_present": "hoplon.token.present",
    "claim": CLAIMS_FACT,
    "claim_has": CLAIMS_FACT,
    "path_variable": "hoplon.operation.variables",
    "query": "http.request.uri.args",
    "body": "http.request.body.raw",
    "session": "hoplon.session.value",
}
"""What each function reads."""
_CONFIGURATION_AT = {"is_jwt_valid": 0, "is_jwt_present": 0, "claim": 1, "claim_has": 2}
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,9})\]|\['([^'\\]*)'\]|\[\"([^\"\\]*)\"\]")
MAX_STEPS = 16

Node = list[object]
Emit = Callable[[Node], int]


def is_by_configuration(fact: str) -> bool:
    """Whether the keys of this map are token configurations."""
    return fact.startswith((CLAIMS_FACT, "hoplon.token."))


def check_key(at: syntax.Span, name: str, around: Around) -> None:
    """A token configuration that is a map's key exists. Raises Refusal."""
    _known_configuration(at, name, around)


def check_names(call: syntax.Call, around: Around) -> None:
    """Token configurations, variables and places that a call names exist. Raises Refusal."""
    if call.name in _CONFIGURATION_AT:
        configuration_of(call, around)
    if call.name in ("claim", "claim_has", "body"):
        json_keys(call.arguments[0])
    if call.name == "path_variable" and around.path_variables is not None:
        name = _text(call.arguments[0])
        if name not in around.path_variables:
            hint = did_you_mean(name, tuple(around.path_variables), _variables_hint(around))
            raise Refusal(call.arguments[0].at.start, f"the operation's path has no variable `{shown(name)}`", hint)
        if list(around.path_variables).count(name) > 1:
            hint = "name the operation with another name for each: any name will do there"
            raise Refusal(call.arguments[0].at.start, f"the operation's path has two variables `{shown(name)}`", hint)


def configuration_of(call: syntax.Call, around: Around) -> str:
    """The token configuration that a call names; the only one there is when it names none. Raises Refusal."""
    known, position = around.token_configurations, _CONFIGURATION_AT[call.name]
    if known is not None and not known:
        raise Refusal(
            call.at.start,
            f"`{call.name}` reads verified tokens, and the zone has no token configuration",
            "add one under `[[tokens.configurations]]`",
        )
    if position < len(call.arguments):
        argument = call.arguments[position]
        return _known_configuration(argument.at, _text(argument), around)
    if known is not None and len(known) == 1:
        return next(iter(known))
    raise Refusal(call.at.start, f"`{call.name}`: of which token configuration?", f'`{call.name}(…, "<its id>")`')


def _known_configuration(at: syntax.Span, name: str, around: Around) -> str:
    known = around.token_configurations
    if known is not None and name not in known:
        hint = did_you_mean(name, tuple(known), "`hoplon tokens` lists them")
        raise Refusal(at.start, f"there is no token configuration `{shown(name)}`", hint)
    return name


def json_keys(argument: syntax.Expression) -> tuple[str | int, ...]:
    """Names and positions that lead into JSON: `$.a.b[0]` (RFC 9535, only written out ones), or one plain name."""
    text = _text(argument)
    if not text.startswith("$"):
        return (text,)
    keys: list[str | int] = []
    at = 1
    while match := _STEP.match(text, at):
        name, position, single, double = match.groups()
        keys.append(int(position) if position else name or single or double or "")
        at = match.end()
    if at < len(text) or not 0 < len(keys) <= MAX_STEPS:
        raise Refusal(
            argument.at.start,
            f"`{shown(text)}` is no place in JSON: only names and positions that are written out select a value",
            "for example `$.user.id` or `$.items[0]`",
        )
    return tuple(keys)


def claims_of(call: syntax.Call, around: Around) -> syntax.Path:
    """Where the claims are that a call reads: missing unless the token was verified."""
    key = syntax.Key(call.at, configuration_of(call, around).encode())
    return syntax.Path(call.at, syntax.Field(call.at, CLAIMS_FACT), (key, syntax.Index(call.at, 0)))


def emit_call(call: syntax.Call, around: Around, emit: Emit) -> int:
    """The nodes of such a call; the index of the last one."""
    return _EMITTERS[call.name](call, around, emit)


def _emit_token(call: syntax.Call, around: Around, emit: Emit) -> int:
    return emit(["key", emit(["fact", FACTS[call.name]]), configuration_of(call, around)])


def _claims(call: syntax.Call, around: Around, emit: Emit) -> int:
    return emit(["index", _emit_claims_of(call, around, emit), 0])


def _emit_claims_of(call: syntax.Call, around: Around, emit: Emit) -> int:
    return emit(["key", emit(["fact", CLAIMS_FACT]), configuration_of(call, around)])


def _emit_claim(call: syntax.Call, around: Around, emit: Emit) -> int:
    keys = [_emit_key(key, emit) for key in json_keys(call.arguments[0])]
    return emit(["call", "lookup_json_text", _claims(call, around, emit), *keys])


def _emit_claim_has(call: syntax.Call, around: Around, emit: Emit) -> int:
    keys = [_emit_key(key, emit) for key in json_keys(call.arguments[0])]
    word = emit(["str", _text(call.arguments[1])])
    return emit(["call", "json_has_word", _claims(call, around, emit), word, *keys])


def _emit_path_variable(call: syntax.Call, around: Around, emit: Emit) -> int:
    name = _text(call.arguments[0])
    if around.path_variables is not None:
        name = f"var{list(around.path_variables).index(name) + 1}"
    return emit(["key", emit(["fact", FACTS["path_variable"]]), name])


def _emit_query(call: syntax.Call, around: Around, emit: Emit) -> int:
    """A parameter that stands twice says nothing: which one the upstream reads is unknown."""
    del around
    values = emit(["key", emit(["fact", FACTS["query"]]), _text(call.arguments[0])])
    return emit(["call", "url_decode", emit(["call", "only", values])])


def _emit_body(call: syntax.Call, around: Around, emit: Emit) -> int:
    del around
    keys = [_emit_key(key, emit) for key in json_keys(call.arguments[0])]
    return emit(["call", "lookup_json_text", emit(["fact", FACTS["body"]]), *keys])


def _emit_session(call: syntax.Call, around: Around, emit: Emit) -> int:
    del around
    return emit(["fact", FACTS[call.name]])


def _emit_key(key: str | int, emit: Emit) -> int:
    return emit(["str" if isinstance(key, str) else "int", key])


_EMITTERS: Mapping[str, Callable[[syntax.Call, Around, Emit], int]] = {
    "is_jwt_valid": _emit_token,
    "is_jwt_present": _emit_token,
    "claim": _emit_claim,
    "claim_has": _emit_claim_has,
    "path_variable": _emit_path_variable,
    "query": _emit_query,
    "body": _emit_body,
    "session": _emit_session,
}


def _text(argument: syntax.Expression) -> str:
    if not isinstance(argument, syntax.Text):
        raise AssertionError("the checker takes literals only")
    try:
        return argument.value.decode()
    except UnicodeDecodeError:
        raise Refusal(argument.at.start, "a name is UTF-8 text") from None


def _variables_hint(around: Around) -> str:
    return (
        f"it has {', '.join(f'`{name}`' for name in around.path_variables or ())}"
        if around.path_variables
        else "it has none"
    )
