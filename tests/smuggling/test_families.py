"""The known families of request smuggling, one test each: what hides in a request never reaches the upstream as one.

After James Kettle's papers (HTTP Desync Attacks 2019, HTTP/2: The Sequel is Always Worse 2021, Browser-Powered Desync
2022, HTTP/1.1 must die 2025) and RFC 9112, section 11.
"""

import pytest

from support import h2_frames
from support.installation import Installation
from support.wire import Recorder, exchange, one_request, statuses

Gateway = tuple[Installation, Recorder]

HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: victim.test\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def head(*fields: bytes, line: bytes = b"POST /front HTTP/1.1", host: bytes = b"Host: any.test\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(fields) + b"\r\n"


def refused(gateway: Gateway, sent: bytes, status: int = 400, code: str | None = None) -> None:
    """One problem document with its id, nothing behind it is read as a request, and the upstream gets nothing."""
    up, recorder = gateway
    answer = exchange(up.port, sent)
    assert statuses(answer) == [status], (sent, answer)
    assert b"urn:hoplon:refused" in answer
    assert recorder.seen == []
    if code is not None:
        assert up.metric("hoplon_refused_total", code=code) >= 1


def test_a_refusal_is_recorded_under_the_id_of_its_answer(gateway: Gateway) -> None:
    up, _ = gateway
    answer = exchange(up.port, head(line=b"GET /front#x HTTP/1.1"))
    assert b"\r\nconnection: close\r\n" in answer
    called = next(line[19:] for line in answer.decode().split("\r\n") if line.startswith("hoplon-request-id: "))
    record = up.record(called)
    shown = (record["action"], record["status"], record["method"], record["host"], record["path"])
    assert shown == ("refuse", 400, "GET", "any.test", "/front")


def test_cl_te(gateway: Gateway) -> None:
    """A front server counts bytes, the one behind reads chunks: what follows the last one is the next client's."""
    body = b"0\r\n\r\n" + HIDDEN
    length = b"Content-Length: %d\r\n" % len(body)
    refused(gateway, head(length, CHUNKED) + body, code="protocol.framing.both")


def test_te_cl(gateway: Gateway) -> None:
    """The other way round."""
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    refused(gateway, head(CHUNKED, b"Content-Length: 4\r\n") + body, code="protocol.framing.both")


@pytest.mark.parametrize(
    ("field", "status"),
    [
        (b"Transfer-Encoding: xchunked\r\n", 501),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", 400),
        (b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"Transfer-Encoding: chunked, identity\r\n", 501),
        (b"Transfer-Encoding: identity, chunked\r\n", 501),
        (b"Transfer-Encoding:\tchunked\r\n", 501),
        (b"Transfer-Encoding: \x0bchunked\r\n", 400),
        (b"Transfer-Encoding : chunked\r\n", 400),
        (b" Transfer-Encoding: chunked\r\n", 400),
        (b"X: y\nTransfer-Encoding: chunked\r\n", 400),
        (b"X: y\rTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding\r\n : chunked\r\n", 400),
        (b"Transfer_Encoding: chunked\r\n", 501),
        (b"Transfer-Encoding: 'chunked'\r\n", 501),
        (b"Transfer-Encoding:\r\n chunked\r\n", 501),
    ],
)
def test_te_te(gateway: Gateway, field: bytes, status: int) -> None:
    """`Transfer-Encoding` in a disguise that one of two servers sees through."""
    refused(gateway, head(field) + b"0\r\n\r\n" + HIDDEN, status)


@pytest.mark.parametrize("value", [b"+44", b"44, 44", b"0x2c", b"044", b"44 ", b"4 4", b"-1", b"", b"44\t", b"9" * 30])
def test_cl_cl(gateway: Gateway, value: bytes) -> None:
    """Lengths that servers read differently, and two of them."""
    if value != b"44 ":
        refused(gateway, head(b"Content-Length: " + value + b"\r\n") + HIDDEN, code="protocol.content_length.invalid")
    refused(gateway, head(b"Content-Length: 44\r\n", b"Content-Length: 0\r\n") + HIDDEN)
    refused(gateway, head(b"Content-Length: 44\r\n", b"content_length: 0\r\n") + HIDDEN)


def test_cl_0(gateway: Gateway) -> None:
    """An upstream that ignores a body it did not expect: it goes there behind its head, whole and with its length."""
    up, recorder = gateway
    sent = head(b"Content-Length: %d\r\nConnection: close\r\n" % len(HIDDEN), line=b"GET /front HTTP/1.1") + HIDDEN
    assert statuses(exchange(up.port, sent)) == [200]
    parsed = one_request(recorder.only())
    assert (parsed.target, parsed.body, parsed.values("content-length")) == ("/front", HIDDEN, [b"%d" % len(HIDDEN)])


def test_te_0(gateway: Gateway) -> None:
    """The same in chunks, with a method that has no body as a rule."""
    up, recorder = gateway
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    sent = head(CHUNKED, b"Connection: close\r\n", line=b"OPTIONS /front HTTP/1.1") + body
    assert statuses(exchange(up.port, sent)) == [200]
    parsed = one_request(recorder.only())
    assert (parsed.target, parsed.body) == ("/front", HIDDEN)


def test_expect(gateway: Gateway) -> None:
    """`Expect`, also in disguise, is answered here; the upstream never decides about it."""
    up, recorder = gateway
    for value in (b"100-continue", b"y 100-continue", b"100-continue, x"):
        recorder.seen.clear()
        sent = head(b"Expect: " + value + b"\r\n", b"Content-Length: 5\r\nConnection: close\r\n") + b"hello"
        assert 200 in statuses(exchange(up.port, sent)), value
        parsed = one_request(recorder.only())
        assert (parsed.body, parsed.values("expect")) == (b"hello", [])


@pytest.mark.parametrize(
    "body",
    [
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"a" * 400 + b"\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_chunks(gateway: Gateway, body: bytes) -> None:
    """Chunk lines and trailers that servers read differently: the body fails, and no upstream sees the end of one."""
    up, recorder = gateway
    answer = exchange(up.port, head(CHUNKED) + body + HIDDEN)
    assert statuses(answer) == [400], answer
    assert not any(raw.endswith(b"0\r\n\r\n") or b"/smuggled" in raw for raw in recorder.seen), recorder.seen


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /front HTTP/1.1\nHost: any.test\n\n" + HIDDEN,
        b"GET /front HTTP/1.1\r\nHost: any.test\r\nX: y\n\r\n" + HIDDEN,
        b"GET /front HTTP/1.1\r\nHost: any.test\r\nX: y\r\n z\r\n\r\n",
        b"GET /front HTTP/1.1\r\n Host: any.test\r\n\r\n",
        b"GET /front HTTP/1.1\r\nHost : any.test\r\n\r\n",
        b"GET /front HTTP/1.1\r\nHost: any.test\r\nX: \x00y\r\n\r\n",
        b"GET /front\tHTTP/1.1\r\nHost: any.test\r\n\r\n",
        b"GET  /front HTTP/1.1\r\nHost: any.test\r\n\r\n",
        b"GET /front HTTP/1.1 \r\nHost: any.test\r\n\r\n",
        b"GET /fr ont HTTP/1.1\r\nHost: any.test\r\n\r\n",
        b"\r\n\r\nGET /front HTTP/1.1\r\nHost: any.test\r\n\r\n",
        b"\x00GET /front HTTP/1.1\r\nHost: any.test\r\n\r\n",
    ],
)
def test_whitespace_and_line_tricks(gateway: Gateway, sent: bytes) -> None:
    refused(gateway, sent, 505 if b"\tHTTP" in sent else 400)


def test_request_splitting(gateway: Gateway) -> None:
    """A line break in a target or a value, encoded, stays what it is."""
    up, recorder = gateway
    hidden = b"%0d%0a%0d%0aGET%20/smuggled%20HTTP/1.1"
    sent = head(b"X: a%0d%0aY: b\r\nConnection: close\r\n", line=b"GET /front?q=" + hidden + b" HTTP/1.1")
    assert statuses(exchange(up.port, sent)) == [200]
    parsed = one_request(recorder.only())
    assert parsed.target == "/front?q=" + hidden.decode()
    assert parsed.values("x") == [b"a%0d%0aY: b"]


def test_hop_by_hop(gateway: Gateway) -> None:
    """`Connection` cannot take away what frames, routes or authorizes."""
    up, recorder = gateway
    named = b"Connection: close, Host, Content-Length, Authorization, Cookie, X-Forwarded-For, X-Mine\r\n"
    mine = b"Authorization: Bearer t\r\nCookie: a=b\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"
    assert statuses(exchange(up.port, head(named, mine, b"Content-Length: 2\r\n") + b"ok")) == [200]
    parsed = one_request(recorder.only())
    kept = {name: parsed.values(name) for name in ("host", "content-length", "authorization", "cookie")}
    assert kept == {
        "host": [b"any.test"],
        "content-length": [b"2"],
        "authorization": [b"Bearer t"],
        "cookie": [b"a=b"],
    }
    assert parsed.values("x-forwarded-for") == [b"127.0.0.1"]
    gone = ("x-mine", "keep-alive", "proxy-connection")
    assert not any(parsed.values(name) for name in gone)


@pytest.mark.parametrize(
    "line",
    [
        b"GET http://other.test/front HTTP/1.1",
        b"GET ftp://any.test/front HTTP/1.1",
        b"GET http://any.test@other.test/front HTTP/1.1",
        b"GET any.test/front HTTP/1.1",
        b"GET //front/.. HTTP/1.1#",
        b"GET * HTTP/1.1",
        b"CONNECT any.test:80 HTTP/1.1",
    ],
)
def test_absolute_form(gateway: Gateway, line: bytes) -> None:
    """A target that names another host than `Host`, or no host of HTTP."""
    refused(gateway, head(b"Connection: close\r\n", line=line))


def test_absolute_form_of_the_same_host_goes_upstream_as_a_path(gateway: Gateway) -> None:
    up, recorder = gateway
    sent = head(b"Connection: close\r\n", line=b"GET http://any.test/front?a HTTP/1.1")
    assert statuses(exchange(up.port, sent)) == [200]
    parsed = one_request(recorder.only())
    assert (parsed.target, parsed.values("host")) == ("/front?a", [b"any.test"])


def test_hosts(gateway: Gateway) -> None:
    refused(gateway, head(host=b""))
    for values in ((b"a", b"a"), (b"a", b"b"), (b"a, b",), (b"a b",), (b"a/b",)):
        hosts = b"".join(b"Host: " + value + b"\r\n" for value in values)
        refused(gateway, head(b"Connection: close\r\n", host=hosts))


def test_fragment(gateway: Gateway) -> None:
    refused(gateway, head(line=b"GET /front#/../admin HTTP/1.1"), code="protocol.target.fragment")


def test_versions(gateway: Gateway) -> None:
    for version in (b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3"):
        refused(gateway, head(line=b"GET /front " + version), 505, "protocol.start_line.version")
    refused(gateway, b"GET /front\r\n\r\n", 505)
    refused(gateway, head(CHUNKED, line=b"POST /front HTTP/1.0") + b"0\r\n\r\n", 400)


PSEUDO = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"any.test"), (b":path", b"/front")]


