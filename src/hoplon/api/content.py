"""The content of a request: received within bounds, and read in the form that its handler asks for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from hoplon.api.bodies import read_body
from hoplon.api.describe import Description
from hoplon.errors import HoplonError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_SECONDS = 60.0
SMALL_BYTES = 64 * 1024
_DRAINED_BYTES = 256 * 1024**2
"""So much of a body that is too long is still read and dropped, so that its sender gets to see the answer."""


async def receive_content(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `request.too_large`, and `request.body` when it does not arrive."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _receive(receive, limit)
    except TimeoutError:
        raise HoplonError("request.body", f"the body did not arrive within {BODY_SECONDS:g} s") from None


def has_content(headers: Mapping[str, str]) -> bool:
    """Whether a body follows these headers."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def is_small(headers: Mapping[str, str]) -> bool:
    """Whether the body says that it is short enough to be held without asking how many others are."""
    length = headers.get("content-length", "")
    return length.isdecimal() and len(length) < 16 and int(length) <= SMALL_BYTES


def read_content(description: Description, headers: Mapping[str, str], content: bytes) -> Any:
    """The body in the form that the handler asks for; None when there is none or the handler wants none."""
    if description.body is None and not description.body_media_types:
        return None
    if not content:
        if description.is_body_required:
            raise HoplonError("request.body_missing", "this request needs a body")
        return None
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HoplonError("request.media_type", "compressed bodies are not taken", "send it without Content-Encoding")
    if media_type in description.body_media_types:
        return None
    if description.body is None or not (media_type == "application/json" or media_type.endswith("+json")):
        taken = (*(("application/json",) if description.body is not None else ()), *description.body_media_types)
        raise HoplonError("request.media_type", f"the body is {media_type}", f"Content-Type: {' or '.join(taken)}")
    return read_body(content, description.body)


async def _receive(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HoplonError("request.body", "the connection closed before the body was complete")
        size += len(message.get("body", b""))
        if size <= limit:
            chunks.append(message.get("body", b""))
        elif size > limit + _DRAINED_BYTES:
            break
        else:
            chunks.clear()
        if not message.get("more_body"):
            break
    if size > limit:
        raise HoplonError(
            "request.too_large", f"the body has more than {limit} bytes", "`api.max_body_bytes` is a setting"
        )
    return b"".join(chunks)
