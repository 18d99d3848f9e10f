"""Reads a request as it stands in a file: a start line, header lines, an empty line, the body; CR LF or LF.

Takes bytes, gives a SentRequest that the engine can judge. What the engine would refuse is not refused here.
"""

import re
from dataclasses import dataclass

from hoplon.errors import HoplonError

MAX_BYTES = 16 * 2**20
_START_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/[0-9](?:\.[0-9])?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_HINT = "a start line like `GET /path HTTP/1.1`, `Name: value` lines, an empty line, the body"


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request to an absolute URL."""

    method: str
    url: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


def read_request(data: bytes, scheme: str = "http") -> SentRequest:
    """The request in a file. Its host is that of an absolute target, else of `Host`, else `localhost`.

    Raises HoplonError `request_file.invalid`.
    """
    if len(data) > MAX_BYTES:
        raise _invalid(f"it is longer than {MAX_BYTES:,} bytes")
    head, body = _split(data)
    lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    start = _START_LINE.fullmatch(lines[0])
    if start is None:
        raise _invalid("line 1 is no start line")
    headers = tuple(_field(line, number) for number, line in enumerate(lines[1:], 2))
    method, target = start[1].decode(), start[2].decode("latin-1")
    return SentRequest(method, _url(target, headers, scheme), headers, _body(body, headers))


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Head and body: an editor's one line end behind the head is no body."""
    for ending in (b"\r\n\r\n", b"\n\n"):
        head, found, body = data.partition(ending)
        if found:
            return head, body
    return data.removesuffix(b"\n").removesuffix(b"\r"), b""


def _field(line: bytes, number: int) -> tuple[str, bytes]:
    field = _FIELD.fullmatch(line)
    if field is None:
        raise _invalid(f"line {number} is no header")
    return field[1].decode(), field[2]


def _url(target: str, headers: tuple[tuple[str, bytes], ...], scheme: str) -> str:
    if "://" in target.partition("?")[0]:
        return target
    host = next((value.decode("latin-1") for name, value in headers if name.lower() == "host"), "localhost")
    return f"{scheme}://{host}{target if target.startswith('/') else f'/{target}'}"


def _body(body: bytes, headers: tuple[tuple[str, bytes], ...]) -> bytes:
    """As many bytes as Content-Length says, if it does: editors end a file with a line end."""
    length = next((value for name, value in headers if name.lower() == "content-length"), b"")
    return body[: int(length)] if length.isdigit() and len(length) <= 12 else body


def _invalid(what: str) -> HoplonError:
    return HoplonError("request_file.invalid", f"the file is no request: {what}", _HINT)
