"""Where a token is looked for: Cloudflare's two forms of a rule expression to the name of a header or cookie.

http.request.headers["authorization"][0]      http.request.cookies["Authorization"][0]
"""

import re
from dataclasses import dataclass
from typing import Literal

MAX_SOURCES = 4
_SOURCE = re.compile(
    r'\s*http\.request\.(?P<place>headers|cookies)\s*\[\s*"(?P<name>[^"\\\x00-\x20\x7f]{1,255})"\s*\]\s*\[\s*0\s*\]\s*'
)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110 §5.6.2: the name of a header; RFC 6265 §4.1.1 takes the same for cookies."""
FORMS = 'http.request.headers["authorization"][0] or http.request.cookies["name"][0]'


@dataclass(frozen=True, slots=True)
class TokenSource:
    """One place; a header's name is lower case, a cookie's means what it is."""

    place: Literal["header", "cookie"]
    name: str

    def as_part(self) -> dict[str, str]:
        """As the engine takes it."""
        return {self.place: self.name}


def parse_source(text: str) -> TokenSource:
    """The place that an expression names. Raises ValueError with what is wrong."""
    match = _SOURCE.fullmatch(text)
    if match is None or not _NAME.fullmatch(match["name"]):
        raise ValueError(f"`{text[:100]}` is no place of a token")
    if match["place"] == "headers":
        return TokenSource("header", match["name"].lower())
    return TokenSource("cookie", match["name"])
