"""Random expressions that are well typed, and random requests that they say something about.

Values come from small pools, so that expressions are true as often as false; the pools hold what is awkward: nothing,
capital letters, escapes, bytes that are no UTF-8, JSON, Base64.
"""

import re
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_network
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hoplon.rules.around import ListKind
from support.rule_requests import Request

WORDS = (b"", b"a", b"A", b"b", b"ab", b"aB", b"/a", b"/a/b", b"a+b", b"a%20b", b"%2561", b"%u0041", b"YQ==", b"YQ")
JSON = (
    b'{"a":1}',
    b'{"a":"b","b":[1,"a"]}',
    b'["a",-2,{"a":"A"}]',
    b'{"a":{"b":"a"},"a":2}',
    b'{"a":1.0}',
    b"[",
    b'"a"',
)
ODD = (b"\xff", b"\xc3\xa9", b'x"y', b"\\", b"*", b"a*b", b"a\\b", b"#")
VALUES = (*WORDS, *JSON, *ODD)
HEADER_VALUES = tuple(value for value in VALUES if value)
NAMES = ("a", "b", "x-y", "A")
ADDRESSES = ("192.0.2.1", "192.0.2.9", "192.0.3.1", "10.0.0.1", "2001:db8::1", "2001:db8:1::", "::1")
NUMBERS = (-2, -1, 0, 1, 2, 3, 5, 16, 2**63 - 1, -(2**63))
METHODS = ("GET", "POST", "PUT", "a")
HOSTS = ("a.example", "b.example", "www.example.com")
PATHS = ("/", "/a", "/A", "/a/b", "/ab", "/a.b", "/aa/ab")
QUERIES = (
    *("", "a", "a=b", "a=b&a=A", "b=%61&a=a+b", "A=1&&b=", "=a", "a=%2561", "x-y={}"),
    *("%61=b&a=a", "a[]=1&b=a", "b=a;a=b", "a=a;&b=1", "+b=a&b", "b%5B0%5D=1&b=a&c", "a=a&b=%61&ab=1"),
)
PATTERNS = ("a", "^a", "b$", "^/?a", "[ab]+", "A|b", r"\d", "(?i)a", ".", "^$", "a.b", r"a\*b", '["x]', "(ab)*", "a{2}")

STRINGS = ("http.host", "http.request.method", "http.request.uri.path", "http.request.uri.query", "http.request.uri")
ARRAYS = ("http.request.headers.names", "http.request.headers.values", "http.request.uri.args.names")
MAPS = ("http.request.headers", "http.request.uri.args", "http.request.cookies")
OPTIONAL_STRINGS = ("http.cookie", "http.user_agent", "http.referer", "http.request.full_uri")


