"""A server of key sets for tests: over real sockets, with or without TLS, well or ill as the test says."""

import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class KeyServer:
    """What the server answers next, and whom it has heard. `url` is where its key set is."""

    port: int = 0
    scheme: str = "http"
    status: int = 200
    content: bytes = b'{"keys": []}'
    headers: dict[str, str] = field(default_factory=dict)
    seconds_per_byte: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/jwks.json"

    def give(self, keys: Sequence[Mapping[str, Any]]) -> None:
        """Answer with these keys from now on."""
        self.status, self.content = 200, json.dumps({"keys": list(keys)}).encode()


@contextmanager
def key_server(tls: ssl.SSLContext | None = None) -> Iterator[KeyServer]:
    """A KeyServer on a port of its own."""
    served = KeyServer(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.headers["host"], self.path))
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            if served.seconds_per_byte:
                self.end_headers()
                self._drip()
                return
            self.send_header("content-length", str(len(served.content)))
            self.end_headers()
            self.wfile.write(served.content)

        def _drip(self) -> None:
            for byte in served.content:
                self.wfile.write(bytes([byte]))
                time.sleep(served.seconds_per_byte)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # the caller may leave in the middle
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
