"""Items of lists: what each kind takes, and the one form in which it is kept and compared.

Takes JSON values as callers send them; gives `ListItem`s or `Problem`s. The forms are those of Cloudflare's lists
(developers.cloudflare.com/waf/tools/lists/custom-lists).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal

from hoplon.errors import Problem
from hoplon.model.lists import ItemSearch, Kind, ListItem
from hoplon.rules.hostnames import hostname_fault
from hoplon.rules.redirects import read_redirect
from hoplon.spelling import did_you_mean

MAX_COMMENT = 500
MAX_ASN = 2**32 - 1
MAX_PROBLEMS = 100
"""So many are told at most; the rest is only counted out."""
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?")
"""What may be an address: without blanks, net masks and zone indices, which Python's reader would take."""
_NETWORK_HINT = "for example 192.0.2.7, 192.0.2.0/24, 2001:db8::/32"
_WIDEST_PREFIX = {4: 8, 6: 12}
"""A wider network is a slip of the pen: it would be a 256th of the internet, or more."""


Reading = ListItem | Problem
"""What comes of reading one item; the path of a Problem is relative to the item."""


def read_items(kind: Kind, given: Sequence[Any]) -> tuple[list[ListItem], list[Problem]]:
    """The canonical items of a body, and what is wrong with it, each with its path (`[3].ip`)."""
    items: list[ListItem] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, each in enumerate(given):
        item = read_item(kind, each)
        if isinstance(item, ListItem) and (earlier := first.setdefault(item.key, index)) != index:
            item = Problem(f".{kind}", f"`{item.key}` is the same as item {earlier}", "send each item once")
        if isinstance(item, ListItem):
            items.append(item)
        else:
            problems.append(replace(item, path=f"[{index}]{item.path}"))
        if len(problems) == MAX_PROBLEMS:
            break
    return items, problems


def read_item(kind: Kind, given: Any) -> Reading:
    """One item of a list of this kind, or what is wrong with it."""
    if not isinstance(given, dict):
        return Problem("", f"an item is an object with `{kind}`", None)
    if unknown := next((name for name in given if name not in (kind, "comment")), None):
        return Problem(f".{unknown}", f"unknown in a list of kind {kind}", did_you_mean(unknown, (kind, "comment")))
    if kind not in given:
        return Problem(f".{kind}", "is missing", f"this is a list of kind {kind}")
    comment = given.get("comment")
    if fault := _comment_fault(comment):
        return Problem(".comment", fault)
    item = _READERS[kind](given[kind])
    return replace(item, comment=comment or "") if isinstance(item, ListItem) else item


def search_of(kind: Kind, text: str) -> ItemSearch:
    """What a search text means in a list of this kind, in the form of its keys."""
    return ItemSearch(_SEARCHES[kind], text if kind == "redirect" else text.lower())


def _comment_fault(comment: Any) -> str | None:
    if comment is None or (isinstance(comment, str) and len(comment) <= MAX_COMMENT):
        return None
    return f"a comment is text of at most {MAX_COMMENT} characters"


def _read_ip(given: Any) -> Reading:
    """RFC 4291/5952 forms; a network of one address is that address, an IPv4-mapped address is the IPv4 one."""
    if not isinstance(given, str):
        return Problem(".ip", "an address or network is text")
    if not _ADDRESS.fullmatch(given):
        return Problem(".ip", f"`{given[:80]}` is no address and no network", _NETWORK_HINT)
    try:
        network = _unmapped(ip_network(given))
    except ValueError as error:
        return Problem(".ip", str(error), _network_hint(given))
    if network.prefixlen < _WIDEST_PREFIX[network.version]:
        widest = _WIDEST_PREFIX[network.version]
        return Problem(".ip", f"`{given}` is wider than /{widest}", f"/{widest} to /{network.max_prefixlen}")
    text = str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
    return ListItem(text, text)


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and (mapped := network.network_address.ipv4_mapped):
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _network_hint(given: str) -> str:
    """Bits behind the prefix may be a slip in the address or in the prefix: which one, only the sender knows."""
    try:
        return f"write `{ip_network(given, strict=False)}` if the whole network is meant"
    except ValueError:
        return _NETWORK_HINT


def _read_asn(given: Any) -> Reading:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MAX_ASN:
        return Problem(".asn", f"an ASN is a whole number from 0 to {MAX_ASN}", "64496, without `AS`")
    return ListItem(given, str(given))


def _read_hostname(given: Any) -> Reading:
    """`exclude_exact_hostname` means something for a wildcard only; there it is true by default."""
    problem = next(_hostname_problems(given), None)
    if problem is not None:
        return problem
    name = given["url_hostname"].lower()
    excludes = given.get("exclude_exact_hostname")
    value = {"url_hostname": name}
    if name.startswith("*."):
        value["exclude_exact_hostname"] = excludes is None or excludes
    return ListItem(value, name)


def _hostname_problems(given: Any) -> Iterator[Problem]:
    if not isinstance(given, dict):
        yield Problem(".hostname", "a host name is an object with `url_hostname`")
        return
    known = ("url_hostname", "exclude_exact_hostname")
    yield from (
        Problem(f".hostname.{name}", "unknown member", did_you_mean(name, known)) for name in given if name not in known
    )
    if not isinstance(given.get("exclude_exact_hostname"), bool | None):
        yield Problem(".hostname.exclude_exact_hostname", "is true or false")
    name = given.get("url_hostname")
    if not isinstance(name, str):
        yield Problem(".hostname.url_hostname", "is a host name as text")
    elif fault := hostname_fault(name.lower().removeprefix("*.")):
        yield Problem(".hostname.url_hostname", f"`{name[:80]}`: {fault}", "api.example.com or *.example.com")


def _read_redirect(given: Any) -> Reading:
    redirect = read_redirect(given)
    if isinstance(redirect, Problem):
        return replace(redirect, path=f".redirect{redirect.path}")
    return ListItem(redirect, redirect["source_url"])


_READERS: Mapping[Kind, Callable[[Any], Reading]] = {
    "ip": _read_ip,
    "redirect": _read_redirect,
    "hostname": _read_hostname,
    "asn": _read_asn,
}
_SEARCHES: Mapping[Kind, Literal["prefix", "part", "exact"]] = {
    "ip": "prefix",
    "redirect": "part",
    "hostname": "part",
    "asn": "exact",
}
