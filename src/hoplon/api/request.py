"""What a handler gets: one authenticated request whose path, query and body have been read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoplon.api.auth import Caller
from hoplon.errors import HoplonError
from hoplon.service.delivery import Offers
from hoplon.service.workspace import Workspace

NO_VERSION = -1
"""The version that an If-Match means which names none of ours: no zone is ever at it."""
_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to one route.

    `ids` are the variables of the path, `query` every declared parameter with its value or default, `body` what the
    route's body form made of the content (None when there was none), `headers` by lower-case name. `offers` is what
    gateways wait for.
    """

    id: str
    workspace: Workspace
    caller: Caller
    ids: Mapping[str, str]
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    offers: Offers
    body: Any = None
    content: bytes = b""

    @property
    def zone_id(self) -> str:
        return self.ids["zone_id"]

    @property
    def if_match(self) -> int | None:
        """The zone version that If-Match asks for; None without one, or for `*` (whatever exists)."""
        return read_if_match(self.headers.get("if-match"))


def read_if_match(value: str | None) -> int | None:
    """`"7"` as 7; an entity tag that is none of ours as `NO_VERSION`. Raises `request.header` for what is no tag."""
    if value is None or value.strip() == "*":
        return None
    match = _ENTITY_TAG.fullmatch(value.strip())
    if match is None:
        raise HoplonError("request.header", 'If-Match takes one entity tag, such as "7", or *')
    tag = match[1]
    return int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 16 else NO_VERSION