def by_http2(gateway: Gateway, fields: h2_frames.Fields, body: bytes | None = HIDDEN) -> list[bytes]:
    """Sends a request whose stream must be refused; what the upstream saw, if anything."""
    up, recorder = gateway
    with h2_frames.connect(up.port, 2.0) as connection:
        connection.sendall(h2_frames.request(fields, body))
        for kind, _, stream, payload in h2_frames.frames(connection):
            if (kind, stream) == (h2_frames.RST_STREAM, 1) or kind == h2_frames.GOAWAY:
                return recorder.seen
            if (kind, stream) == (h2_frames.HEADERS, 1):
                raise AssertionError(f"answered: {payload!r}")
    raise AssertionError("neither refused nor answered")


@pytest.mark.parametrize("length", [b"0", b"5", b"9999", b"+44", b"44, 44"])
def test_h2_cl(gateway: Gateway, length: bytes) -> None:
    """A length over HTTP/2 that is not that of the frames."""
    up, recorder = gateway
    try:
        seen = by_http2(gateway, [*PSEUDO, (b"content-length", length)])
    except AssertionError as error:
        assert "answered" in str(error) and recorder.seen == [], "answered by us, not by the upstream"
        return
    assert not any(_is_whole(raw) for raw in seen), (up.said(), seen)


