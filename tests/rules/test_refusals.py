"""What is refused, with which sentence, where, and with which hint."""

import pytest

pytest.importorskip("hoplon._native")

from hoplon.rules.around import Around
from hoplon.rules.compile import compile_expression
from hoplon.rules.dialects import AUTHORIZATION, COUNTING, CUSTOM, TOKENS, Dialect
from hoplon.rules.fields import engine_fields
from hoplon.rules.refusal import ExpressionError
from hoplon.rules.unavailable import REASONS, why_unavailable
from support.rules import FIELDS

QUOTES = 'text stands in quotes: `"…"`'

SYNTAX = {
    "": (1, "the expression is empty", "`true` is an expression that always holds"),
    "ssl ssl": (5, "an operator or the end was expected, not `ssl`", None),
    "ssl nad ssl": (5, "an operator or the end was expected, not `nad`", "did you mean `and`?"),
    "ssl &&& ssl": (7, "a field, function or value was expected, not `&`", None),
    "ssl & ssl": (1, "a Boolean is not compared: it stands alone", "write `x` or `not x`"),
    "ssl | ssl": (5, "`|` is no operator", "write `||`"),
    "http.host = 1": (11, "`=` is no operator", "write `==`"),
    "and ssl": (1, "a field, function or value was expected, not `and`", None),
    "ssl and": (8, "a field, function or value was expected, not the end", None),
    "(ssl": (5, "`)` was expected, not the end", None),
    "ssl)": (4, "an operator or the end was expected, not `)`", None),
    'http.host eq "a': (14, "the string that begins here does not end", None),
    'http.host eq r#"a"': (14, "the string that begins here does not end", None),
    r'http.host eq "\d"': (
        15,
        r"`\d` is no escape",
        r'escapes are `\"`, `\\`, `\xHH`, `\OOO`; r"…" has none',
    ),
    "http.host eq 'a'": (14, "a field, function or value was expected, not `'`", None),
    "http.host matches a": (19, "a string was expected, not `a`", 'strings stand in quotes: `"…"`'),
    "http.host strict eq": (18, "`wildcard` was expected behind `strict`, not `eq`", None),
    "len(http.host) eq 007": (
        19,
        "`007` is neither a number nor an address",
        "a number does not begin with 0: some read that as octal",
    ),
    "len(http.host) eq 1.5": (19, "`1.5` is neither a number nor an address", "numbers are whole numbers"),
    "len(http.host) eq 9223372036854775808": (
        19,
        "`9223372036854775808` does not fit in 64 bits",
        "-9223372036854775808 to 9223372036854775807",
    ),
    "len(http.host) in {5..1}": (20, "`5..1`: the range ends before it begins", None),
    "len(http.host) in {1..::1}": (20, "`1..::1`: both ends of a range are of one kind", None),
    "len(http.host) in {1, 2}": (21, "what is in braces is separated by blanks, not by commas", None),
    "len(http.host) in {}": (19, "an empty set matches nothing", None),
    "len(http.host) in 1": (
        19,
        "`in` takes a set in braces or the name of a list, not `1`",
        "write `in {…}` or `in $name`; for one value use `eq`",
    ),
    "ip.src in {10.0.0.1/8}": (
        12,
        "`10.0.0.1/8` is no network: 10.0.0.1/8 has host bits set",
        "write `10.0.0.0/8` if the whole network is meant",
    ),
    "ip.src in {10.0.0.0/255.0.0.0}": (
        12,
        "`10.0.0.0/255.0.0.0` is no network",
        "for example 192.0.2.0/24 or 2001:db8::/32",
    ),
    "ip.src eq 01:2e": (11, "`01:2e` is neither a number nor an address", QUOTES),
    "http.request.headers[-1]": (
        22,
        "in brackets stands a position from 0, a key in quotes, or `*`",
        'for example `[0]`, `["name"]`',
    ),
    'http.request.headers["a"': (25, "`]` was expected, not the end", None),
    "len(http.host": (14, "`,` or `)` was expected in the call of `len`, not the end", None),
    'ssl and\n  http.host eq "\\q"': (
        17,
        "`\\q` is no escape",
        r'escapes are `\"`, `\\`, `\xHH`, `\OOO`; r"…" has none',
    ),
}

