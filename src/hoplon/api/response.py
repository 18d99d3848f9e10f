"""What goes out: the status, headers and bytes of an answer or of an error."""

import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from hoplon.api.envelope import Answer, write_answer, write_errors
from hoplon.api.errors import error_form, error_messages
from hoplon.errors import HoplonError

_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
"""What a header field holds as it is; the rest of a sentence goes percent-encoded."""
_MAX_FIELD = 1000
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NOT_TO_BE_REPEATED = (HTTPStatus.CONFLICT, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.NOT_IMPLEMENTED)
"""The SDKs would ask twice more, with pauses, for what has the same answer each time; this header tells them."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as it goes out."""

    status: int
    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def success(given: Answer) -> Response:
    """An answer as it goes out."""
    headers = dict(given.headers)
    if given.version is not None:
        headers["etag"] = f'"{given.version}"'
    return Response(given.status, write_answer(given), given.media_type, headers)


def refusal(error: HoplonError) -> Response:
    """What a caller gets for an error of ours with a code."""
    form = error_form(error.code)
    headers = {"hoplon-error": error.code}
    if error.hint is not None:
        headers["hoplon-hint"] = _field(error.hint)
    if error.problems:  # of which the envelope lists each, and not what they come to
        headers["hoplon-message"] = _field(error.message)
    if form.status in _NOT_TO_BE_REPEATED:
        headers["x-should-retry"] = "false"
    if error.code == "request.method":
        headers["allow"] = error.message.removeprefix("this path takes ")
    if error.retry_seconds is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_seconds)))
    if form.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(form.status, write_errors(error_messages(error)), "application/json", headers)


def failure() -> Response:
    """What a caller gets for an error that nobody foresaw: no detail; the log has it under the request's id."""
    hint = "the log of the API has more under the id of this request"
    return refusal(HoplonError("internal", "Hoplon itself failed", hint))


def _field(sentence: str) -> str:
    """A sentence as the value of a header field."""
    return quote(sentence[:_MAX_FIELD], safe=_PLAIN)


async def send_response(send: Send, request_id: str, response: Response) -> None:
    """Send it, with the id of the request that it answers."""
    content = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
    ]
    headers = [
        *(content if response.status != HTTPStatus.NO_CONTENT else ()),
        (b"hoplon-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode()) for name, value in response.headers.items()),
    ]
    await send({"type": "http.response.start", "status": int(response.status), "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
