"""Tokens, kept as one JSON table with the moments of its configurations and rules (see `hoplon.service.stores`), and
the fetched keys that go with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.model.moments import moment_of
from hoplon.operations.template import operation_id
from hoplon.storage import key_sets, policies
from hoplon.storage.secrets import secret_names
from hoplon.tokens.model import TokenConfiguration, TokenRule, TokensPolicy
from hoplon.tokens.policy import TokensFeature, TokensTable

SECRET_KIND = "token_key"  # noqa: S105 - what kind of secret it is
_FEATURE = TokensFeature(operation_id)
_Dated = TypeVar("_Dated", TokenConfiguration, TokenRule)


@dataclass(frozen=True, slots=True)
class TokensStore:
    """The whole feature; a version that names a secret which is not (any more) there is refused."""

    def load(self, connection: Connection, zone_id: str, version: int | None = None) -> TokensPolicy:
        table = policies.read_table(connection, zone_id, _FEATURE.name, version)
        dates = {name: table.pop(f"{name}_dates", {}) for name in ("configurations", "rules")}
        policy = _FEATURE.read(TokensTable.model_validate(table))
        return replace(
            policy,
            configurations=tuple(_dated(each, dates["configurations"]) for each in policy.configurations),
            rules=tuple(_dated(each, dates["rules"]) for each in policy.rules),
        )

    def save(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: TokensPolicy) -> None:
        _check_secrets(connection, zone_id, policy)
        before = self.load(connection, zone_id)
        table = _FEATURE.write(policy)
        table["configurations_dates"] = _dates(policy.configurations, before.configurations, now)
        table["rules_dates"] = _dates(policy.rules, before.rules, now)
        policies.write_table(
            connection, zone_id, _FEATURE.name, version, {key: each for key, each in table.items() if each}
        )
        urls = {each.id: each.jwks_url for each in policy.configurations if each.jwks_url is not None}
        key_sets.sync_key_sets(connection, zone_id, urls, now)


def secret_name(zone_id: str, configuration_id: str, kid: str) -> str:
    """The name of an HMAC key's secret: it belongs to its zone."""
    return f"{zone_id}/{configuration_id}/{kid}"[:255]


def _check_secrets(connection: Connection, zone_id: str, policy: TokensPolicy) -> None:
    names = secret_names(connection, SECRET_KIND, policy.secrets)
    lost = [
        Problem(
            f"tokens.configurations[{index}].keys[{place}].secret",
            f"there is no secret `{key.secret}` of this zone for the {key}",
            "secrets are in no document: `hoplon tokens keys` stores this one and names it",
        )
        for index, each in enumerate(policy.configurations)
        for place, key in enumerate(each.keys)
        if key.secret is not None and not names.get(key.secret, "").startswith(f"{zone_id}/")
    ]
    if lost:
        raise HoplonError("policy.invalid", "a secret is missing; nothing was changed", None, tuple(lost))


def _dated(each: _Dated, dates: Mapping[str, Sequence[str]]) -> _Dated:
    if each.id not in dates:
        return each
    created_at, last_updated = map(moment_of, dates[each.id])
    return replace(each, created_at=created_at, last_updated=last_updated)


def _dates(after: Sequence[_Dated], before: Sequence[_Dated], now: datetime) -> dict[str, list[str]]:
    """By id, when each was made and when it last became what it is."""
    known: Mapping[str, Any] = {each.id: each for each in before}
    dates = {}
    for each in after:
        old = known.get(each.id)
        created = old.created_at if old else now
        updated = old.last_updated if old == each else now
        dates[each.id] = [created.isoformat(), updated.isoformat()]
    return dates