TYPES = {
    "http.host": (1, "a rule is true or false, this is a String", "compare it: `eq`, `in`, `contains`, `matches` …"),
    "http.host and ssl": (
        1,
        "true or false was expected, this is a String",
        "compare it: `eq`, `in`, `contains`, `matches` …",
    ),
    "not ip.src": (
        5,
        "true or false was expected, this is an IP address",
        "compare it: `eq`, `in`, `contains`, `matches` …",
    ),
    "http.request.headers": (
        1,
        "a rule is true or false, this is a Map<Array<String>>",
        '`["key"]` is one of its values',
    ),
    'http.request.headers["a"] eq "a"': (
        1,
        "an Array<String> is not compared as a whole",
        "`[0]` is its first element, `any(x[*] …)` asks for each",
    ),
    "http.host eq 1": (14, "a String is compared with an Integer", QUOTES),
    'len(http.host) eq "1"': (19, "an Integer is compared with a String", "numbers and addresses stand without quotes"),
    'ip.src eq "10.0.0.1"': (
        11,
        "an IP address is compared with a String",
        "numbers and addresses stand without quotes",
    ),
    'http.host in {"a" 1}': (19, "a String is compared with an Integer", QUOTES),
    "ip.src lt 10.0.0.1": (1, "`lt` does not work on an IP address", None),
    "len(http.host) contains 1": (1, "`contains` does not work on an Integer", None),
    "http.host & 1": (1, "`bitand` does not work on a String", None),
    '"a" eq http.host': (1, "a comparison has a field or function on its left", "swap the sides"),
    "http.host eq http.cookie": (
        14,
        "on the right of `eq` stands a value that is written out",
        'text stands in quotes: `"http.cookie"`',
    ),
    'http.host["a"] eq "b"': (10, "a key takes a Map, this is a String", None),
    'http.request.headers[0] eq "b"': (21, "a position takes an Array, this is a Map<Array<String>>", None),
    'http.host[*] eq "b"': (10, "`[*]` takes an Array or Map, this is a String", None),
    'http.request.headers.names["a"] eq "b"': (27, "a key takes a Map, this is an Array<String>", None),
    r'http.request.headers["\xff"][0] eq "b"': (21, "a key is UTF-8 text", None),
    'any(http.host eq "a")': (5, "`any`: array is an Array<Boolean>, not a Boolean", None),
    'ssl and http.request.headers.names[*] eq "a"': (
        9,
        "`and` joins a Boolean with an Array<Boolean>",
        "put `any(…)` or `all(…)` around the array",
    ),
    "len(http.host, 1) eq 1": (1, "`len` takes 1 argument, not 2", None),
    "concat(http.host) eq 1": (1, "`concat` takes at least 2 arguments, not 1", None),
    'substring(http.host) eq ""': (1, "`substring` takes 2 to 3 arguments, not 1", None),
    'lower(ip.src) eq ""': (7, "`lower`: source is a String, not an IP address", None),
    'lower("A") eq "a"': (7, "`lower`: source is read from the request, not written out", None),
    'substring(http.host, len(http.host)) eq ""': (
        22,
        "`substring`: start is written out, not read from the request",
        None,
    ),
    "cidr(ip.src, 33, 64) eq 10.0.0.0": (14, "`cidr`: ipv4_network_bits is 1 to 32", None),
    'url_decode(http.host, "x") eq ""': (23, '`url_decode`: options is one of `"r"`, `"u"`, `"ru"`, `"ur"`', None),
    'concat(http.host, http.request.headers.names) eq ""': (19, "`concat` joins a String with an Array<String>", None),
    'concat(http.host, len(http.host)) eq ""': (
        19,
        "`concat`: part is a String, not an Integer of the request",
        None,
    ),
    'nosuch(http.host) eq ""': (1, "unknown function `nosuch`", None),
    'lowr(http.host) eq ""': (1, "unknown function `lowr`", "did you mean `lower`?"),
    "ssl(1)": (1, "`ssl` is a field, no function", None),
    "http.hots eq 1": (1, "unknown field `http.hots`", "did you mean `http.host`?"),
    "cf.api_gateway.auth_id_presnt": (
        1,
        "unknown field `cf.api_gateway.auth_id_presnt`",
        "did you mean `cf.api_gateway.auth_id_present`?",
    ),
    "quite.another.thing": (1, "unknown field `quite.another.thing`", 'text stands in quotes: `"quite.another.thing"`'),
    'http.host matches "(a"': (19, "this is no regular expression: unclosed group", None),
    'http.host matches "a{999}{999}"': (
        19,
        "this is a regular expression that compiles to more than 256 KiB",
        None,
    ),
    r'http.host wildcard r"a\b"': (
        20,
        "in a wildcard a backslash stands before `*` or another one",
        r'r"…" keeps them: r"a\*b"',
    ),
    'http.host wildcard "' + "*a" * 17 + '"': (20, "a wildcard has at most 16 `*`", "use `matches`"),
    r'http.host wildcard "\xff"': (
        20,
        "a wildcard is UTF-8 text",
        "bytes are compared with `contains` or `matches`",
    ),
    "ip.src in $Office": (11, "`$Office` is no name of a list", "a-z, 0-9 and `_`"),
    "ip.src in $": (11, "`$` is no name of a list", "a-z, 0-9 and `_`"),
}

