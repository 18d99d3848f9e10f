"""One HTTP request between server and application: judged before the application sees what may not pass.

Takes ASGI messages on both sides. A body is held back only where a rule needs it, and only as far as that.
"""

from collections import deque
from collections.abc import Callable

from hoplon._native import Exchange
from hoplon.asgi.judging import Judging
from hoplon.asgi.settings import App, Message, Receive, Scope, Send

_GONE: Message = {"type": "http.disconnect"}


class HttpPassage:
    """See the module. `run` serves the request; the application is given `receive` and `send`."""

    def __init__(self, judging: Judging, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self._judging = judging
        self._exchange = exchange
        self._scope = scope
        self._from_client = receive
        self._to_client = send
        self._ready: deque[Message] = deque()
        self._held: Message | None = None
        self._judges_pieces = False
        self._has_begun = False
        self._is_stopped = False

    async def run(self, app: App) -> None:
        """Serve the request. Whatever `app` raises goes on to the server."""
        step: str = self._exchange.next
        try:
            if step == "whole":
                step = await self._collect()
            if step == "stop":
                await self._answer()
            elif step != "gone":
                self._judges_pieces = step == "pieces"
                await app(self._scope, self.receive, self.send)
        finally:
            self._judging.end(self._exchange)

    async def receive(self) -> Message:
        """The next message for the application."""
        if self._ready:
            return self._ready.popleft()
        if self._is_stopped:
            return dict(_GONE)
        message = await self._from_client()
        if message["type"] != "http.request":
            return message
        self._take(message)
        return await self._judge_piece(message) if self._judges_pieces else message

    async def send(self, message: Message) -> None:
        """A message of the application; after a stop it is thrown away."""
        if self._is_stopped:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
            return
        if message["type"] == "http.response.body":
            self._judging.response_bytes += len(message.get("body", b""))
        await self._to_client(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            # Work that the application does after its response is no part of the transaction.
            self._judging.end(self._exchange)

    async def _collect(self) -> str:
        """Hold the body back until the engine has decided: its word, or `gone` when the client is."""
        while True:
            message = await self._from_client()
            if message["type"] != "http.request":
                return "gone"
            self._take(message)
            self._ready.append(message)
            step = self._step_of(message)
            if step != "whole":
                return step

    async def _judge_piece(self, message: Message) -> Message:
        """The piece before this one: the last piece reaches the application only when the whole body may pass."""
        while True:
            step = self._step_of(message)
            if step == "stop":
                await self._answer()
                return dict(_GONE)
            if step == "pass":
                self._judges_pieces = False
                self._ready.append(message)
                return self._ready.popleft() if self._held is None else self._held
            before, self._held = self._held, message
            if before is not None:
                return before
            message = await self._from_client()
            if message["type"] != "http.request":
                return message
            self._take(message)

    def _take(self, message: Message) -> None:
        """Count a piece of the request's body."""
        self._judging.request_bytes += len(message.get("body", b""))
        self._judging.is_request_complete = not message.get("more_body", False)

    def _step_of(self, message: Message) -> str:
        piece, is_last = message.get("body", b""), not message.get("more_body", False)
        return self._judge(lambda: self._exchange.request_body(piece, is_last))

    async def _begin(self, message: Message) -> None:
        """The head of the application's response: judged, and sent with the request's id."""
        status, headers = message["status"], list(message.get("headers", ()))
        self._judging.answered = status
        if self._judge(lambda: self._exchange.response_head(status, headers, _length(headers))) != "pass":
            await self._answer()
            return
        self._judging.status = status
        self._has_begun = True
        await self._to_client({**message, "headers": [*headers, *self._exchange.fields()]})

    async def _answer(self) -> None:
        """Answer in the application's place; where its response has begun, the connection just ends."""
        self._is_stopped = True
        self._held = None
        self._ready.clear()
        if self._has_begun:
            return
        status, headers, body = self._exchange.answer(failed=self._judging.has_failed)
        self._judging.status, self._judging.response_bytes = status, len(body)
        content = b"" if self._scope["method"] == "HEAD" else body
        await self._to_client({"type": "http.response.start", "status": status, "headers": headers})
        await self._to_client({"type": "http.response.body", "body": content})

    def _judge(self, step: Callable[[], str]) -> str:
        return self._judging.step(step)


def _length(headers: list[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit() and len(value) < 19:
            return int(value)
    return None
