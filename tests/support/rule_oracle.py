"""A slow, obvious evaluator of expressions: the law that the engine is held against.

It walks the syntax tree (never the program) over facts that are plain Python values: bool, int, bytes, addresses,
lists, dicts by text. What a request does not have is not in the dict. Where each rule comes from: rule-language.md.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any
from urllib.parse import unquote_to_bytes

from hoplon.rules import syntax

Facts = Mapping[str, Any]
Lists = Mapping[str, Callable[[Any], bool]]


class _Missing:
    """There is no such value."""


MISSING = _Missing()


class Stream(list[Any]):
    """What `[*]` gives: the elements of an array, one after the other."""


def is_true(expression: syntax.Expression, facts: Facts, lists: Lists | None = None) -> bool:
    """Whether a condition holds."""
    return value_of(expression, facts, lists) is True


def is_allowed(condition: syntax.Expression, facts: Facts, lists: Lists | None = None) -> bool:
    """Whether a condition of authorization is known to hold: what is missing, or could be read in another way, is
    neither true nor false (Kleene)."""
    return _known(condition, facts, lists) is True


def _known(condition: syntax.Expression, facts: Facts, lists: Lists | None) -> bool | None:
    match condition:
        case syntax.Not(operand=operand):
            found = _known(operand, facts, lists)
            return None if found is None else not found
        case syntax.Logic(operator=operator, operands=operands):
            answers = [_known(one, facts, lists) for one in operands]
            decided = operator == "or"
            if decided in answers:
                return decided
            return None if None in answers else not decided
        case syntax.Compare(left=left, right=right):
            is_set = isinstance(right, syntax.Choice | syntax.Named | syntax.Pattern)
            values = [left] if is_set else [left, right]
            if any(value_of(value, facts, lists) is MISSING for value in values):
                return None
    if any(_is_ambiguous(part, facts) for part in _parts(condition)):
        return None
    found = value_of(condition, facts, lists)
    return None if found is MISSING else bool(found)


def _parts(expression: Any) -> Iterator[syntax.Call | syntax.Path]:
    match expression:
        case syntax.Compare(left=left, right=right):
            yield from (*_parts(left), *_parts(right))
        case syntax.Call(arguments=arguments):
            yield expression
            yield from (part for argument in arguments for part in _parts(argument))
        case syntax.Path(base=base):
            yield expression
            yield from _parts(base)


def _is_ambiguous(part: syntax.Call | syntax.Path, facts: Facts) -> bool:
    """Whether servers could read it in another way: another of several, another spelling of a name, a body of another
    kind."""
    match part:
        case syntax.Call(name="query", arguments=(syntax.Text(value=name),)):
            return _is_several(facts["http.request.uri.query"], name)
        case syntax.Call(name="body"):
            types = facts["http.request.headers"].get("content-type", [])
            return len(types) != 1 or types[0].strip().lower() != b"application/json"
        case syntax.Path(base=syntax.Field(name=name), steps=(syntax.Key(name=key), syntax.Index(), *_)):
            if name == "http.request.uri.args":
                return _is_several(facts["http.request.uri.query"], key)
            is_header = name == "http.request.headers"
            values = facts[name].get(key.decode().lower() if is_header else key.decode(), [])
            return name in ("http.request.headers", "http.request.cookies") and len(values) != 1
    return False


def _is_several(query: bytes, name: bytes) -> bool:
    """Whether more than one parameter may have this name, or the one has a `;` behind it."""
    ends = [(_plain(piece), is_last) for pieces in _pieces(query) for piece, is_last in pieces]
    found = [is_last for plain, is_last in ends if plain == _plain(name)]
    return len(found) > 1 or not all(found)


def _pieces(query: bytes) -> Iterator[list[tuple[bytes, bool]]]:
    for piece in query.split(b"&"):
        *others, last = piece.split(b";")
        yield [*((other, False) for other in others), (last, True)]


def _plain(piece: bytes) -> bytes:
    name = unquote_to_bytes(piece.partition(b"=")[0].replace(b"+", b" ")).lstrip(b" \t")
    return re.split(rb"[\[\0]", name)[0].replace(b".", b"_").replace(b" ", b"_").lower()


def value_of(expression: Any, facts: Facts, lists: Lists | None = None) -> Any:
    """What an expression gives: a value, MISSING, or a Stream."""
    match expression:
        case syntax.Truth() | syntax.Text() | syntax.Number() | syntax.Address():
            return expression.value
        case syntax.Field(name=name):
            return b"HOPLON" if name == "cf.colo.id" else facts.get(name, MISSING)
        case syntax.Path(base=base, steps=steps):
            found = value_of(base, facts, lists)
            for step in steps:
                found = _step(found, step, is_header=base.name == "http.request.headers")
            return found
        case syntax.Call():
            return _call(expression, facts, lists)
        case syntax.Compare():
            return _each(
                value_of(expression.left, facts, lists),
                lambda left: _compares(expression.operator, left, expression.right, facts, lists),
            )
        case syntax.Not(operand=operand):
            return _negated(_truth(value_of(operand, facts, lists)))
        case syntax.Logic():
            return _joined(expression.operator, [_truth(value_of(one, facts, lists)) for one in expression.operands])
    raise AssertionError(expression)


def _step(found: Any, step: syntax.Step, *, is_header: bool) -> Any:
    if isinstance(step, syntax.Each):
        return _spread(found)
    key = step.number if isinstance(step, syntax.Index) else step.name.decode()
    if is_header and isinstance(key, str):
        key = key.lower()
    if isinstance(found, Stream):
        return Stream(inner for one in found if (inner := _inside(one, key)) is not MISSING)
    return _inside(found, key)


def _spread(found: Any) -> Any:
    """A missing array has no elements; what it is gone through for decides what that means."""
    if found is MISSING:
        return MISSING_STREAM
    if isinstance(found, Stream):
        return Stream(inner for one in found for inner in _elements(one))
    return Stream(_elements(found))


MISSING_STREAM = Stream()
"""`[*]` of a missing value: known by its identity."""


def _elements(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else list(found)


def _inside(found: Any, key: int | str) -> Any:
    if isinstance(found, dict):
        return found.get(key, MISSING)
    return found[key] if isinstance(found, list) and isinstance(key, int) and key < len(found) else MISSING


def _each(left: Any, compares: Callable[[Any], bool]) -> Any:
    if isinstance(left, Stream):
        return [compares(one) for one in left]
    return left is not MISSING and compares(left)


def _truth(found: Any) -> Any:
    return False if found is MISSING else found


def _negated(found: Any) -> Any:
    return [not one for one in found] if isinstance(found, list) else not found


def _joined(operator: str, found: list[Any]) -> Any:
    if not isinstance(found[0], list):
        return _LOGIC[operator](found)
    shortest = min(len(one) for one in found)
    return [_LOGIC[operator]([one[at] for one in found]) for at in range(shortest)]


_LOGIC: dict[str, Callable[[Sequence[bool]], bool]] = {
    "and": all,
    "or": any,
    "xor": lambda found: sum(found) % 2 == 1,
}


def _compares(operator: str, left: Any, right: Any, facts: Facts, lists: Lists | None) -> bool:
    match right:
        case syntax.Choice(items=items):
            return any(_is_in(left, item) for item in items)
        case syntax.Named(name=name):
            return lists is not None and name in lists and lists[name](left)
        case syntax.Pattern(text=text):
            return re.search(text.replace("$", r"\Z").encode(), left) is not None
    other = value_of(right, facts, lists)
    return other is not MISSING and _OPERATORS[operator](left, other)


def _is_in(left: Any, item: Any) -> bool:
    match item:
        case syntax.Numbers(low=low, high=high):
            return bool(low <= left <= high)
        case syntax.Network(first=first, last=last):
            return type(left) is type(first) and int(first) <= int(left) <= int(last)
    return bool(left == item.value)


def _wildcard(value: bytes, pattern: bytes, flags: int) -> bool:
    """As a regular expression: what is between stars literally, a star is anything."""
    pieces, rest = [b""], iter(pattern.decode())
    for character in rest:
        if character == "*":
            pieces.append(b"")
        else:
            pieces[-1] += (next(rest) if character == "\\" else character).encode()
    return re.fullmatch(b".*".join(re.escape(piece) for piece in pieces), value, flags | re.DOTALL) is not None


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "contains": lambda left, right: right in left,
    "bitand": lambda left, right: left & right != 0,
    "wildcard": lambda left, right: _wildcard(left, right, re.IGNORECASE),
    "strict_wildcard": lambda left, right: _wildcard(left, right, 0),
}


def _call(call: syntax.Call, facts: Facts, lists: Lists | None) -> Any:
    if call.name in ("query", "body"):
        return _authorization(call, facts)
    first, *others = (value_of(argument, facts, lists) for argument in call.arguments)
    if call.name == "concat":
        first, *others = (str(one).encode() if isinstance(one, int) else one for one in (first, *others))
    if not isinstance(first, Stream):
        return _applied(call.name, first, others)
    if first is MISSING_STREAM:
        return MISSING
    return [found for one in first if (found := _applied(call.name, one, others)) is not MISSING]


def _applied(name: str, first: Any, others: list[Any]) -> Any:
    if name == "concat":
        return _concat([first, *others])
    if first is MISSING or MISSING in others:
        return MISSING
    return FUNCTIONS[name](first, *others)


def _authorization(call: syntax.Call, facts: Facts) -> Any:
    """A parameter or JSON value whose name stands twice is none: who knows which one the upstream takes."""
    name = value_of(call.arguments[0], facts, None)
    if call.name == "query":
        values = facts["http.request.uri.args"].get(name.decode(), [])
        return _url_decode(values[0]) if len(values) == 1 else MISSING
    steps = re.findall(rb"\.([a-z]+)|\[([0-9]+)\]", name) if name.startswith(b"$") else [(name, b"")]
    found = _lookup(facts["http.request.body.raw"], [int(at) if at else key for key, at in steps], _unique)
    if isinstance(found, bool):
        return b"true" if found else b"false"
    return found.encode() if isinstance(found, str) else MISSING


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [_folded(name) for name, _ in members]
    return {name: value for name, value in members if names.count(_folded(name)) == 1}


def _folded(name: str) -> str:
    """As the laxest readers of JSON see a name: Go takes U+017F for `s` and U+212A for `k`."""
    ascii_only = "".join(character.lower() if character.isascii() else character for character in name)
    return ascii_only.replace("\u017f", "s").replace("\u212a", "k")


def _concat(parts: list[Any]) -> Any:
    there = [part for part in parts if part is not MISSING]
    if not there:
        return MISSING
    return b"".join(there) if isinstance(there[0], bytes) else [one for part in there for one in part]


def _cidr(address: IPv4Address | IPv6Address, bits4: int, bits6: int) -> Any:
    bits = bits4 if isinstance(address, IPv4Address) else bits6
    return ip_network((address, bits), strict=False).network_address


def _decode_base64(source: bytes) -> Any:
    """The standard alphabet; `=` may be left out, but may not be wrong; bits that are left over are not looked at."""
    digits = re.fullmatch(rb"([A-Za-z0-9+/]*)(={0,2})", source)
    if digits is None or len(digits[1]) % 4 == 1 or (digits[2] and len(source) % 4):
        return MISSING
    return base64.b64decode(digits[1] + b"=" * (-len(digits[1]) % 4))


def _substring(source: bytes, start: int, end: int | None = None) -> bytes:
    begin, stop = (
        max(0, len(source) + at) if at < 0 else min(at, len(source))
        for at in (start, len(source) if end is None else end)
    )
    return source[begin:stop] if begin < stop else b""


def _url_decode(source: bytes, options: bytes = b"") -> bytes:
    for _ in range(16 if b"r" in options else 1):
        decoded = _url_decode_once(source, with_unicode=b"u" in options)
        if decoded == source:
            break
        source = decoded
    return source


def _url_decode_once(source: bytes, *, with_unicode: bool) -> bytes:
    found, at = bytearray(), 0
    while at < len(source):
        rest = source[at:]
        pair = re.match(rb"%u([Dd][89ABab]..)%u([Dd][C-Fc-f]..)", rest) if with_unicode else None
        if pair and all(re.fullmatch(rb"[0-9A-Fa-f]{4}", half) for half in pair.groups()):
            high, low = (int(half, 16) for half in pair.groups())
            found += chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).encode()
            at += 12
        elif (
            with_unicode and (one := re.match(rb"%u([0-9A-Fa-f]{4})", rest)) and not 0xD800 <= int(one[1], 16) <= 0xDFFF
        ):
            found += chr(int(one[1], 16)).encode()
            at += 6
        elif byte := re.match(rb"%([0-9A-Fa-f]{2})", rest):
            found.append(int(byte[1], 16))
            at += 3
        else:
            found += b" " if rest[:1] == b"+" else rest[:1]
            at += 1
    return bytes(found)


def _lookup(source: bytes, keys: Sequence[bytes | int], members: Callable[..., dict[str, Any]] = dict) -> Any:
    """The JSON value that the keys lead to; numbers as they are written, wrapped to tell them apart."""
    numbers: dict[str, Any] = {"parse_int": _Written, "parse_float": _Written, "parse_constant": _refuse}
    try:
        found = json.loads(source.decode(), object_pairs_hook=members, **numbers)
    except (ValueError, RecursionError):
        return MISSING
    for key in keys:
        if isinstance(key, bytes) and isinstance(found, dict):
            found = found.get(key.decode(), MISSING)
        elif isinstance(key, int) and isinstance(found, list) and 0 <= key < len(found):
            found = found[key]
        else:
            return MISSING
    return found


class _Written(str):
    """A number as it stands in the JSON."""

    __slots__ = ()


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _json_string(source: bytes, *keys: bytes | int) -> Any:
    found = _lookup(source, keys)
    if not isinstance(found, str) or isinstance(found, _Written):
        return MISSING
    try:
        return found.encode()
    except UnicodeEncodeError:
        return MISSING


def _json_integer(source: bytes, *keys: bytes | int) -> Any:
    found = _lookup(source, keys)
    if isinstance(found, _Written) and re.fullmatch(r"-?[0-9]+", found) and -(2**63) <= int(found) < 2**63:
        return int(found)
    return MISSING


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "any": any,
    "all": all,
    "cidr": _cidr,
    "cidr6": lambda address, bits: _cidr(address, 32, bits),
    "decode_base64": _decode_base64,
    "ends_with": lambda source, part: source.endswith(part),
    "starts_with": lambda source, part: source.startswith(part),
    "join": lambda items, separator: separator.join(items),
    "len": len,
    "lookup_json_string": _json_string,
    "lookup_json_integer": _json_integer,
    "lower": lambda source: source.lower(),
    "upper": lambda source: source.upper(),
    "remove_bytes": lambda source, gone: bytes(byte for byte in source if byte not in gone),
    "substring": _substring,
    "url_decode": _url_decode,
}
