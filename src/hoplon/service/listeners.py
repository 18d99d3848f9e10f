"""The sockets on which traffic, status questions and API calls arrive, opened before any part starts: an address in use
is one clear error, and a restarted part loses no connection that waits."""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from hoplon.errors import HoplonError
from hoplon.settings.fields import Settings, parse_address

BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One open listening socket, inheritable by the gateway; `name` is its setting and the address given there."""

    name: str
    is_tls: bool
    socket: socket.socket

    @property
    def fd(self) -> int:
        return self.socket.fileno()

    @property
    def address(self) -> str:
        """The numeric address it is bound to, `host:port`."""
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.address}"


@dataclass(frozen=True, slots=True)
class Listeners:
    """All sockets of one gateway; `admin` is that of the API, where it starts beside it."""

    traffic: tuple[Listener, ...]
    status: Listener
    admin: Listener | None = None

    def by_name(self) -> dict[str, int]:
        """The descriptor of every socket, by what `open_listeners` calls it."""
        admin = [self.admin] if self.admin is not None else []
        return {listener.name: listener.fd for listener in (*self.traffic, self.status, *admin)}

    @property
    def gateway_fds(self) -> tuple[int, ...]:
        return (*(listener.fd for listener in self.traffic), self.status.fd)


@contextmanager
def open_listeners(
    settings: Settings, with_admin: bool = False, handed_over: Mapping[str, int] | None = None
) -> Iterator[Listeners]:
    """The sockets of a gateway, `with_admin` of the API too; or the error of the first that cannot be opened.

    `handed_over` are sockets that are open already, by name. One that no setting names any more is closed.
    """
    given = dict(handed_over or {})
    with ExitStack() as sockets:
        traffic = tuple(_open(address, "listen", sockets, given) for address in settings.listen)
        status = _open(settings.status, "status", sockets, given)
        admin = _open(settings.admin, "admin", sockets, given) if with_admin else None
        for descriptor in given.values():
            os.close(descriptor)
        yield Listeners(traffic, status, admin)


@contextmanager
def open_admin_listener(settings: Settings) -> Iterator[Listener]:
    """The socket of the API alone."""
    with ExitStack() as sockets:
        yield _open(settings.admin, "admin", sockets, {})


def _open(address: str, setting: str, sockets: ExitStack, handed_over: dict[str, int]) -> Listener:
    is_tls, host, port = parse_address(address, tls_allowed=True)
    name = f"{setting} {host}:{port}"
    if name in handed_over:
        return Listener(name, is_tls, sockets.enter_context(socket.socket(fileno=handed_over.pop(name))))
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        opened = sockets.enter_context(socket.socket(family, socket.SOCK_STREAM))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind(place)
        opened.listen(BACKLOG)
    except OSError as error:
        raise _cannot_listen(address, port, setting, error) from error
    opened.set_inheritable(True)
    return Listener(name, is_tls, opened)


def _cannot_listen(address: str, port: int, setting: str, error: OSError) -> HoplonError:
    if error.errno == errno.EADDRINUSE:
        hint = f"`ss -ltnp sport = :{port}` shows by whom; or choose another with --{setting}"
        return HoplonError("listen.in_use", f"{address} is already in use", hint)
    if error.errno == errno.EACCES:
        hint = f"ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); or choose another with --{setting}"
        return HoplonError("listen.forbidden", f"this user may not listen on {address}", hint)
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return HoplonError(
            "listen.unknown", f"{address} is no address of this machine", "127.0.0.1 and 0.0.0.0 always are"
        )
    return HoplonError(
        "listen.failed", f"cannot listen on {address}: {error.strerror or os.strerror(error.errno or 0)}"
    )
