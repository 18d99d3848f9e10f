"""One attempt at a key set: a URL to bytes, bounded in size and time, whoever answers. `document` judges them."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin

import httpx2

from hoplon.errors import HoplonError
from hoplon.service.jwks.address import LookUp, Network, Target, find_target, system_look_up

MAX_BYTES = 256 * 1024
MAX_REDIRECTS = 3
CONNECT_SECONDS = 5.0
READ_SECONDS = 5.0
TOTAL_SECONDS = 15.0
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})")
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server gave, and for how many seconds it says that this holds (None: it does not say)."""

    content: bytes
    holds_seconds: int | None


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks servers for key sets. `networks` may be asked though they are not public; `ca_file` says who signs the
    certificates of servers, in place of the system's authorities."""

    networks: Sequence[Network] = ()
    ca_file: Path | None = None
    look_up: LookUp = system_look_up
    monotonic: Callable[[], float] = time.monotonic

    def fetch(self, url: str) -> Answer:
        """The key set at `url`. Raises `jwks.address`, `.unreachable`, `.slow`, `.too_large` and `.status`, each with a
        sentence that has nothing of the answer in it but its status."""
        deadline = self.monotonic() + TOTAL_SECONDS
        for _ in range(MAX_REDIRECTS + 1):
            target = find_target(url, self.networks, self.look_up)
            with httpx2.Client(verify=self._tls(), timeout=_TIMEOUT, trust_env=False, follow_redirects=False) as client:
                answer = self._ask(client, target, deadline)
            if isinstance(answer, Answer):
                return answer
            url = urljoin(url, answer)
        raise HoplonError("jwks.status", f"it redirects more than {MAX_REDIRECTS} times")

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except OSError as error:
            message = f"the authorities in {self.ca_file} cannot be read: {error.strerror or error}"
            raise HoplonError("jwks.unreachable", message, "see the setting `jwks.ca`") from None

    def _ask(self, client: httpx2.Client, target: Target, deadline: float) -> Answer | str:
        """The answer of one server, or where it redirects to."""
        headers = {
            "host": target.host_header,
            "accept": "application/jwk-set+json, application/json",
            "accept-encoding": "identity",
            "user-agent": "hoplon",
        }
        with _Cutter(deadline - self.monotonic()) as cutter:
            extensions = {"sni_hostname": target.host, "trace": cutter.trace}
            try:
                with client.stream("GET", target.url, headers=headers, extensions=extensions) as response:
                    if location := _redirect(response):
                        return location
                    _check_status(response)
                    answer = Answer(self._read(response, deadline), _holds_seconds(response))
            except httpx2.TimeoutException:
                raise _slow() from None
            except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
                raise _slow() if cutter.is_late else _unreachable(target, error) from None
            if cutter.is_late:
                raise _slow()  # what was read may end where the connection was cut
            return answer

    def _read(self, response: httpx2.Response, deadline: float) -> bytes:
        content = b""
        for piece in response.iter_raw():
            content += piece
            if len(content) > MAX_BYTES:
                raise HoplonError("jwks.too_large", f"it has more than {MAX_BYTES:,} bytes")
            if self.monotonic() > deadline:
                raise _slow()
        return content


class _Cutter:
    """Ends the connection when the time of the attempt is over, whatever it waits for: a server that sends a byte of
    its head now and then never runs into the timeout of a read."""

    def __init__(self, seconds: float) -> None:
        self.is_late = False
        self._connection: socket.socket | None = None
        self._timer = threading.Timer(max(seconds, 0.0), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._connection is not None:
            self._connection.close()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What the HTTP client tells of its steps: a connection stands, before anything is sent."""
        if event == "connection.connect_tcp.complete":
            self._connection = info["return_value"].get_extra_info("socket").dup()
            if self.is_late:
                self._cut()

    def _cut(self) -> None:
        self.is_late = True
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


_TIMEOUT = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)


def _redirect(response: httpx2.Response) -> str | None:
    if response.status_code not in (301, 302, 303, 307, 308):
        return None
    return response.headers.get("location") or None


def _check_status(response: httpx2.Response) -> None:
    if response.status_code != 200:
        raise HoplonError("jwks.status", f"it answers with status {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise HoplonError("jwks.status", "it answers compressed, though it was asked not to")


def _holds_seconds(response: httpx2.Response) -> int | None:
    """RFC 9111 §5.2.2: `max-age`; nothing to be kept is 0."""
    text = response.headers.get("cache-control", "").lower()
    if _NOT_KEPT.search(text):
        return 0
    age = _MAX_AGE.search(text)
    return int(age[1]) if age else None


def _slow() -> HoplonError:
    return HoplonError("jwks.slow", f"it did not give its keys within {TOTAL_SECONDS:g} s")


def _unreachable(target: Target, error: Exception) -> HoplonError:
    return HoplonError("jwks.unreachable", f"{target.host} cannot be asked: {_reason(error)}")


def _reason(error: Exception) -> str:
    """What the system or TLS says; a server says nothing here."""
    return (str(error) or type(error).__name__)[:200]
