"""The API of a workspace over real HTTP: the server in a thread of this process, on a port of its own."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from hoplon.api.app import create_app
from hoplon.api.auth import Authorise, Caller, Groups, RequestFacts
from hoplon.model.actor import Actor
from hoplon.service.workspace import Workspace
from hoplon.settings.fields import ApiSettings
from support.recording import Recorded, complaints

TESTER = Actor("token", "0" * 32, "tester", "127.0.0.1")


@dataclass(frozen=True)
class Reply:
    """One answer. `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def result(self) -> Any:
        """The result of a success; an AssertionError with the errors for a failure."""
        assert self.json["success"], (self.status, self.json["errors"])
        return self.json["result"]

    @property
    def error(self) -> Any:
        """The first error of a failure."""
        assert not self.json["success"], self.json
        assert self.json["result"] is None
        return self.json["errors"][0]


@dataclass(frozen=True)
class Client:
    """Asks one API. `token` is sent as a bearer token, unless None."""

    host: str
    port: int
    token: str | None = "any"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own; `body` is sent as JSON, `content` as it is."""
        sent = {"Content-Type": "application/json"} if body is not None or content is not None else {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            data = content if content is not None else json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data, {**sent, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Reply:
        return self.ask("GET", path, **more)


def anyone(workspace: Workspace, facts: RequestFacts, groups: Groups) -> Caller:
    """Authorises every request, for tests of what comes after."""
    return Caller(TESTER)


class Server(uvicorn.Server):
    """uvicorn, telling the application that it is about to end."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


@contextmanager
def serving(
    workspace: Workspace, authorise: Authorise | None = anyone, settings: ApiSettings | None = None, **hooks: Any
) -> Iterator[Client]:
    """A client of the API of `workspace`, which is served until the block ends; then every answer is held against the
    documents that promise its form."""
    app = create_app(workspace, settings or ApiSettings(), authorise=authorise, **hooks)
    recorded = Recorded(app)
    config = uvicorn.Config(
        recorded, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none", proxy_headers=False
    )
    server = Server(config, app.stopping)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Client("127.0.0.1", port)
    finally:
        server.should_exit = True
        thread.join(10)
        app.close()
    found = list(complaints(recorded.exchanges))
    assert not found, found
