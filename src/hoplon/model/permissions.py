"""Permission groups: what an API token may be granted, in one table. A route names the group that it asks for.

Names and ids are Cloudflare's where Cloudflare has the group (its ids are fixed, so scripts that carry them go on
working); those named `Hoplon …` are our own.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Scope = Literal["account", "zone", "user"]


class Access(IntEnum):
    """How far a group goes: who may write may read, and who may not read may not write."""

    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    """One group. `area` is what it is about: groups of one area differ in scope and in access."""

    id: str
    name: str
    scope: Scope
    area: str
    access: Access
    aliases: tuple[str, ...] = ()

    def grants(self, wanted: "PermissionGroup") -> bool:
        """Whether holding this group is enough where `wanted` is asked for.

        A group of the account holds for its zones too ("Accepted permissions" of Cloudflare's API Shield resources
        name both); one of a zone says nothing about the account.
        """
        wide_enough = self.scope == wanted.scope or (self.scope == "account" and wanted.scope == "zone")
        return self.area == wanted.area and self.access >= wanted.access and wide_enough

    def denies(self, wanted: "PermissionGroup") -> bool:
        """Whether being denied this group refuses `wanted`: without Read no Write; without Write, Read stays."""
        reaches = self.scope == wanted.scope or (self.scope == "account" and wanted.scope == "zone")
        return self.area == wanted.area and self.access <= wanted.access and reaches


_R, _W = Access.READ, Access.WRITE

GROUPS: tuple[PermissionGroup, ...] = (
    PermissionGroup(
        "6ced5d0d69b1422396909a62c38ab41b", "API Gateway Read", "zone", "api_gateway", _R, ("Domain API Gateway Read",)
    ),
    PermissionGroup(
        "f0235726de25444a84f704b7c93afadf", "API Gateway Write", "zone", "api_gateway", _W, ("Domain API Gateway",)
    ),
    PermissionGroup("05a2a65760a546439ed29762b163cece", "Account API Gateway Read", "account", "api_gateway", _R),
    PermissionGroup(
        "5e5d3e8efeec49f3afb67bafecbcd511",
        "Account API Gateway Write",
        "account",
        "api_gateway",
        _W,
        ("Account API Gateway",),
    ),
    PermissionGroup("c8fed203ed3043cba015a93ad1616f1f", "Zone Read", "zone", "zone", _R),
    PermissionGroup("e6d2666161e84845a636613608cee8d5", "Zone Write", "zone", "zone", _W, ("Zone Edit",)),
    PermissionGroup("c1fde68c7bcc44588cbb6ddbc16d6480", "Account Settings Read", "account", "account_settings", _R),
    PermissionGroup(
        "1af1fa2adc104452b74a9a3364202f20",
        "Account Settings Write",
        "account",
        "account_settings",
        _W,
        ("Account Settings Edit",),
    ),
    PermissionGroup(
        "4f1071168de8466e9808de86febfc516",
        "Account Filter Lists Read",
        "account",
        "filter_lists",
        _R,
        ("Account Rule Lists Read",),
    ),
    PermissionGroup(
        "2edbf20661fd4661b0fe10e9e12f485c",
        "Account Filter Lists Edit",
        "account",
        "filter_lists",
        _W,
        ("Account Rule Lists Write", "Account Filter Lists Write"),
    ),
    PermissionGroup(
        "0cc3a61731504c89b99ec1be78b77aa0", "API Tokens Read", "user", "api_tokens", _R, ("Account API Tokens Read",)
    ),
    PermissionGroup(
        "686d18d5ac6c441c867cbf6771e58a0a", "API Tokens Write", "user", "api_tokens", _W, ("Account API Tokens Write",)
    ),
    PermissionGroup("05a4dd5a42b740b29cbea4a0e25e59cd", "Audit Logs Read", "account", "audit_logs", _R),
    PermissionGroup("40eeab8be6794926a80a40bd6ac6b01f", "Hoplon Operate", "account", "operate", _W),
    PermissionGroup("d2f2c1acf0b84a9fa97fdf59c9bb6f39", "Hoplon Gateway", "account", "gateway", _R),
)
"""Every group, in the order in which the API lists them."""

ALIAS_IDS: dict[str, str] = {
    "eb56a6953c034b9d97dd838155666f06": "0cc3a61731504c89b99ec1be78b77aa0",
    "5bc3f8b21c554832afc660159ab75fa4": "686d18d5ac6c441c867cbf6771e58a0a",
}
"""Cloudflare keeps the tokens of a user and those of an account apart; one installation has one set of tokens."""

_BY_ID = {group.id: group for group in GROUPS}
_BY_NAME = {name.casefold(): group for group in GROUPS for name in (group.name, *group.aliases)}


def group_of_id(group_id: str) -> PermissionGroup | None:
    """The group with this id, also under the id that Cloudflare gives its twin for an account."""
    return _BY_ID.get(ALIAS_IDS.get(group_id, group_id))


def group_named(name: str) -> PermissionGroup:
    """The group with this name, whatever the case; KeyError when there is none."""
    return _BY_NAME[name.casefold()]


def group_names() -> tuple[str, ...]:
    """Every name that `group_named` knows, the listed ones first."""
    return (*(group.name for group in GROUPS), *(alias for group in GROUPS for alias in group.aliases))
