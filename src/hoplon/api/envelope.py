"""What a handler gives back, and the envelope that it travels in. Knows no HTTP server and no resource."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NotRequired, TypeVar

from pydantic_core import to_json
from typing_extensions import TypedDict

from hoplon.model.page import Page

JSON = "application/json"
Item = TypeVar("Item")


class Source(TypedDict):
    """Where in the request something is wrong: a JSON pointer (RFC 6901) into its body."""

    pointer: str


class Message(TypedDict):
    """One entry of `errors` or `messages`; `code` is at least 1000 and never changes its meaning."""

    code: int
    message: str
    documentation_url: NotRequired[str]
    source: NotRequired[Source]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers; made by the functions below.

    `version` becomes the ETag. `content` is sent as it is instead of an envelope, as `media_type`.
    """

    result: Any = None
    has_result: bool = True
    result_info: Mapping[str, Any] | None = None
    status: int = 200
    version: int | None = None
    messages: Sequence[Message] = ()
    content: bytes | None = None
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(result: Any, *, version: int | None = None, status: int = 200) -> Answer:
    """A result in the envelope; with the zone's `version`, as its ETag, where the result is its configuration."""
    return Answer(result, version=version, status=status)


def answer_page(page: Page[Item], form: Callable[[Item], Any], *, version: int | None = None) -> Answer:
    """One page of a listing, each item given its outer form, with `result_info`."""
    items = [form(item) for item in page.items]
    info = {
        "page": page.page,
        "per_page": page.per_page,
        "count": len(items),
        "total_count": page.total,
        "total_pages": page.pages,
    }
    return Answer(items, result_info=info, version=version)


def answer_nothing(*, version: int | None = None) -> Answer:
    """A success without the member `result`."""
    return Answer(has_result=False, version=version)


def answer_plain(document: Any, *, version: int | None = None) -> Answer:
    """A document without the envelope: the exceptions of Cloudflare's API."""
    return Answer(content=to_json(document), version=version)


def answer_content(content: bytes, media_type: str, *, version: int | None = None) -> Answer:
    """Content that is no JSON envelope: TOML, CSV, a bundle."""
    return Answer(content=content, media_type=media_type, version=version)


def write_answer(given: Answer) -> bytes:
    """The body of an answer."""
    if given.content is not None:
        return given.content
    envelope: dict[str, Any] = {"success": True, "errors": [], "messages": list(given.messages)}
    if given.has_result:
        envelope["result"] = given.result
    if given.result_info is not None:
        envelope["result_info"] = given.result_info
    return to_json(envelope, bytes_mode="hex", inf_nan_mode="null")


def write_errors(errors: Sequence[Message]) -> bytes:
    """The body of a failure: nothing but the errors."""
    return to_json({"success": False, "errors": list(errors), "messages": [], "result": None})


def moment(value: datetime) -> str:
    """A point in time as Cloudflare writes it: RFC 3339 in UTC, with microseconds and `Z`."""
    return f"{value.astimezone(UTC).isoformat(timespec='microseconds').removesuffix('+00:00')}Z"
