"""Bodies: streamed where no rule asks for them, held back whole or by one piece where one does, bounded."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon.asgi import Shield
from support.asgi import BLOCKING, Answered, Echo, add_rules, ask, http_scope, put_in_place, talk

JSON = (b"content-type", b"application/json")
HOST = (b"host", b"api.test")
CHUNKED = (b"transfer-encoding", b"chunked")
INVALID_JSON = {
    "id": "json",
    "phase": "request_body",
    "fact": "hoplon.request.json.invalid",
    "action": "block",
    "violation": "json.invalid",
    "fail": "closed",
}
TRUNCATED = {
    "id": "limit",
    "phase": "request_body",
    "fact": "hoplon.request.body.truncated",
    "action": "block",
    "violation": "http.body_over_limit",
    "fail": "closed",
}


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    small = BLOCKING.replace("[operations]", "[zone.inspection]\nlimit_bytes = 65536\n[operations]")
    return put_in_place(tmp_path / "state", small)


def post(app: Any, pieces: list[bytes], *headers: tuple[bytes, bytes]) -> Answered:
    return ask(app, "/items", "POST", pieces, headers=[HOST, CHUNKED, *headers])


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


def test_without_a_rule_about_bodies_pieces_pass_as_they_come(bundles: Path) -> None:
    echo, ended = Echo(), list[Any]()
    answered = post(Shield(echo, bundles=bundles, on_end=ended.append), [b"one", b"two", b""])
    assert (answered.body, echo.pieces) == (b"onetwo", [b"one", b"two", b""])
    assert (ended[0]["record"]["request_bytes"], ended[0]["record"]["inspection"]) == (6, "none")


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_body_that_a_rule_needs_whole_is_judged_before_the_application_begins(bundles: Path, size: int) -> None:
    add_rules(bundles, [INVALID_JSON])
    for body, status in ((b'{"a": [1, 2]}', 200), (b'{"a": [1, 2}', 403)):
        echo = Echo()
        answered = post(Shield(echo, bundles=bundles), cut(body, size), JSON)
        assert answered.status == status
        assert echo.bodies == ([body] if status == 200 else [])
        assert (len(echo.scopes) == 1) is (status == 200)


def test_what_is_longer_than_the_limit_is_not_held(bundles: Path) -> None:
    add_rules(bundles, [INVALID_JSON])
    echo = Echo()
    answered = post(Shield(echo, bundles=bundles), cut(b"[" + b" " * 70_000 + b"]", 1000), JSON)
    assert (answered.status, json.loads(answered.body)["type"]) == (413, "urn:hoplon:body_over_limit")
    assert not echo.scopes
    add_rules(bundles, [{**INVALID_JSON, "id": "open", "fail": "open"}])


def test_a_body_that_is_judged_in_pieces_streams_but_for_its_last_piece(bundles: Path) -> None:
    add_rules(bundles, [TRUNCATED])
    echo = Echo()
    pieces = cut(b"x" * 60_000, 10_000)
    answered = post(Shield(echo, bundles=bundles), pieces)
    assert (answered.status, echo.pieces) == (200, pieces)
    shy = Echo()
    blocked = post(Shield(shy, bundles=bundles), cut(b"x" * 70_000, 10_000))
    assert (blocked.status, shy.bodies) == (403, [])
    assert shy.pieces == pieces[:5], "the application began, and never saw the end"


def test_a_client_that_leaves_while_its_body_is_held_back_is_forgotten(bundles: Path) -> None:
    add_rules(bundles, [INVALID_JSON])
    echo, ended = Echo(), list[Any]()
    scope = http_scope("/items", "POST", headers=[HOST, CHUNKED, JSON])
    piece = {"type": "http.request", "body": b'{"a":', "more_body": True}
    left = {"type": "http.disconnect"}
    answered = talk(Shield(echo, bundles=bundles, on_end=ended.append), scope, [piece, left])
    assert not answered.messages and not echo.scopes
    assert (ended[0]["record"]["status"], ended[0]["record"]["request_bytes"]) == (0, 5)


def test_a_stop_after_the_response_began_ends_the_connection_and_nothing_more(bundles: Path) -> None:
    add_rules(bundles, [TRUNCATED])

    async def eager(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] == "http.request":
            await send({"type": "http.response.body", "body": b".", "more_body": True})
        await send({"type": "http.response.body", "body": b"all of it"})

    answered = post(Shield(eager, bundles=bundles), cut(b"x" * 70_000, 10_000))
    assert answered.status == 200 and answered.body == b"....."
    assert answered.messages[-1]["more_body"]


def test_a_response_that_may_not_pass_is_answered_in_the_applications_place(tmp_path: Path) -> None:
    bundles = put_in_place(tmp_path / "own", BLOCKING.replace('fallthrough = "block"', 'fallthrough = "none"'))
    late = {
        "id": "late",
        "phase": "response_head",
        "fact": "cf.api_gateway.fallthrough_detected",
        "action": "block",
        "violation": "operations.fallthrough",
        "fail": "closed",
    }
    add_rules(bundles, [late])
    ended = list[Any]()
    shield = Shield(Echo(418, {"set-cookie": "secret=1"}), bundles=bundles, on_end=ended.append)
    answered = ask(shield, "/debug")
    assert answered.status == 403 and b"hello" not in answered.body
    assert "set-cookie" not in answered.headers
    assert (ended[0]["record"]["status"], ended[0]["record"]["upstream_status"]) == (403, 418)
    assert ask(shield, "/items/1").status == 418


def test_work_after_the_response_is_no_part_of_the_transaction(bundles: Path) -> None:
    now = 1_000_000

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        nonlocal now
        await send({"type": "http.response.start", "status": 200, "headers": []})
        now += 2500
        await send({"type": "http.response.body", "body": b"done"})
        now += 10**9

    ended = list[Any]()
    ask(Shield(slow, bundles=bundles, on_end=ended.append, clock=lambda: now))
    assert ended[0]["record"]["duration_us"] == 2500
