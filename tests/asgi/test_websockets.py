"""WebSockets: the handshake is judged, an accepted one goes on untouched, a blocked one never gets that far."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon.asgi import Shield
from hoplon.asgi.settings import Message
from support.asgi import BLOCKING, http_scope, put_in_place, talk

CONNECT: Message = {"type": "websocket.connect"}


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return put_in_place(tmp_path / "state", BLOCKING)


def websocket_scope(path: str, **more: Any) -> dict[str, Any]:
    scope = http_scope(path, **more)
    del scope["method"]
    return {**scope, "type": "websocket", "scheme": "ws", "subprotocols": []}


async def greeter(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-own", b"1")]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def test_an_allowed_handshake_is_accepted_and_frames_pass(bundles: Path) -> None:
    ended = list[Any]()
    messages: list[Message] = [CONNECT, {"type": "websocket.receive", "text": "hi"}]
    answered = talk(Shield(greeter, bundles=bundles, on_end=ended.append), websocket_scope("/items/1"), messages)
    assert [message["type"] for message in answered.messages] == ["websocket.accept", "websocket.send"]
    record = ended[0]["record"]
    assert (record["status"], record["upgraded"], record["method"]) == (101, True, "GET")


def test_a_blocked_handshake_is_closed_or_answered_where_the_server_can(bundles: Path) -> None:
    shield = Shield(greeter, bundles=bundles)
    closed = talk(shield, websocket_scope("/debug"), [CONNECT])
    assert closed.messages == [{"type": "websocket.close", "code": 1008}]
    denied = talk(shield, websocket_scope("/debug", extensions={"websocket.http.response": {}}), [CONNECT])
    start, body = denied.messages
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert b"urn:hoplon:blocked" in body["body"]
    assert shield.counts.blocked == 2
