"""One control plane over HTTP, as a gateway sees it: the long poll and the parts. `http.client`, for its small size.

Redirects are not followed and proxies of the environment not used: the credential goes to the named server only.
"""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from hoplon.delivery.following import Following, check_server, read_credential
from hoplon.errors import HoplonError

CONNECT_SECONDS = 10.0
POLL_SLACK_SECONDS = 15.0
"""So much later than it promised a long poll may end before the connection counts as dead."""
MAX_OFFER_BYTES = 64 * 1024**2
MAX_SECRETS_BYTES = 64 * 1024**2
_MAX_ERROR_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024

_REFUSALS: Mapping[int, tuple[str, str, str]] = {
    401: (
        "server.unauthorized",
        "does not know this credential, or it is revoked or expired",
        "`hoplon token create --gateway NAME` there makes another; the file is read anew at every attempt",
    ),
    403: ("server.forbidden", "does not let this credential fetch bundles", "it needs the permission `Hoplon Gateway`"),
    404: ("server.not_hoplon", "has no bundles there", "is it the admin address of a Hoplon of this version?"),
}


class ControlPlane:
    """A connection that is opened when needed, kept while it works, and given up at the first fault."""

    def __init__(self, following: Following) -> None:
        check_server(following.server, is_plain_allowed=True)
        self._following = following
        self._parts = urlsplit(following.server)
        self._connection: http.client.HTTPConnection | None = None

    def poll(self, query: Mapping[str, str], wait_seconds: float) -> Any | None:
        """The offer's document as soon as it differs from what `query` says, None when nothing did all the time."""
        target = "/hoplon/v1/bundles/current?" + urlencode({**query, "wait": f"{wait_seconds:g}"})
        with self._answer(target, wait_seconds + POLL_SLACK_SECONDS) as response:
            if response.status == http.client.NO_CONTENT:
                response.read()
                return None
            body = response.read(MAX_OFFER_BYTES + 1)
            if len(body) <= MAX_OFFER_BYTES:
                _check_whole(response)
        if len(body) > MAX_OFFER_BYTES:
            raise HoplonError("delivery.invalid", f"the offer of {self._name} is above {MAX_OFFER_BYTES:,} bytes")
        try:
            return json.loads(body)["result"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._refused(http.client.NOT_FOUND) from None

    def part(self, digest: str) -> Iterator[bytes]:
        """The bytes of a part, in pieces. Whoever takes them checks size and hash."""
        with self._answer(f"/hoplon/v1/bundles/parts/{digest}", CONNECT_SECONDS) as response:
            while piece := response.read(_PIECE_BYTES):
                yield piece
            _check_whole(response)

    def secrets(self) -> dict[str, str]:
        """The secrets that the current bundle names, by id. Raises `delivery.invalid`."""
        with self._answer("/hoplon/v1/bundles/secrets", CONNECT_SECONDS) as response:
            body = response.read(MAX_SECRETS_BYTES + 1)
            if len(body) <= MAX_SECRETS_BYTES:
                _check_whole(response)
        try:
            found = json.loads(body)["result"]["secrets"]
            return {str(name): str(value) for name, value in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise HoplonError("delivery.invalid", f"the secrets of {self._name} are unusable") from None

    def close(self) -> None:
        """Give the connection up; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def _name(self) -> str:
        return f"the control plane {self._following.server}"

    @contextmanager
    def _answer(self, target: str, timeout_seconds: float) -> Iterator[http.client.HTTPResponse]:
        """The answer to one GET with its body unread. A connection whose answer was not read to its end is closed."""
        headers = {
            "authorization": f"Bearer {read_credential(Path(self._following.credential))}",
            "accept": "application/json",
            "user-agent": "hoplon-gateway",
        }
        response = None
        try:
            response = self._send(target, headers, timeout_seconds)
            if response.status not in (http.client.OK, http.client.NO_CONTENT):
                if response.getheader("hoplon-error") == "bundle.no_part":
                    raise HoplonError(
                        "delivery.moved_on", f"{self._name} has another bundle by now", "it is asked again"
                    )
                raise self._refused(response.status, response.read(_MAX_ERROR_BYTES))
            yield response
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from error
        finally:
            if response is None or not response.isclosed():
                self.close()

    def _send(self, target: str, headers: Mapping[str, str], timeout_seconds: float) -> http.client.HTTPResponse:
        """Send on the open connection; where the server has closed it meanwhile, on a new one."""
        was_open = self._connection is not None
        try:
            return self._exchange(target, headers, timeout_seconds)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if not was_open:
                raise
            return self._exchange(target, headers, timeout_seconds)

    def _exchange(self, target: str, headers: Mapping[str, str], timeout_seconds: float) -> http.client.HTTPResponse:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._open()
            connection.connect()
        connection.sock.settimeout(timeout_seconds)
        connection.request("GET", target, headers=dict(headers))
        return connection.getresponse()

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        context = ssl.create_default_context(cafile=self._following.ca_file)
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=context)

    def _refused(self, status: int, body: bytes = b"") -> HoplonError:
        if status in _REFUSALS:
            code, what, hint = _REFUSALS[status]
            return HoplonError(code, f"{self._name} {what}", hint)
        said = _first_message(body)
        return HoplonError("server.failed", f"{self._name} answers {status}{f': {said}' if said else ''}")

    def _away(self, error: Exception) -> HoplonError:
        if isinstance(error, ssl.SSLCertVerificationError):
            hint = "name the authority that signed it: control_plane.ca (--server-ca FILE)"
            return HoplonError("server.certificate", f"{self._name}: {error.verify_message}", hint)
        if isinstance(error, ssl.SSLError):
            return HoplonError("server.tls", f"{self._name}: TLS failed: {error.reason or error}", "does it speak TLS?")
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return HoplonError("server.away", f"{self._name} cannot be reached: {why}", "is it running?")


def _check_whole(response: http.client.HTTPResponse) -> None:
    """Raise when the connection ended before the body did: `read` with a size says nothing of it."""
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def _first_message(body: bytes) -> str | None:
    """What the first error of an envelope says, within 200 characters."""
    try:
        return str(json.loads(body)["errors"][0]["message"])[:200]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
