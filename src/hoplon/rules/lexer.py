"""Reads the smallest pieces of an expression, one at a time, from where it stands: words, strings, numbers, addresses.

What a piece means depends on what stands before it (a string on the right of `matches` has other escapes), so the
parser asks for each piece by name. Every look is anchored: no text is read twice.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hoplon.rules.refusal import Refusal, shown
from hoplon.rules.syntax import Address, Literals, Network, Number, Numbers, Span, Text

_BLANKS = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
_LIST_NAME = re.compile(r"\$[A-Za-z0-9_.-]*")
_BARE = re.compile(r"-?[0-9A-Za-z:][0-9A-Za-z_:./%-]*")
_BARE_START = re.compile(r"-?[0-9]|[0-9A-Fa-f]{0,4}:")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)|-?0[xX][0-9A-Fa-f]+")
_NETWORK = re.compile(r"[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}")
_RAW_START = re.compile(r'r(#*)"')
_PLAIN = re.compile(r'[^"\\]+')
_CLASS_PIECE = re.compile(r"[^\]\\]+")
_PATTERN_PIECE = re.compile(r'[^"\\\[]+')
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_OCTAL = re.compile(r"[0-3][0-7]{2}")
MAX_HASHES = 255
"""So many `#` may stand around a raw string (Cloudflare's documentation, "Values")."""
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


class Lexer:
    """A text and a place in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip_blanks()

    def skip_blanks(self) -> None:
        """Go to the next piece."""
        self.at = self._end(_BLANKS)

    def is_done(self) -> bool:
        """Nothing is left."""
        return self.at == len(self.text)

    def found(self) -> str:
        """What stands here, for a sentence."""
        if self.is_done():
            return "the end"
        piece = _NAME.match(self.text, self.at) or _BARE.match(self.text, self.at)
        return f"`{shown(piece.group() if piece else self.text[self.at])}`"

    def peek(self, symbol: str) -> bool:
        """Whether these characters are next."""
        return self.text.startswith(symbol, self.at)

    def take(self, symbol: str) -> bool:
        """Go behind these characters if they are next."""
        if not self.peek(symbol):
            return False
        self.at += len(symbol)
        self.skip_blanks()
        return True

    def expect(self, symbol: str, why: str) -> int:
        """Go behind these characters; the offset right behind them, before blanks."""
        end = self.at + len(symbol)
        if not self.take(symbol):
            raise Refusal(self.at, f"`{symbol}` {why}, not {self.found()}")
        return end

    def peek_word(self) -> str | None:
        """The name that is next, if one is: `r"a"` begins a string, `fe80::1` an address."""
        word = _NAME.match(self.text, self.at)
        if word is None:
            return None
        name, follows = word.group(), self.text[word.end() : word.end() + 1]
        if follows == ":" or (name == "r" and self.is_string()):
            return None
        return name

    def take_word(self, word: str) -> Span:
        """Go behind a word that `peek_word` gave."""
        span = Span(self.at, self.at + len(word))
        self.at = span.end
        self.skip_blanks()
        return span

    def is_string(self) -> bool:
        """A quoted or raw string is next."""
        return self.peek('"') or _RAW_START.match(self.text, self.at) is not None

    def is_bare(self) -> bool:
        """A number or address is next. `fe80::1` is one, `fe80` is a name: a name has no colon."""
        return _BARE_START.match(self.text, self.at) is not None

    def string(self) -> Text:
        """A string by the general rules: `\\"`, `\\\\`, `\\xHH`, `\\OOO`; a raw string without any."""
        start = self.at
        value = self._quoted() if self.peek('"') else self._raw().encode()
        span = Span(start, self.at)
        self.skip_blanks()
        return Text(span, value)

    def pattern(self) -> tuple[Span, str]:
        """A string by the rules for regular expressions: only `\\"` is an escape of ours, and not inside `[…]`."""
        start = self.at
        text = self._quoted_pattern() if self.peek('"') else self._raw()
        span = Span(start, self.at)
        self.skip_blanks()
        return span, text

    def list_name(self) -> tuple[Span, str]:
        """The name behind `$`, which is next."""
        span = Span(self.at, self._end(_LIST_NAME))
        self.at = span.end
        self.skip_blanks()
        return span, self.text[span.start + 1 : span.end]

    def bare(self) -> Literals:
        """A number, an address, a network or a range of one of them."""
        match = _BARE.match(self.text, self.at)
        if match is None:
            raise Refusal(self.at, f"a value was expected, not {self.found()}")
        span = Span(self.at, match.end())
        self.at = match.end()
        self.skip_blanks()
        return _read_bare(span, match.group())

    def _quoted(self) -> bytes:
        start = self.at
        pieces: list[bytes] = []
        self.at += 1
        while not self.peek('"'):
            if plain := _PLAIN.match(self.text, self.at):
                pieces.append(plain.group().encode())
                self.at = plain.end()
            else:
                pieces.append(self._escape(start))
        self.at += 1
        return b"".join(pieces)

    def _escape(self, start: int) -> bytes:
        escaped = self.text[self.at + 1 : self.at + 2]
        if not escaped:
            raise _unclosed(start)
        if escaped in '"\\':
            self.at += 2
            return escaped.encode()
        if escaped == "x" and (match := _HEX.match(self.text, self.at + 2)):
            self.at = match.end()
            return bytes((int(match.group(), 16),))
        if match := _OCTAL.match(self.text, self.at + 1):
            self.at = match.end()
            return bytes((int(match.group(), 8),))
        raise Refusal(
            self.at, f"`\\{shown(escaped)}` is no escape", 'escapes are `\\"`, `\\\\`, `\\xHH`, `\\OOO`; r"…" has none'
        )

    def _raw(self) -> str:
        opening = _RAW_START.match(self.text, self.at)
        if opening is None:
            raise Refusal(self.at, f"a string was expected, not {self.found()}", 'strings stand in quotes: `"…"`')
        hashes = opening.group(1)
        if len(hashes) > MAX_HASHES:
            raise Refusal(self.at, f"a raw string has at most {MAX_HASHES} `#`")
        end = self.text.find(f'"{hashes}', opening.end())
        if end < 0:
            raise _unclosed(self.at)
        self.at = end + 1 + len(hashes)
        return self.text[opening.end() : end]

    def _quoted_pattern(self) -> str:
        """As wirefilter reads it: a quote inside a character class does not end the string, and keeps its backslash."""
        start = self.at
        pieces: list[str] = []
        is_class = False
        self.at += 1
        while is_class or not self.peek('"'):
            if plain := (_CLASS_PIECE if is_class else _PATTERN_PIECE).match(self.text, self.at):
                pieces.append(plain.group())
                self.at = plain.end()
                continue
            character = self.text[self.at : self.at + 1]
            if character == "\\":
                pieces.append(self._pattern_escape(is_class=is_class))
                continue
            if not character:
                raise _unclosed(start)
            is_class = character == "["
            pieces.append(character)
            self.at += 1
        self.at += 1
        return "".join(pieces)

    def _pattern_escape(self, *, is_class: bool) -> str:
        escaped = self.text[self.at + 1 : self.at + 2]
        self.at += 1 + len(escaped)
        return escaped if escaped == '"' and not is_class else f"\\{escaped}"

    def _end(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        return match.end() if match else self.at


def _unclosed(start: int) -> Refusal:
    return Refusal(start, "the string that begins here does not end")


def _read_bare(span: Span, text: str) -> Literals:
    low, dots, high = text.partition("..")
    if dots:
        return _range(span, text, _value(span, low), _value(span, high))
    if "/" in text:
        return _network(span, text)
    value = _value(span, text)
    return Number(span, value) if isinstance(value, int) else Address(span, value)


def _value(span: Span, text: str) -> int | IPv4Address | IPv6Address:
    if _DECIMAL.fullmatch(text):
        return _integer(span, text)
    if "%" not in text and ("." in text or ":" in text):
        try:
            return ip_address(text)
        except ValueError:
            pass
    raise Refusal(span.start, f"`{shown(text)}` is neither a number nor an address", _bare_hint(text))


def _integer(span: Span, text: str) -> int:
    if len(text) <= 20 and _LOWEST <= (value := int(text, 16 if "x" in text.lower() else 10)) <= _HIGHEST:
        return value
    raise Refusal(span.start, f"`{shown(text)}` does not fit in 64 bits", f"{_LOWEST} to {_HIGHEST}")


def _bare_hint(text: str) -> str:
    if re.fullmatch(r"-?0[0-9]+", text):
        return "a number does not begin with 0: some read that as octal"
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", text):
        return "numbers are whole numbers"
    return 'text stands in quotes: `"…"`'


def _range(span: Span, text: str, low: object, high: object) -> Literals:
    if isinstance(low, int) and isinstance(high, int):
        if low > high:
            raise Refusal(span.start, f"`{shown(text)}`: the range ends before it begins")
        return Numbers(span, low, high)
    for kind in (IPv4Address, IPv6Address):
        if isinstance(low, kind) and isinstance(high, kind):
            if int(low) > int(high):
                raise Refusal(span.start, f"`{shown(text)}`: the range ends before it begins")
            return Network(span, low, high)
    raise Refusal(span.start, f"`{shown(text)}`: both ends of a range are of one kind")


def _network(span: Span, text: str) -> Network:
    if not _NETWORK.fullmatch(text):
        raise Refusal(span.start, f"`{shown(text)}` is no network", "for example 192.0.2.0/24 or 2001:db8::/32")
    try:
        network = ip_network(text)
    except ValueError as error:
        raise Refusal(
            span.start, f"`{shown(text)}` is no network: {shown(str(error), 120)}", _network_hint(text)
        ) from None
    return Network(span, network.network_address, network.broadcast_address)


def _network_hint(text: str) -> str:
    try:
        return f"write `{ip_network(text, strict=False)}` if the whole network is meant"
    except ValueError:
        return "for example 192.0.2.0/24 or 2001:db8::/32"
