"""Requests broken at random: what passes is the same single request for every parser, from the bytes the upstream saw.

Each case is a well-formed request with one to three changes, and a second request behind it on the same connection.
"""

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.installation import Installation
from support.wire import Parsed, Recorder, exchange, has_node, is_cut_off, one_request, read_by_h11, read_by_node

CASES = 4000 if os.environ.get("HOPLON_EVAL") else 400
SEED = 20261121
CLIENTS = 16

BASES = (
    b"GET /a?b=c HTTP/1.1\r\nHost: any.test\r\nAccept: */*\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: any.test\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST /a HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x\r\n world\r\n0\r\n\r\n",
    b"PUT /a/b HTTP/1.0\r\nHost: any.test\r\nContent-Length: 2\r\n\r\nok",
)
BEHIND = b"GET /behind HTTP/1.1\r\nHost: any.test\r\nConnection: close\r\n\r\n"

BYTES = (*(bytes((byte,)) for byte in b"\r\n \t\x00\x0b\x7f\xff:;,0+-_#\\"), b"\r\n", b"%0a")
FIELDS = (
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"content-length: 11\r\n",
    b"Content_Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding: CHUNKED\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"X: y\r\n z\r\n",
    b"Host: other.test\r\n",
    b"Connection: close\r\n",
    b"Connection: content-length, host\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
    b"Expect: 100-continue\r\n",
    b"X-Forwarded-For: 1.2.3.4\r\n",
    b"Trailer: x\r\n",
    b"TE: trailers, chunked\r\n",
    b"Cookie: a=b\r\nCookie: c=d\r\n",
)

Change = Callable[[random.Random, bytes], bytes]


def _insert(dice: random.Random, text: bytes) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + dice.choice(BYTES) + text[at:]


def _replace(dice: random.Random, text: bytes) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + dice.choice(BYTES) + text[at + 1 :]


def _drop(dice: random.Random, text: bytes) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + text[at + 1 :]


def _field(dice: random.Random, text: bytes) -> bytes:
    ends = [at + 2 for at in range(len(text) - 1) if text.startswith(b"\r\n", at)]
    at = dice.choice(ends[:4] or [0])
    return text[:at] + dice.choice(FIELDS) + text[at:]


def _line_break(dice: random.Random, text: bytes) -> bytes:
    parts = text.split(b"\r\n")
    at = dice.randrange(1, len(parts)) if len(parts) > 1 else 0
    return b"\r\n".join(parts[:at]) + dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r\n")) + b"\r\n".join(parts[at:])


def _case_of_names(dice: random.Random, text: bytes) -> bytes:
    return text.swapcase() if dice.random() < 0.1 else text.replace(b"Host", b"hOST").replace(b"Content", b"cONTENT")


CHANGES: tuple[Change, ...] = (_insert, _replace, _drop, _field, _field, _line_break, _case_of_names)


def broken(dice: random.Random) -> bytes:
    text = dice.choice(BASES)
    for _ in range(dice.randint(1, 3)):
        text = dice.choice(CHANGES)(dice, text)
    return text


def _is_for_all(parsed: Parsed) -> bool:
    """llhttp knows methods by a list; a request with another one is refused by it, not misread."""
    return parsed.method in {"GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"}


def test_what_passes_is_one_request_for_every_parser(gateway: tuple[Installation, Recorder]) -> None:
    up, recorder = gateway
    dice = random.Random(SEED)
    cases = [broken(dice) + BEHIND for _ in range(CASES)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda sent: exchange(up.port, sent, patience_seconds=1.0), cases))
    whole = [raw for raw in recorder.seen if not is_cut_off(raw)]
    passed = [raw for raw in whole if _is_for_all(read_by_h11(raw))]
    read = [one_request(raw) for raw in passed]
    assert len(read) > CASES / 4, "too few pass for this to say anything"
    assert any(answer.startswith(b"HTTP/1.1 400") for answer in answers)
    for parsed in read:
        ids = parsed.values("hoplon-request-id")
        assert len(ids) == 1 and len(parsed.values("host")) == 1, parsed
        assert len(parsed.values("content-length")) + len(parsed.values("transfer-encoding")) <= 1, parsed
    judged = {parsed.values("hoplon-request-id")[0] for parsed in read}
    assert len(judged) == len(read), "each was judged by itself"
    if has_node():
        assert read_by_node(passed) == read
    elif os.environ.get("HOPLON_EVAL"):
        pytest.fail("Node's parser is part of the full suite")