def _is_whole(raw: bytes) -> bool:
    try:
        one_request(raw)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    "field",
    [
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"close"),
        (b"keep-alive", b"5"),
        (b"upgrade", b"h2c"),
        (b"proxy-connection", b"close"),
        (b"te", b"gzip"),
    ],
)
def test_h2_te_and_connection_fields(gateway: Gateway, field: tuple[bytes, bytes]) -> None:
    """Fields of HTTP/1's connections have no place in HTTP/2 (RFC 9113, section 8.2.2)."""
    assert by_http2(gateway, [*PSEUDO, field]) == []


@pytest.mark.parametrize(
    "fields",
    [
        [*PSEUDO, (b"x", b"a\r\nTransfer-Encoding: chunked")],
        [*PSEUDO, (b"x\r\ntransfer-encoding: chunked\r\ny", b"a")],
        [*PSEUDO, (b"x", b"a\nb")],
        [*PSEUDO, (b"x", b"a\x00b")],
        [*PSEUDO, (b"x: y", b"a")],
        [*PSEUDO, (b"X-Upper", b"a")],
        [*PSEUDO, (b"", b"a")],
        [(b":method", b"GET /smuggled HTTP/1.1\r\nx: y"), *PSEUDO[1:]],
        [*PSEUDO[:3], (b":path", b"/front HTTP/1.1\r\nX: y\r\n\r\nGET /smuggled")],
        [*PSEUDO[:3], (b":path", b"/front HTTP/1.1")],
        [*PSEUDO[:2], (b":authority", b"any.test\r\nx: y"), PSEUDO[3]],
        [*PSEUDO, (b":path", b"/other")],
        [*PSEUDO, (b"x", b"y"), (b":path", b"/other")],
        [*PSEUDO, (b":status", b"200")],
        [*PSEUDO, (b":protocol", b"websocket")],
    ],
)
def test_h2_request_splitting_and_pseudo_headers(gateway: Gateway, fields: h2_frames.Fields) -> None:
    """Nothing that would be two lines, or another request line, in HTTP/1.1."""
    up, recorder = gateway
    try:
        assert by_http2(gateway, fields) == []
    except AssertionError as error:
        assert "answered" in str(error) and recorder.seen == [], (up.said(), recorder.seen)


def test_h2_host_is_not_the_authority(gateway: Gateway) -> None:
    """Answered by us: it is well-formed HTTP/2 with two hosts."""
    with pytest.raises(AssertionError, match="answered"):
        by_http2(gateway, [*PSEUDO, (b"host", b"other.test")])
    assert gateway[1].seen == []


def test_h2_becomes_one_request_of_http1(gateway: Gateway) -> None:
    """Body without a length, several cookies, `te: trailers`: what goes upstream is one request for every parser."""
    up, recorder = gateway
    fields = [*PSEUDO, (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"te", b"trailers"), (b"x", b"y")]
    with h2_frames.connect(up.port) as connection:
        connection.sendall(h2_frames.request(fields, HIDDEN))
        assert any(kind == h2_frames.HEADERS for kind, *_ in h2_frames.frames(connection))
    parsed = one_request(recorder.only())
    assert (parsed.method, parsed.target, parsed.body) == ("POST", "/front", HIDDEN)
    assert parsed.values("cookie") == [b"a=1; b=2"]
    assert not any(name.startswith(":") for name, _ in parsed.fields)
    assert parsed.values("transfer-encoding") == [b"chunked"] and not parsed.values("content-length")
