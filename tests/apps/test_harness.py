"""The harness must notice what a gateway could change: it is only worth as much as the differences it finds."""

import asyncio
from collections import Counter
from collections.abc import Iterable

import pytest

pytest.importorskip("h11", reason="the tap reads HTTP with h11")

from apps import comparison
from apps.applications import KINTO
from apps.comparison import Run
from apps.descriptions import Description, Operation, fit, operations_of
from apps.pocketbase import routes
from apps.report import Outcome, Written, judge
from apps.tap import Conversation, Exchange, Tap

ITEMS = Description([Operation("GET", "/items/{id}"), Operation("GET", "/items/new"), Operation("POST", "/items/")])


def exchange(method: str, target: str, status: int = 200, headers: Iterable[str] = ("content-type",)) -> Exchange:
    return Exchange(method, target, status, "application/json", frozenset(headers))


def run(*exchanges: Exchange, lines: Iterable[str] = (), codes: tuple[int, ...] = (0,)) -> Run:
    return Run(Counter(lines), codes, exchanges)


@pytest.mark.parametrize(
    ("method", "target", "template"),
    [
        ("GET", "/items/7?full=1", "/items/{id}"),
        ("GET", "/items/new", "/items/new"),
        ("HEAD", "/items/7", "/items/{id}"),
        ("POST", "/items", "/items/"),
        ("GET", "/items/7/parts", None),
        ("DELETE", "/items/7", None),
    ],
)
def test_a_request_belongs_to_the_most_literal_operation(method: str, target: str, template: str | None) -> None:
    operation = ITEMS.operation_of(method, target)
    assert (operation.template if operation else None) == template


def test_a_spanning_variable_holds_slashes() -> None:
    templates = ("/files/{path}", "/files/{path}/versions")
    files = Description([Operation("GET", each) for each in templates], spanning=frozenset({"path"}))
    assert files.operation_of("GET", "/files/a/b.txt/versions") == Operation("GET", "/files/{path}/versions")
    assert files.operation_of("GET", "/files/a/b.txt")
    assert files.operation_of("GET", "/files/")


def test_operations_are_read_with_their_base_path() -> None:
    document = {"basePath": "/v1", "paths": {"/a": {"get": {}, "parameters": []}, "/b": {"post": {}}}}
    assert operations_of(document) == [Operation("GET", "/v1/a"), Operation("POST", "/v1/b")]
    assert operations_of({"paths": {"/a": {"get": {}}}}, "/api") == [Operation("GET", "/api/a")]


@pytest.mark.parametrize(
    ("method", "template", "expected"),
    [
        ("GET", "/items/{var1}", "same"),
        ("GET", "/items/new", "same"),
        ("GET", "/items/77", "narrower"),
        ("GET", "/{var1}/new", "wider"),
        ("GET", "/parts/{var1}", "unknown"),
        ("PUT", "/items/{var1}", "unknown"),
    ],
)
def test_a_seen_operation_is_held_against_the_description(method: str, template: str, expected: str) -> None:
    assert fit(ITEMS, method, template)[0] == expected


def test_a_different_status_a_lost_and_a_doubled_request_are_differences() -> None:
    direct = run(exchange("GET", "/items/1"), exchange("GET", "/items/2"), exchange("POST", "/items/", 201))
    through = run(exchange("GET", "/items/3"), exchange("POST", "/items/", 502), exchange("POST", "/items/", 201))
    before, after = (comparison.exchanges_seen(ITEMS, each) for each in (direct, through))
    assert comparison.differences(before, after) == [
        "GET /items/{id} 200: 2 before, 1 after",
        "POST /items/ 502: 0 before, 1 after",
    ]
    assert not comparison.differences(before, before)


def test_other_lines_and_exit_codes_are_differences() -> None:
    direct, through = run(lines=["created", "done"]), run(lines=["created", "502"], codes=(1,))
    assert comparison.line_differences(direct, through) == [
        "only direct: done",
        "only through the gateway: 502",
        "exit codes (0,) direct, (1,) through the gateway",
    ]


def test_a_lost_response_header_is_a_difference_and_the_request_id_is_none() -> None:
    direct = run(exchange("GET", "/items/1", headers=("etag", "connection")))
    through = run(exchange("GET", "/items/1", headers=("hoplon-request-id",)))
    assert comparison.header_differences(ITEMS, direct, through) == ["GET /items/{id} 200: etag"]


def test_a_conversation_reads_requests_byte_by_byte_up_to_the_upgrade() -> None:
    conversation = Conversation()
    for byte in b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi":
        conversation.from_client(bytes([byte]))
    for byte in b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n":
        conversation.from_server(bytes([byte]))
    conversation.from_client(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    conversation.from_server(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00"
    )
    conversation.from_client(b"\x81\x80\x00\x00\x00\x00")
    assert [(e.method, e.target, e.status) for e in conversation.exchanges] == [
        ("POST", "/a", 201),
        ("GET", "/ws", 101),
    ]
    assert conversation.fault is None


def test_the_tap_forwards_bytes_as_they_are_even_when_they_are_no_http() -> None:
    async def scenario() -> tuple[bytes, list[str]]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(4))
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        tap = Tap()
        await tap.start()
        tap.target_port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
        writer.write(b"\x00\x01\r\n")
        answer = await reader.read()
        writer.close()
        tap.stop()
        server.close()
        return answer, tap.take()[1]

    answer, faults = asyncio.run(scenario())
    assert answer == b"\x00\x01\r\n"
    assert len(faults) == 1


def outcome(*exchanges: Exchange, written: Written | None = None) -> Outcome:
    return Outcome(run(*exchanges), ITEMS, (), written)


def record(path: str, status: int = 200) -> dict[str, object]:
    return {"method": "GET", "path": path, "status": status}


def test_hoplons_records_are_held_against_what_passed() -> None:
    passed = [exchange("GET", "/items/1"), exchange("GET", "/items/2")]
    seen = ({"method": "GET", "path": "/items/{var1}"},)
    whole = outcome(*passed, written=Written((record("/items/1"), record("/items/2")), seen))
    assert judge(KINTO, outcome(*passed), whole).problems == ()
    lost = outcome(*passed, written=Written((record("/items/1"),), seen))
    assert judge(KINTO, outcome(*passed), lost).problems == ("records: GET /items/{id} 200: 2 before, 1 after",)


def test_an_operation_that_was_called_and_not_seen_is_a_problem_and_one_that_failed_is_none() -> None:
    passed = [exchange("GET", "/items/1"), exchange("POST", "/items/", 403)]
    records = (record("/items/1"), {"method": "POST", "path": "/items/", "status": 403})
    report = judge(KINTO, outcome(*passed), outcome(*passed, written=Written(records, ())))
    assert report.problems == ("called with success, but not seen: GET /items/{id}",)
    assert (report.described, report.exercised) == (3, 2)


def test_routes_are_read_from_source_with_their_groups() -> None:
    source = """
	sub := rg.Group("/files")
	sub.POST("/token", api.fileToken).Bind(RequireAuth())
	rg.GET("/health", check)
	other := elsewhere.Group("/x")
	other.GET("/y", z)
"""
    assert routes(source) == [("POST", "/files/token"), ("GET", "/health")]
