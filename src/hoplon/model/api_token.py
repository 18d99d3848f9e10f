"""API tokens: what one is, whether it may be used now and from here, and what it may do. Pure; the secret is not known.

The form of policies and conditions is Cloudflare's; how it is spelled in JSON is the business of `storage` and `api`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

from hoplon.model.permissions import GROUPS, PermissionGroup

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Status = Literal["active", "disabled", "expired"]
Refusal = Literal["disabled", "expired", "not_yet", "address"]

ANY = "*"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a policy is about: the account and all its zones, some of its zones, or the tokens of the user.

    `account` and `zone` are ids or `*`; `zone` None means the account itself with everything in it.
    """

    account: str = ANY
    zone: str | None = None
    is_user: bool = False

    def covers(self, account: str, zone: str | None, is_user: bool = False) -> bool:
        if self.account not in (ANY, account):
            return False
        if self.is_user or is_user:
            return is_user and self.zone is None
        return self.zone is None or (zone is not None and self.zone in (ANY, zone))


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Allows or denies groups on resources. Deny wins over allow, whatever their order."""

    id: str
    effect: Literal["allow", "deny"]
    resources: tuple[Resource, ...]
    groups: tuple[PermissionGroup, ...]

    def applies(self, wanted: PermissionGroup, account: str, zone: str | None) -> bool:
        matches = PermissionGroup.grants if self.effect == "allow" else PermissionGroup.denies
        return any(matches(group, wanted) for group in self.groups) and any(
            resource.covers(account, zone, wanted.scope == "user") for resource in self.resources
        )


@dataclass(frozen=True, slots=True)
class AddressCondition:
    """From where a token may be used. Empty `allowed` means from everywhere that is not `denied`."""

    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()

    def admits(self, address: str | None) -> bool:
        """Whether a client at `address` may use the token; one without an address only where nothing is asked."""
        if not self.allowed and not self.denied:
            return True
        found = parse_client(address)
        if found is None:
            return False
        if any(found in network for network in self.denied):
            return False
        return not self.allowed or any(found in network for network in self.allowed)


EVERYWHERE = AddressCondition()


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is stored: everything but its secret."""

    id: str
    name: str
    status: Literal["active", "disabled"]
    policies: tuple[TokenPolicy, ...]
    condition: AddressCondition
    not_before: datetime | None
    expires_on: datetime | None
    issued_on: datetime
    modified_on: datetime
    last_used_on: datetime | None
    kind: Literal["api", "gateway"] = "api"

    def status_at(self, now: datetime) -> Status:
        is_over = self.expires_on is not None and now >= self.expires_on
        return "expired" if is_over and self.status == "active" else self.status


def refusal(token: ApiToken, now: datetime, address: str | None) -> Refusal | None:
    """Why the token cannot be used now from `address`; None when it can."""
    status = token.status_at(now)
    if status != "active":
        return status
    if token.not_before is not None and now < token.not_before:
        return "not_yet"
    return None if token.condition.admits(address) else "address"


def may(policies: Iterable[TokenPolicy], wanted: PermissionGroup, account: str, zone: str | None = None) -> bool:
    """Whether policies allow `wanted` on a zone, or on the account when `zone` is None."""
    applying = [policy.effect for policy in policies if policy.applies(wanted, account, zone)]
    return "allow" in applying and "deny" not in applying


def sees(policies: Iterable[TokenPolicy], account: str, zone: str) -> bool:
    """Whether policies allow anything at all on a zone. One that is not seen answers like one that does not exist."""
    known = tuple(policies)
    return any(group.scope == "zone" and may(known, group, account, zone) for group in GROUPS)


def may_somewhere(policies: Iterable[TokenPolicy], wanted: PermissionGroup, account: str, zones: Iterable[str]) -> bool:
    """Whether policies allow `wanted` on the account or on at least one of `zones`."""
    known = tuple(policies)
    return any(may(known, wanted, account, zone) for zone in (None, *zones))


def excess(
    policies: Iterable[TokenPolicy], holder: Iterable[TokenPolicy], account: str, zones: Iterable[str]
) -> Iterator[tuple[PermissionGroup, str | None]]:
    """What `policies` allow and `holder` does not have, as (group, zone or None for the account).

    Every group is asked on the account, on every zone that exists or that a policy names, and on a zone still to
    come (`*`), so nothing is granted that the holder would only be denied later.
    """
    wanted, held = tuple(policies), tuple(holder)
    named = {resource.zone for policy in (*wanted, *held) for resource in policy.resources if resource.zone}
    every_zone = (None, ANY, *sorted({*zones, *named} - {ANY}))
    for group in GROUPS:
        for zone in every_zone if group.scope == "zone" else (None,):
            if may(wanted, group, account, zone) and not may(held, group, account, zone):
                yield group, zone


def is_condition_within(condition: AddressCondition, holder: AddressCondition) -> bool:
    """Whether every address that `condition` admits is one that `holder` admits."""
    in_allowed = not holder.allowed or (
        bool(condition.allowed) and all(_is_inside(network, holder.allowed) for network in condition.allowed)
    )
    return in_allowed and all(
        _is_inside(network, condition.denied)
        or (bool(condition.allowed) and not any(_overlap(network, allowed) for allowed in condition.allowed))
        for network in holder.denied
    )


def parse_client(address: str | None) -> Address | None:
    """The address of a client; an IPv4 address that a dual-stack socket shows as IPv6 is the IPv4 address."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def parse_network(text: str) -> Network:
    """An address or network in CIDR form; host bits are ignored, as at Cloudflare. Raises ValueError."""
    return ip_network(text.strip(), strict=False)


def _is_inside(network: Network, others: Iterable[Network]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in others)  # type: ignore[arg-type]


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)
