"""Upstreams that fail: the client gets a problem document whose id leads to the record; the healthy ones go on."""

import contextlib
import socket
import time
from collections.abc import Callable

import pytest

from gateway.conftest import Zone
from support.installation import await_true
from support.upstream import Script, Upstream, answering, polite, read_until

MakeZone = Callable[..., Zone]


def slow(connection: socket.socket, _head: bytes) -> None:
    time.sleep(2.0)


def early(connection: socket.socket, _head: bytes) -> None:
    """Answers a request whose body it never reads, and closes."""
    connection.sendall(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\nconnection: close\r\n\r\nslow")


FAULTS: list[tuple[str, Script, int, str]] = [
    ("slow", slow, 504, "upstream.read_timeout"),
    ("closing", answering(b""), 502, "upstream.closed_early"),
    ("half a head", answering(b"HTTP/1.1 200 O"), 502, "upstream.closed_early"),
    ("garbage", answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), 502, "upstream.invalid_response"),
    ("a header too strange", answering(b"HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n"), 502, "upstream.invalid_response"),
    ("two lengths", answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), 502, "upstream"),
]


@pytest.mark.parametrize(("script", "status", "code"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_a_problem_document_whose_id_leads_to_the_record(
    zone: MakeZone, script: Script, status: int, code: str
) -> None:
    broken = zone(script, read_seconds=0.5)
    answer = broken.get("/things/7")
    assert answer.status == status
    assert answer.problem["type"].startswith(f"urn:hoplon:{code}")
    assert answer.problem["request_id"] == answer.id
    record = broken.up.record(answer.id)
    assert (record["status"], record["upstream_status"], record["host"]) == (status, None, broken.host)
    assert f"urn:hoplon:{record['error']}" == answer.problem["type"]


def test_an_upstream_that_is_not_there_is_502_until_it_is(zone: MakeZone) -> None:
    alone = zone(polite)
    port = alone.upstreams[0].port
    alone.upstreams[0].close()
    missing = alone.get()
    assert (missing.status, missing.problem["type"]) == (502, "urn:hoplon:upstream.connect_failed")
    assert alone.up.record(missing.id)["error"] == "upstream.connect_failed"
    alone.upstreams[0] = Upstream(polite, port)
    assert alone.get().status == 200


def test_an_answer_before_the_request_ends_arrives(zone: MakeZone) -> None:
    hasty = zone(early)
    with socket.create_connection(("127.0.0.1", hasty.up.port), timeout=10) as client:
        client.sendall(f"POST /big HTTP/1.1\r\nhost: {hasty.host}\r\ncontent-length: 50000000\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            client.sendall(b"x" * 100_000)
        head = read_until(client, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 ")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    record = hasty.up.record(lines[b"hoplon-request-id"].decode())
    assert (record["status"], record["upstream_status"]) == (429, 429)


def test_failing_upstreams_are_left_out_and_come_back_by_themselves(zone: MakeZone) -> None:
    # Half of them: with fewer healthy ones than that, health would be ignored.
    four = zone(polite, answering(b"garbage\r\n\r\n"), polite, polite)
    dead, babbling, *_ = four.upstreams
    dead.close()
    statuses = [four.get(f"/{n}").status for n in range(30)]
    # A refused connection is tried elsewhere, nothing was sent yet; what was sent once is not sent again.
    assert statuses.count(502) == len(babbling.heads) == 3
    assert statuses[-15:] == [200] * 15
    assert [four.up.metric("hoplon_upstream_ejections_total", upstream=u.url) for u in four.upstreams] == [1, 1, 0, 0]
    assert dead.url in four.up.doctor()["upstream.unreachable"]
    babbling.close()
    four.upstreams[:2] = revived = [Upstream(polite, dead.port), Upstream(polite, babbling.port)]

    def both_were_asked() -> bool:
        assert four.get("/again").status == 200
        return all(upstream.heads for upstream in revived)

    await_true(both_were_asked, "left out for 5 s, then probed with the next request", 9.0)
