"""Where a key set may be fetched from: a URL to the one address that is asked, or the reason why none is.

Servers on the internet are asked with TLS only. Addresses that are not public, and servers without TLS, need a network
that the setting `jwks.networks` lists: otherwise whoever may write a policy could have Hoplon ask inside the network.
The address is looked up once, and that one is connected to: what the name means a moment later changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from urllib.parse import urlsplit

from hoplon.errors import HoplonError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LookUp = Callable[[str], Sequence[str]]
"""A host name to its addresses. Raises OSError."""

LOOK_UP_SECONDS = 5.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """One server to ask: by `address`, as `host`."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address

    @property
    def url(self) -> str:
        """The URL with the address in place of the name."""
        shown = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{self.scheme}://{shown}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The name as `Host` has it (RFC 9110 §7.2)."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return name if self.port == usual else f"{name}:{self.port}"


def find_target(url: str, networks: Sequence[Network], look_up: LookUp) -> Target:
    """The server that `url` means. Raises `jwks.address` when it may not be asked, `jwks.unreachable` without an
    address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise HoplonError("jwks.address", "it is no https:// URL with a host")
    addresses = _addresses(host, look_up)
    for address in addresses:
        _check(address, parts.scheme, networks)
    path = parts.path or "/"
    return Target(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path, addresses[0])


def system_look_up(host: str) -> list[str]:
    """The addresses that this machine's resolver gives, within `LOOK_UP_SECONDS`. Raises OSError."""
    pool = ThreadPoolExecutor(1)
    try:
        found = pool.submit(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM).result(LOOK_UP_SECONDS)
    except TooLate:
        raise TimeoutError(f"no address within {LOOK_UP_SECONDS:g} s") from None
    finally:
        pool.shutdown(wait=False)
    return [str(entry[4][0]) for entry in found]


def _addresses(host: str, look_up: LookUp) -> list[Address]:
    try:
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in look_up(host)]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it has no address"
        raise HoplonError("jwks.unreachable", f"the name {host[:100]} cannot be looked up: {reason}") from None
    if not found:
        raise HoplonError("jwks.unreachable", f"the name {host[:100]} has no address")
    return found


def _check(address: Address, scheme: str, networks: Sequence[Network]) -> None:
    meant = _meant(address)
    if any(meant.version == network.version and meant in network for network in networks):
        return
    hint = f'list its network in the setting `jwks.networks`: ["{meant}"] in hoplon.toml, if it shall be asked'
    if not meant.is_global or meant.is_multicast:
        raise HoplonError("jwks.address", f"{meant} is no public address", hint)
    if scheme != "https":
        raise HoplonError("jwks.address", "without TLS anybody on the way could give other keys", hint)


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does (RFC 4291 §2.5.5.2, 6052, 3056)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
