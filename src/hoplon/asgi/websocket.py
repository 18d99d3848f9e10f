"""One WebSocket between server and application: its handshake is a request like any, its frames are not seen."""

from hoplon._native import Exchange
from hoplon.asgi.judging import Judging
from hoplon.asgi.settings import App, Message, Receive, Scope, Send

POLICY_VIOLATION = 1008
"""RFC 6455 §7.4.1; before the handshake is accepted servers answer 403 for it."""
_DENIAL = "websocket.http.response"
SWITCHING_PROTOCOLS = 101


class WebSocketPassage:
    """See the module."""

    def __init__(self, judging: Judging, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self._judging = judging
        self._exchange = exchange
        self._scope = scope
        self._from_client = receive
        self._to_client = send
        self._is_stopped = False

    async def run(self, app: App) -> None:
        """Serve it until it is closed. Whatever `app` raises goes on to the server."""
        try:
            if self._exchange.next == "stop":
                await self._from_client()  # the server's `websocket.connect`, which comes before any answer
                await self._deny()
            else:
                await app(self._scope, self.receive, self.send)
        finally:
            self._judging.end(self._exchange)

    async def receive(self) -> Message:
        """The next message for the application."""
        if self._is_stopped:
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
        return await self._from_client()

    async def send(self, message: Message) -> None:
        """A message of the application; after a stop it is thrown away."""
        if self._is_stopped:
            return
        match message["type"]:
            case "websocket.accept":
                status = SWITCHING_PROTOCOLS
            case "websocket.http.response.start":
                status = message["status"]
            case _:
                await self._to_client(message)
                return
        headers = list(message.get("headers", ()))
        self._judging.answered = status
        if self._judging.step(lambda: self._exchange.response_head(status, headers, 0)) != "pass":
            await self._deny()
            return
        self._judging.status = status
        self._judging.upgraded = status == SWITCHING_PROTOCOLS
        await self._to_client(message)

    async def _deny(self) -> None:
        """Answer the handshake where the server can be told what with, else close it."""
        self._is_stopped = True
        if _DENIAL not in (self._scope.get("extensions") or {}):
            self._judging.status = 403
            await self._to_client({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        status, headers, body = self._exchange.answer(failed=self._judging.has_failed)
        self._judging.status = status
        await self._to_client({"type": f"{_DENIAL}.start", "status": status, "headers": headers})
        await self._to_client({"type": f"{_DENIAL}.body", "body": body})
