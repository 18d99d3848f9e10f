"""One visitor of the shop: a connection of its own through the gateway, and everything that was said over it.

Takes requests, gives `Answer`s to the visitor's script and `Exchange`s to whoever keeps the count. Plain HTTP/1.1 from
the standard library: the demo's client must not depend on anything that Hoplon brings.
"""

import http.client
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

REQUEST_ID_HEADER = "hoplon-request-id"
TIMEOUT_SECONDS = 10
BLOCKED = 403


class SentHomeError(Exception):
    """The crowd was sent home in the middle of a script."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as its sender saw it. `at` is in seconds of `time.monotonic`; status 0 means that no answer came."""

    at: float
    kind: str
    who: str
    method: str
    path: str
    status: int
    request_id: str | None
    is_blocked: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def request_id(self) -> str | None:
        return self.headers.get(REQUEST_ID_HEADER)

    @property
    def is_blocked(self) -> bool:
        """Hoplon's own answers are problem documents (RFC 9457); the shop never gives one."""
        return self.status == BLOCKED and self.headers.get("content-type", "").startswith("application/problem+json")


class Visitor:
    """Somebody with an address, a connection and perhaps a token. `pause` comes before each request and may stop it."""

    def __init__(self, kind: str, who: str, number: int, port: int, pause: Callable[[], None]) -> None:
        self.kind = kind
        self.who = who
        self.headers: dict[str, str] = {"user-agent": f"shop-demo/1 ({kind})"}
        self.exchanges: list[Exchange] = []
        self.visits = 0
        self._pause = pause
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=TIMEOUT_SECONDS, source_address=own_address(number)
        )

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, content: object = None) -> Answer:
        return self.send("POST", path, content)

    def send(self, method: str, path: str, content: object = None) -> Answer:
        """One request after a pause; a lost connection counts as status 0 and is opened anew for the next one."""
        self._pause()
        at = time.monotonic()
        try:
            answer = self._exchange(method, path, content)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            answer = Answer(0, {}, str(error).encode())
        seen = Exchange(at, self.kind, self.who, method, path, answer.status, answer.request_id, answer.is_blocked)
        self.exchanges.append(seen)
        return answer

    def close(self) -> None:
        self._connection.close()

    def _exchange(self, method: str, path: str, content: object) -> Answer:
        headers = dict(self.headers)
        body = None
        if content is not None:
            body = json.dumps(content).encode()
            headers["content-type"] = "application/json"
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        received = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, received)


def own_address(number: int) -> tuple[str, int] | None:
    """An address of one's own, so that visitors are distinct clients: Linux answers for all of 127.0.0.0/8."""
    return (f"127.0.0.{10 + number % 240}", 0) if sys.platform == "linux" else None
