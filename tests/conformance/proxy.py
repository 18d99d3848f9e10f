"""A proxy that keeps every exchange: put between other people's tests and a server, so that each answer is judged."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from support.contract import Exchange

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class RecordingProxy(ThreadingHTTPServer):
    """Hands every request on to `upstream_port` and the answer back; `exchanges` is what has passed. What begins like a
    key of `moved` is asked below its value instead."""

    daemon_threads = True

    def __init__(self, upstream_port: int, moved: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream_port = upstream_port
        self.moved = moved
        self.exchanges: list[Exchange] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RecordingProxy

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=60)

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the caller has left
            self.close_connection = True

    def _pass_on(self) -> None:
        body = self._body()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        target = self._target()
        self._upstream.request(self.command, target, body, headers)
        answer = self._upstream.getresponse()
        content = answer.read()
        path = target.partition("?")[0]
        kind = answer.getheader("content-type", "")
        self.server.exchanges.append(Exchange(self.command, path, answer.status, kind, content))
        self._give_back(answer, content)

    def _target(self) -> str:
        for begin, instead in self.server.moved.items():
            if self.path.startswith(begin):
                return instead + self.path.removeprefix(begin)
        return self.path

    def _body(self) -> bytes | None:
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        length = self.headers.get("content-length")
        return None if length is None else self.rfile.read(int(length))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _give_back(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the exchanges are the log."""


@contextmanager
def recording(upstream_port: int, moved: Mapping[str, str] = MappingProxyType({})) -> Iterator[RecordingProxy]:
    """A RecordingProxy that runs for the block."""
    proxy = RecordingProxy(upstream_port, moved)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
