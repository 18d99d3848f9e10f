"""A tap between a client and a server: forwards every byte as it is, and writes down the HTTP/1.1 exchanges it saw.

Takes a connection, gives `Exchange` values. It stands in the same place in the direct run and in the run through the
gateway, so that both are seen with the same eyes, and by something that is not Hoplon.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import h11


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response as they passed."""

    method: str
    target: str
    status: int
    content_type: str
    header_names: frozenset[str]


class Conversation:
    """Both directions of one connection, parsed alongside; never touches the bytes that are forwarded."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.fault: str | None = None
        self._as_server = h11.Connection(h11.SERVER)
        self._as_client = h11.Connection(h11.CLIENT)
        self._request: h11.Request | None = None
        self._is_over = False

    def from_client(self, data: bytes) -> None:
        self._read(self._as_server, self._as_client, data)

    def from_server(self, data: bytes) -> None:
        self._read(self._as_client, self._as_server, data)

    def _read(self, reader: h11.Connection, other: h11.Connection, data: bytes) -> None:
        """Events read on one side are replayed into the other, so that both know the whole state."""
        if self._is_over or self.fault:
            return
        try:
            reader.receive_data(data)
            self._drain(reader, other)
        except h11.ProtocolError as error:
            self.fault = str(error)

    def _drain(self, reader: h11.Connection, other: h11.Connection) -> None:
        while not self._is_over:
            event = reader.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return
            if isinstance(event, h11.ConnectionClosed):
                self._is_over = True
                return
            other.send(event)  # type: ignore[arg-type]
            self._note(event)
            if self._as_server.our_state is self._as_server.their_state is h11.DONE:
                self._as_server.start_next_cycle()
                self._as_client.start_next_cycle()
                self._drain(self._as_server, self._as_client)

    def _note(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._request = event
        elif isinstance(event, h11.Response) or (isinstance(event, h11.InformationalResponse) and _is_switch(event)):
            self._answered(event)
            self._is_over = _is_switch(event)

    def _answered(self, response: h11.Response | h11.InformationalResponse) -> None:
        if not self._request:
            self.fault = "a response without a request"
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in response.headers}
        self.exchanges.append(
            Exchange(
                self._request.method.decode(),
                self._request.target.decode(),
                response.status_code,
                headers.get("content-type", ""),
                frozenset(headers),
            )
        )


class Tap:
    """Listens on a free port of 127.0.0.1 and forwards to a target that can be changed between runs."""

    def __init__(self) -> None:
        self.target_port = 0
        self.port = 0
        self._conversations: list[Conversation] = []
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server:
            self._server.close()

    def take(self) -> tuple[list[Exchange], list[str]]:
        """What was seen since the last call: the exchanges, and what could not be parsed."""
        seen, self._conversations = self._conversations, []
        exchanges = [exchange for conversation in seen for exchange in conversation.exchanges]
        return exchanges, [conversation.fault for conversation in seen if conversation.fault]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation()
        self._conversations.append(conversation)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            _pump(reader, to_server, conversation.from_client), _pump(from_server, writer, conversation.from_server)
        )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Callable[[bytes], None]) -> None:
    try:
        while data := await reader.read(65536):
            look(data)
            writer.write(data)
            await writer.drain()
        look(b"")
    except ConnectionError:
        pass
    finally:
        writer.close()


def _is_switch(event: h11.Response | h11.InformationalResponse) -> bool:
    return event.status_code == 101
