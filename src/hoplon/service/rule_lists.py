"""The account's lists as rules use them: by name, in the engine's form, each read when it is asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hoplon.policy.assembly import ZoneVersion, compile_version
from hoplon.rules.around import ListKind
from hoplon.service.features import FEATURES
from hoplon.service.ruleset_store import RULESET_FEATURES, stored_rule
from hoplon.service.stores import load_policy
from hoplon.storage import lists, policies, rulesets

ENGINE_KINDS: Mapping[str, str] = {"ip": "ip", "asn": "int", "hostname": "hostname"}
"""Cloudflare's kinds of lists that an expression can ask, as the engine calls them."""

_TYPES: Mapping[str, ListKind] = {"ip": "ip", "int": "int", "hostname": "string"}

Stamps = Mapping[str, tuple[str, str, datetime]]
"""Lists by name: what of one stays the same has the same items."""


class RuleLists(Mapping[str, Mapping[str, Any]]):
    """The lists that expressions can name. Good as long as its connection's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.stamps: Stamps = lists.stamps(connection)
        self.kinds = {name: ENGINE_KINDS[kind] for name, (_, kind, _) in self.stamps.items() if kind in ENGINE_KINDS}

    @property
    def types(self) -> Mapping[str, ListKind]:
        """What the items of each list are to an expression."""
        return {name: _TYPES[kind] for name, kind in self.kinds.items()}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        kind = self.kinds[name]
        items = lists.values_of(self._connection, self.stamps[name][0])
        return {"name": name, "kind": kind, "items": _hostnames(items) if kind == "hostname" else items}

    def __iter__(self) -> Iterator[str]:
        return iter(self.kinds)

    def __len__(self) -> int:
        return len(self.kinds)


def references(connection: Connection) -> Mapping[str, int]:
    """How many custom rules and limits of the newest versions name each list; lists that none names are missing."""
    found = (stored_rule(feature, content) for feature, content in rulesets.contents_with(connection, "$"))
    return Counter(name for feature, rule in found for name in RULESET_FEATURES[feature].lists(rule))


def lists_in_use(connection: Connection) -> frozenset[str]:
    """The lists that any rule of any feature and zone names."""
    compiled = (
        compile_version(
            ZoneVersion(zone.id, zone.version, zone.modified_at, load_policy(connection, zone.id)), FEATURES
        )
        for zone in policies.all_zones(connection)
    )
    return frozenset().union(*(each.lists for each in compiled))


def _hostnames(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names, and wildcards for every name below; a wildcard that includes its own name is two items."""
    found: set[str] = set()
    for item in items:
        name = item["url_hostname"]
        found.add(name)
        if name.startswith("*.") and not item["exclude_exact_hostname"]:
            found.add(name.removeprefix("*."))
    return sorted(found)
