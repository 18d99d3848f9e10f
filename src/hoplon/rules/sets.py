"""What stands in braces, as the engine takes it: sorted, merged, without what is there twice."""

from base64 import b64encode
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range
from typing import Any

from hoplon.rules import syntax
from hoplon.rules.refusal import Refusal

MAX_NETWORKS = 10_000
"""A range of addresses is given to the engine as networks; so many may come of one set."""


def members_of(items: tuple[syntax.Literals, ...]) -> dict[str, Any]:
    """A set as the engine takes it: sorted, without what is in it twice."""
    if isinstance(items[0], syntax.Text):
        return _strings([item.value for item in items if isinstance(item, syntax.Text)])
    if isinstance(items[0], (syntax.Number, syntax.Numbers)):
        return {"ints": _merged([_bounds(item) for item in items])}
    return {"ips": _networks(items)}


def _strings(values: list[bytes]) -> dict[str, Any]:
    distinct = sorted(set(values))
    try:
        return {"strs": [value.decode() for value in distinct]}
    except UnicodeDecodeError:
        return {"bytes": [b64encode(value).decode() for value in distinct]}


def _bounds(item: syntax.Literals) -> tuple[int, int]:
    match item:
        case syntax.Number(value=value):
            return value, value
        case syntax.Numbers(low=low, high=high):
            return low, high
    raise AssertionError("a set holds one kind")


def _merged(ranges: Iterable[tuple[int, int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return merged


def _networks(items: tuple[syntax.Literals, ...]) -> list[str]:
    """The networks that hold exactly these addresses, IPv4 first."""
    networks: list[str] = []
    for kind in (IPv4Address, IPv6Address):
        spans = [_span(item) for item in items]
        merged = _merged((int(first), int(last)) for first, last in spans if isinstance(first, kind))
        for low, high in merged:
            networks += [_plain(network) for network in summarize_address_range(kind(low), kind(high))]
            if len(networks) > MAX_NETWORKS:
                raise Refusal(
                    items[0].at.start, f"the set falls into more than {MAX_NETWORKS:,} networks", "use a list"
                )
    return networks


def _span(item: syntax.Literals) -> tuple[syntax.IpAddress, syntax.IpAddress]:
    match item:
        case syntax.Address(value=address):
            return address, address
        case syntax.Network(first=first, last=last):
            return first, last
    raise AssertionError("a set holds one kind")


def _plain(network: IPv4Network | IPv6Network) -> str:
    """A network of one address is that address."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)