EVERYTHING = Around({"office": "ip", "words": "string"}, ["cfg-1", "cfg-2"], ["user", "order"])
NAMES: list[tuple[str, Dialect, Around, str, str | None]] = [
    ("ip.src in $offices", CUSTOM, EVERYTHING, "there is no list `$offices`", "did you mean `office`?"),
    ("ip.src in $x", CUSTOM, Around(lists={}), "there is no list `$x`", "make it first: `hoplon lists` or the API"),
    ("ip.src in $words", CUSTOM, EVERYTHING, "`$words` holds String, compared is an IP address", None),
    ('is_jwt_valid("cfg-3")', TOKENS, EVERYTHING, "there is no token configuration `cfg-3`", "did you mean `cfg-2`?"),
    (
        'http.request.jwt.claims["x"][0] eq ""',
        CUSTOM,
        EVERYTHING,
        "there is no token configuration `x`",
        "`hoplon tokens` lists them",
    ),
    (
        'claim("sub") eq "a"',
        AUTHORIZATION,
        Around(token_configurations=[]),
        "`claim` reads verified tokens, and the zone has no token configuration",
        "add one under `[[tokens.configurations]]`",
    ),
    (
        'claim("sub") eq "a"',
        AUTHORIZATION,
        EVERYTHING,
        "`claim`: of which token configuration?",
        '`claim(…, "<its id>")`',
    ),
    (
        'path_variable("usr") eq "a"',
        AUTHORIZATION,
        EVERYTHING,
        "the operation's path has no variable `usr`",
        "did you mean `user`?",
    ),
    (
        'path_variable("x") eq "a"',
        AUTHORIZATION,
        Around(path_variables=[]),
        "the operation's path has no variable `x`",
        "it has none",
    ),
    (
        'body("$..a") eq "a"',
        AUTHORIZATION,
        EVERYTHING,
        "`$..a` is no place in JSON: only names and positions that are written out select a value",
        "for example `$.user.id` or `$.items[0]`",
    ),
    (
        'claim("$[*]", "cfg-1") eq "a"',
        AUTHORIZATION,
        EVERYTHING,
        "`$[*]` is no place in JSON: only names and positions that are written out select a value",
        "for example `$.user.id` or `$.items[0]`",
    ),
    (
        'claim("sub", "cfg-1") lt path_variable("user")',
        AUTHORIZATION,
        EVERYTHING,
        "on the right of `lt` stands a value that is written out",
        None,
    ),
    (
        'claim("sub", "cfg-1") eq len(http.host)',
        AUTHORIZATION,
        EVERYTHING,
        "a String is compared with an Integer",
        None,
    ),
    (
        "ssl xor not ssl",
        AUTHORIZATION,
        EVERYTHING,
        "authorization has no `xor`: who may do something is said with `and`, `or`, `not`",
        None,
    ),
    (
        'query("a") eq "b"',
        CUSTOM,
        EVERYTHING,
        "`query` reads what authorization on claims (`[[tokens.authorization]]`) compares",
        None,
    ),
]


def refused(text: str, dialect: Dialect = CUSTOM, around: Around = EVERYTHING) -> ExpressionError:
    with pytest.raises(ExpressionError) as found:
        compile_expression(text, dialect, around, FIELDS)
    return found.value


@pytest.mark.parametrize("text", [*SYNTAX, *TYPES])
def test_refusals(text: str) -> None:
    column, message, hint = (SYNTAX | TYPES)[text]
    found = refused(text)
    assert (found.message, found.column, found.hint) == (message, column, hint)
    assert found.line == text.count("\n", 0, len(text)) + 1


@pytest.mark.parametrize(("text", "dialect", "around", "message", "hint"), NAMES)
def test_names_that_are_not_there(text: str, dialect: Dialect, around: Around, message: str, hint: str | None) -> None:
    found = refused(text, dialect, around)
    assert (found.message, found.hint) == (message, hint)


def test_names_are_not_asked_for_where_nobody_knows_them() -> None:
    for text, dialect in (
        ("ip.src in $x", CUSTOM),
        ('is_jwt_valid("x")', TOKENS),
        ('path_variable("x") eq "a"', AUTHORIZATION),
    ):
        compile_expression(text, dialect, Around(), FIELDS)


def test_the_only_token_configuration_need_not_be_named() -> None:
    around = Around(token_configurations=["only"])
    compiled = compile_expression('claim_has("scope", "a")', AUTHORIZATION, around, FIELDS)
    assert compiled.token_configurations == {"only"}


def test_counting_expressions_know_the_response() -> None:
    assert compile_expression("http.response.code in {401 403}", COUNTING, fields=FIELDS).phase == "response_head"


def test_a_field_that_the_engine_has_is_not_called_unavailable() -> None:
    assert not [name for name in REASONS if name in engine_fields() and name != "ip.src"]
    assert why_unavailable("http.host") is None
    assert why_unavailable("nothing.like.it") is None
