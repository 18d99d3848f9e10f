"""Requests as they stand in files."""

import pytest

from hoplon.errors import HoplonError
from hoplon.service.request_file import SentRequest, read_request


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\n", SentRequest("GET", "http://localhost/", (), b"")),
        (
            b"POST /a?b=c HTTP/1.1\r\nHost: api.test:81\r\nX-A:  b c \r\n\r\nbody\r\n",
            SentRequest("POST", "http://api.test:81/a?b=c", (("Host", b"api.test:81"), ("X-A", b"b c")), b"body\r\n"),
        ),
        (
            b"PUT /a HTTP/1.1\ncontent-length: 4\n\nbody\n",
            SentRequest("PUT", "http://localhost/a", (("content-length", b"4"),), b"body"),
        ),
        (b"GET https://a.test/?u=x://y HTTP/1.1\n\n", SentRequest("GET", "https://a.test/?u=x://y", (), b"")),
        (b"GET /?u=x://y HTTP/1.0\n\n\n", SentRequest("GET", "http://localhost/?u=x://y", (), b"\n")),
        (b"OPTIONS * HTTP/1.1\n\n", SentRequest("OPTIONS", "http://localhost/*", (), b"")),
    ],
)
def test_what_stands_there_is_read(data: bytes, expected: SentRequest) -> None:
    assert read_request(data) == expected


def test_over_tls() -> None:
    assert read_request(b"GET / HTTP/1.1\n", "https").url == "https://localhost/"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "line 1 is no start line"),
        (b"GET /\n\n", "line 1 is no start line"),
        (b"GET / a HTTP/1.1\n\n", "line 1 is no start line"),
        (b"GET / HTTP/1.1\nA: b\nno header\n\n", "line 3 is no header"),
        (b"GET / HTTP/1.1\nA : b\n\n", "line 2 is no header"),
        (b"\xff\x00", "line 1 is no start line"),
        (b"x" * (16 * 2**20 + 1), "it is longer than 16,777,216 bytes"),
    ],
)
def test_what_is_no_request_says_why(data: bytes, what: str) -> None:
    with pytest.raises(HoplonError) as refused:
        read_request(data)
    assert refused.value.code == "request_file.invalid"
    assert refused.value.message == f"the file is no request: {what}"