def quoted(value: bytes) -> str:
    """A literal for these bytes, escaped where it has to be."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return '"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def raw(value: bytes) -> str:
    """The same as a raw string, where there is one."""
    try:
        return f'r##"{value.decode()}"##'
    except UnicodeDecodeError:
        return quoted(value)


LISTS: tuple[dict[str, Any], ...] = (
    {"name": "nets", "kind": "ip", "items": ["192.0.2.0/24", "2001:db8::1"]},
    {"name": "words", "kind": "string", "items": ["", "a", "A", "/a", "aB", "é"]},
    {"name": "numbers", "kind": "int", "items": [-1, 0, 3, 2**63 - 1]},
    {"name": "hosts", "kind": "hostname", "items": ["a.example", "*.example.com", "a"]},
)
"""Named lists as the engine takes them."""
KINDS: dict[str, ListKind] = {each["name"]: each["kind"] for each in LISTS}


def is_in_list(name: str, value: Any) -> bool:
    """Whether a value is in one of LISTS; host names are compared without case, a wildcard is what is below it."""
    kind, items = next((each["kind"], each["items"]) for each in LISTS if each["name"] == name)
    if kind == "ip":
        return any(value in ip_network(item) for item in items)
    if kind == "int":
        return value in items
    if kind == "string":
        return value in [item.encode() for item in items]
    lower = value.lower()
    return any(lower == item.encode() or (item[0] == "*" and lower.endswith(item[1:].encode())) for item in items)


Write = Callable[[], str]
T = TypeVar("T")


class Writer:
    """Writes expressions over the fields that there are, as the dice fall; `depth` bounds how deep they nest.

    `lists`: those of LISTS are there. `claims`: as in authorization, two values are compared too, and
    there is no xor.
    """

    def __init__(self, dice: Random, fields: Collection[str], *, lists: bool = False, claims: bool = False) -> None:
        self._dice = dice
        self._fields = fields
        self._lists = lists
        self._claims = claims

    def condition(self, depth: int = 3) -> str:
        """What gives one Boolean."""
        simple: tuple[Write, ...] = (
            lambda: f"{self.string(depth - 1)} {self.text_test()}",
            lambda: f"{self.integer(depth - 1)} {self.number_test()}",
            lambda: f"{self.address()} {self.address_test()}",
            lambda: f"{self._one('starts_with', 'ends_with')}({self.string(depth - 1)}, {self.literal()})",
            lambda: self._one("ssl", "true", "false"),
            *((lambda: f"{self._claimed(depth)} {self._one('eq', 'ne')} {self._claimed(depth)}",) * self._claims),
        )
        if depth <= 0:
            return self._any(*simple)
        return self._any(
            *simple,
            lambda: f"not ({self.condition(depth - 1)})",
            lambda: self._joined(lambda: self.condition(depth - 1)),
            lambda: self._joined(lambda: self.condition(depth - 1)),
            lambda: f"{self._one('any', 'all')}({self.truths(depth - 1)})",
            lambda: f"{self._one('any', 'all')}({self.truths(depth - 1)})",
        )

    def string(self, depth: int) -> str:
        """What gives a String, or nothing."""
        fields: tuple[Write, ...] = (
            lambda: self._field(*STRINGS, *OPTIONAL_STRINGS, "http.request.body.raw"),
            lambda: f"{self._array_field()}[{self._one('0', '1')}]",
        )
        if depth <= 0:
            return self._any(*fields)
        return self._any(
            *fields,
            *fields,
            lambda: self.changed(self.string(depth - 1)),
            lambda: f"join({self.array(depth - 1)}, {self.literal()})",
            lambda: f"concat({self.string(depth - 1)}, {self.string(depth - 1)}, {self.literal()})",
        )

    def array(self, depth: int) -> str:
        """What gives an Array<String>, or nothing."""
        if depth <= 0:
            return self._array_field()
        return self._any(
            self._array_field,
            lambda: self.changed(self.stream(depth - 1)),
            lambda: f"concat({self._array_field()}, {self._array_field()})",
        )

    def stream(self, depth: int) -> str:
        """A String for each element of something."""
        nested = f"{self._field(*MAPS)}{self._one('[*][*]', '[*][0]', '[*][1]')}"
        return self._one(nested, f"{self.array(depth - 1)}[*]")

    def truths(self, depth: int) -> str:
        """What gives an Array<Boolean>."""
        return self._any(
            lambda: f"{self.stream(depth)} {self.text_test()}",
            lambda: f"len({self.stream(depth)})[*] {self.number_test()}",
            lambda: f"{self._one('starts_with', 'ends_with')}({self.stream(depth)}, {self.literal()})",
            lambda: f"not ({self.stream(depth)} {self.text_test()})",
            lambda: self._joined(lambda: f"{self.stream(depth)} {self.text_test()}"),
        )

    def integer(self, depth: int) -> str:
        """What gives an Integer, or nothing."""
        return self._any(
            lambda: self._field("http.request.body.size"),
            lambda: f"len({self.string(depth - 1)})",
            lambda: f"len({self.array(depth - 1)})",
            lambda: f"lookup_json_integer({self.string(depth - 1)}, {self.json_keys()})",
        )

    def address(self) -> str:
        """What gives an address."""
        return self._one("ip.src", "cidr(ip.src, 24, 48)", "cidr(ip.src, 32, 128)", "cidr6(ip.src, 32)")

    def changed(self, strings: str) -> str:
        """A function of strings that gives one."""
        return self._any(
            lambda: f"{self._one('lower', 'upper', 'url_decode', 'decode_base64')}({strings})",
            lambda: f'url_decode({strings}, "{self._one("r", "u", "ru", "")}")',
            lambda: f"substring({strings}, {self._position()})",
            lambda: f"substring({strings}, {self._position()}, {self._position()})",
            lambda: f"remove_bytes({strings}, {self.literal()})",
            lambda: f"lookup_json_string({strings}, {self.json_keys()})",
        )

    def _claimed(self, depth: int) -> str:
        """A value that authorization compares with another."""
        return self._any(
            lambda: f'query("{self._one(*NAMES)}")',
            lambda: f'body("{self._one("a", "b", "$.a", "$.a.b", "$.b[1]", "$[0]")}")',
            lambda: self.string(depth - 1),
        )

    def literal(self) -> str:
        """A string that is written out."""
        return self._one(quoted, raw)(self._one(*VALUES))

    def json_keys(self) -> str:
        """Where to look in a JSON text."""
        return ", ".join(self._several(('"a"', '"b"', "0", "1", "2"), 2))

    def text_test(self) -> str:
        """An operator with what stands on its right, for a String."""
        operators = ("eq", "==", "ne", "!=", "lt", "<", "le", "gt", ">=", "contains")
        return self._any(
            lambda: f"{self._one(*operators)} {self.literal()}",
            lambda: f"in {{{' '.join(self.literal() for _ in range(self._dice.randint(1, 4)))}}}",
            lambda: f'{self._one("matches", "~")} r#"{self._one(*PATTERNS)}"#',
            lambda: f'{self._one("wildcard", "strict wildcard")} r"{self.wildcard()}"',
            *((lambda: f"in ${self._one('words', 'hosts')}",) * self._lists),
        )

    def wildcard(self) -> str:
        """A wildcard; two stars never meet."""
        text = "".join(self._several(("*", "a", "A", "b", "/", r"\*", r"\\", "é"), 5))
        return re.sub(r"((?:\\.|[^*\\])*\*)\*+", r"\1", text)

    def number_test(self) -> str:
        """The same for an Integer."""
        return self._any(
            lambda: f"{self._one('eq', 'ne', 'lt', 'le', 'gt', 'ge', '<', '&', 'bitwise_and')} {self._one(*NUMBERS)}",
            lambda: f"in {{{' '.join(self._numbers() for _ in range(self._dice.randint(1, 4)))}}}",
            *((lambda: "in $numbers",) * self._lists),
        )

    def address_test(self) -> str:
        """The same for an address."""
        networks = ("192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "192.0.2.0..192.0.2.5", "::1..2001:db8::1", "::/0")
        return self._any(
            lambda: f"{self._one('eq', 'ne', '==', '!=')} {self._one(*ADDRESSES)}",
            lambda: f"in {{{' '.join(self._several((*ADDRESSES, *networks), 4))}}}",
            *((lambda: "in $nets",) * self._lists),
        )

    def _joined(self, operand: Write) -> str:
        operators = ("and", "or", "&&", "||") if self._claims else ("and", "or", "xor", "&&", "||", "^^")
        joined = f"{operand()} {self._one(*operators)} {operand()}"
        return self._one(joined, f"({joined})")

    def _array_field(self) -> str:
        return self._one(self._field(*ARRAYS), f'{self._field(*MAPS)}["{self._one(*NAMES)}"]')

    def _numbers(self) -> str:
        low, high = sorted((self._one(*NUMBERS), self._one(*NUMBERS)))
        return self._one(str(low), f"{low}..{high}")

    def _position(self) -> int:
        return self._one(-9, -2, -1, 0, 1, 2, 9)

    def _field(self, *names: str) -> str:
        return self._one(*(name for name in names if name in self._fields))

    def _several(self, choices: Sequence[str], most: int) -> list[str]:
        return [self._one(*choices) for _ in range(self._dice.randint(1, most))]

    def _one(self, *choices: T) -> T:
        return choices[self._dice.randrange(len(choices))]

    def _any(self, *ways: Write) -> str:
        return self._one(*ways)()


def random_request(dice: Random) -> Request:
    """A request made of the same pools."""
    names = (*NAMES, *NAMES, "user-agent", "referer", "cookie")
    headers = [(dice.choice(names), dice.choice(HEADER_VALUES)) for _ in range(dice.randrange(5))]
    query = dice.choice(QUERIES)
    if dice.random() < 0.5:
        headers.append(("content-type", b"application/json"))
    return Request(
        url=f"{dice.choice(('http', 'https'))}://{dice.choice(HOSTS)}{dice.choice(PATHS)}{query and f'?{query}'}",
        method=dice.choice(METHODS),
        headers=tuple((name, b"a=" + value if name == "cookie" else value) for name, value in headers),
        body=dice.choice((b"", *VALUES)),
        client=dice.choice(ADDRESSES),
    )


def conditions(fields: Collection[str]) -> SearchStrategy[str]:
    """Conditions over these fields."""
    return st.randoms(use_true_random=False).map(lambda dice: Writer(dice, fields).condition())


def requests() -> SearchStrategy[Request]:
    """Requests that they say something about."""
    return st.randoms(use_true_random=False).map(random_request)
