"""The API of a workspace over real HTTP: the server in a thread of this process, on a port of its own."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hoplon.api.app import create_app
from hoplon.api.auth import Authorise, Caller, Groups, RequestFacts
from hoplon.api.server import server_of
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


@contextmanager
def serving(
    workspace: Workspace, authorise: Authorise | None = anyone, settings: ApiSettings | None = None, **hooks: Any
) -> Iterator[Client]:
    """A client of the API of `workspace`, which is served until the block ends; then every answer is held against the
    documents that promise its form."""
    app = create_app(workspace, settings or ApiSettings(), authorise=authorise, **hooks)
    recorded = Recorded(app)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    begun = threading.Event()
    server = server_of(recorded, None, begun.set, app.stopping)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert begun.wait(60), "the server did not start"
    port = listener.getsockname()[1]
    try:
        yield Client("127.0.0.1", port)
    finally:
        server.should_exit = True
        thread.join(10)
        app.close()
    found = list(complaints(recorded.exchanges))
    assert not found, found
