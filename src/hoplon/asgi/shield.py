"""`Shield`: ASGI middleware that judges an application's traffic in its own process, with the engine of the gateway.

It begins each transaction and decides what becomes of a request that cannot be judged at all.
"""

import time
from os import PathLike
from pathlib import Path

from hoplon._native import Exchange
from hoplon.asgi.http import HttpPassage
from hoplon.asgi.judging import Judging
from hoplon.asgi.loaded import Loaded
from hoplon.asgi.settings import App, Clock, Counts, FailMode, Mode, OnEnd, Receive, Scope, Send
from hoplon.asgi.target import body_bytes, judged_scope, raw_target
from hoplon.asgi.websocket import POLICY_VIOLATION, WebSocketPassage

REQUEST_ID = "hoplon.request_id"
"""Where the application finds the request's id in its scope, for its own log."""
_FAILED = b'{"type":"urn:hoplon:engine_failed","title":"The request could not be judged.","status":500}'


def now_micros() -> int:
    """The system's clock: microseconds since 1970."""
    return time.time_ns() // 1000


class Shield:
    """An ASGI 3 application around `app`.

    `bundles` is the folder of that name in a state directory; what is put in place there is taken within a second, and
    what does not load is refused while the bundle before stays. Without any, every request is answered with 503.
    `mode` overrides the switch that lies beside the bundle. `key`: the 32 bytes of `keys/records.key`, found by itself
    beside `bundles`. `fail` says what becomes of a request that the engine itself fails on (never closed outside of the
    mode `enforce`). `on_end` gets every transaction, as `Engine.inspect` gives it. `clock` is for tests.

    Raises `HoplonError` (`shield.no_bundles`) when there is no such folder. Thread- and fork-safe; counters of limits
    are held in this process alone.
    """

    def __init__(
        self,
        app: App,
        *,
        bundles: str | PathLike[str],
        mode: Mode | None = None,
        key: bytes | None = None,
        fail: FailMode = "closed",
        on_end: OnEnd | None = None,
        clock: Clock = now_micros,
    ) -> None:
        if mode not in (None, "enforce", "log", "off") or fail not in ("open", "closed"):
            raise ValueError("mode is enforce, log or off; fail is open or closed")
        self.counts = Counts()
        self._app = app
        self._fail: FailMode = fail
        self._on_end = on_end
        self._clock = clock
        self._loaded = Loaded(Path(bundles), key, mode, self.counts)

    @property
    def bundle(self) -> str:
        """The hash of the bundle in force: SHA-256 of its manifest, in hex."""
        return self._loaded.engine.bundle

    def refresh(self) -> None:
        """Take the bundle and the mode that are in place now, without waiting for the watch."""
        self._loaded.look()

    def close(self) -> None:
        """End the watch over the folder; what is in force stays."""
        self._loaded.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind in ("http", "websocket"):
            await self._serve(scope, receive, send, is_websocket=kind == "websocket")
            return
        self._loaded.begin()
        await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, is_websocket: bool) -> None:
        self._loaded.begin()
        mode = self._loaded.mode
        self.counts.requests += 1
        judging = Judging(mode, self._fail, self.counts, self._clock, self._on_end)
        raw, length = raw_target(scope), 0 if is_websocket else body_bytes(scope)
        judging.is_request_complete = length == 0
        try:
            exchange = self._begin(scope, raw, length, mode)
            judged = judged_scope(scope, raw, exchange.target)
            judged[REQUEST_ID] = exchange.id
        except Exception:  # noqa: BLE001 - logged and counted there; an application must not fall with its shield
            if judging.passes_failed():
                await self._app(scope, receive, send)
            else:
                await _fail(send, is_websocket)
            return
        passage = (WebSocketPassage if is_websocket else HttpPassage)(judging, exchange, judged, receive, send)
        await passage.run(self._app)

    def _begin(self, scope: Scope, raw: bytes, length: int | None, mode: Mode) -> Exchange:
        client = scope.get("client")
        return self._loaded.engine.begin(
            self._clock(),
            scope.get("method", "GET"),  # a WebSocket's handshake has no other
            raw,
            headers=scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"]),
            client=client[0] if client else None,
            scheme=scope.get("scheme", "http"),
            http_version=scope.get("http_version", "1.1"),
            body_bytes=length,
            mode=mode,
        )


async def _fail(send: Send, is_websocket: bool) -> None:
    """The answer to a request of which not even an id is known."""
    if is_websocket:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _FAILED})
