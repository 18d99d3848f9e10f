"""The query of the audit log's two listings: points in time, networks, cursors, and filters with their `.not`.

Each filter of Cloudflare stands in one table beside what it is here: a column, a translation into one, or a constant.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hoplon.api.query import Parameter, Several
from hoplon.errors import HoplonError
from hoplon.model.api_token import Network, parse_network
from hoplon.model.moments import moment_of

_CURSOR = re.compile(rb"after (\d{1,18})")
PRODUCT = "hoplon"
ACTION_TYPES: Mapping[str, str] = {"create": "create", "delete": "delete"}
"""What happened, as Cloudflare puts it; whatever is not here is an `update`."""
CONTEXTS: Mapping[str, str] = {"token": "api_token", "user": "api"}
ACTOR_TYPES: Mapping[str, str] = {"token": "account", "user": "user", "system": "system"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a date and time."""

    name: str
    about: str
    is_required: bool = False

    def read(self, values: Sequence[str]) -> datetime | None:
        if len(values) > 1:
            raise ValueError("it is given more than once")
        if not values or not values[0]:
            if self.is_required:
                raise ValueError("it is needed, for example 2027-01-31 or 2027-01-31T12:00:00Z")
            return None
        return moment_of(values[0])

    def schema(self) -> dict[str, Any]:
        forms: list[dict[str, Any]] = [{"type": "string", "format": form} for form in ("date-time", "date")]
        return {"anyOf": [*forms, *([] if self.is_required else [{"const": ""}])]}


@dataclass(frozen=True, slots=True)
class NetworkText:
    """An address, or a network in CIDR form."""

    name: str
    about: str

    def read(self, values: Sequence[str]) -> Network | None:
        if len(values) > 1:
            raise ValueError("it is given more than once")
        if not values or not values[0]:
            return None
        try:
            return parse_network(values[0])
        except ValueError:
            raise ValueError("it is an address or a network, for example 192.0.2.0/24") from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Conditions:
    """What filters come to: conditions on columns; `is_empty` when no entry can meet them."""

    including: tuple[tuple[str, Sequence[str]], ...] = ()
    excluding: tuple[tuple[str, Sequence[str]], ...] = ()
    is_empty: bool = False
    has_zone: bool | None = None


def _column(name: str) -> Callable[[Sequence[str], bool], Conditions]:
    def conditions(values: Sequence[str], is_not: bool) -> Conditions:
        pair = ((name, values),)
        return Conditions(excluding=pair) if is_not else Conditions(including=pair)

    return conditions


def _constant(value: str | None) -> Callable[[Sequence[str], bool], Conditions]:
    """What is the same in every entry here, or in none."""

    def conditions(values: Sequence[str], is_not: bool) -> Conditions:
        return Conditions(is_empty=(value in values) is is_not)

    return conditions


def _translated(column: str, words: Mapping[str, str]) -> Callable[[Sequence[str], bool], Conditions]:
    """A column whose values have other names there."""

    def conditions(values: Sequence[str], is_not: bool) -> Conditions:
        meant = [ours for ours, theirs in words.items() if theirs in values]
        return _column(column)(meant, is_not)

    return conditions


def _action_type(values: Sequence[str], is_not: bool) -> Conditions:
    """`update` is whatever is not named, so it is said by leaving the others out."""
    named = [ours for ours, theirs in ACTION_TYPES.items() if theirs in values]
    if "update" not in values:
        return _column("action")(named, is_not)
    others = [ours for ours in ACTION_TYPES if ours not in named]
    return _column("action")(others, not is_not)


def _scope(values: Sequence[str], is_not: bool) -> Conditions:
    """An entry is about a zone or about the account."""
    zones, accounts = ("zones" in values) is not is_not, ("accounts" in values) is not is_not
    return Conditions(is_empty=not zones and not accounts, has_zone=None if zones and accounts else zones)


FILTERS: Mapping[str, Callable[[Sequence[str], bool], Conditions]] = {
    "id": _column("id"),
    "audit_log_id": _column("id"),
    "action_result": _constant("success"),
    "action_type": _action_type,
    "actor_context": _translated("actor_kind", CONTEXTS),
    "actor_email": _column("actor_name"),
    "actor_id": _column("actor_id"),
    "actor_ip_address": _column("address"),
    "actor_token_id": _column("actor_id"),
    "actor_token_name": _column("actor_name"),
    "actor_type": _translated("actor_kind", ACTOR_TYPES),
    "product_category": _constant(PRODUCT),
    "raw_cf_ray_id": _column("request_id"),
    "raw_method": _constant(None),
    "raw_status_code": _constant(None),
    "raw_uri": _constant(None),
    "resource_id": _column("resource_id"),
    "resource_product": _constant(PRODUCT),
    "resource_scope": _scope,
    "resource_type": _column("resource_type"),
    "zone_id": _column("zone_id"),
}


def filter_parameters() -> tuple[Parameter, ...]:
    """Every filter and its negation, as the SDKs spell them (`actor_id.not=…`)."""
    return tuple(
        Several(f"{name}{suffix}", about)
        for name in (*FILTERS, "account_name", "zone_name")
        for suffix, about in (("", "Only entries with one of these."), (".not", "Only entries with none of these."))
    )


def conditions_of(query: Mapping[str, Any], account_name: str, zones: Mapping[str, str]) -> Conditions:
    """All filters of a query together. `zones` are names by id."""
    filters = {**FILTERS, "account_name": _constant(account_name), "zone_name": _translated("zone_id", zones)}
    found = [
        read(query[name + suffix], suffix != "")
        for name, read in filters.items()
        for suffix in ("", ".not")
        if query[name + suffix]
    ]
    return Conditions(
        including=tuple(pair for each in found for pair in each.including),
        excluding=tuple(pair for each in found for pair in each.excluding),
        is_empty=any(each.is_empty for each in found),
        has_zone=next((each.has_zone for each in found if each.has_zone is not None), None),
    )


def write_cursor(sequence: int | None) -> str:
    """An opaque text that says where to go on; empty after the last entry."""
    return "" if sequence is None else base64.urlsafe_b64encode(b"after %d" % sequence).decode()


def read_cursor(text: str | None) -> tuple[int | None, bool]:
    """Where to go on, and whether the cursor is ours: behind a strange one there is nothing, as behind the last one."""
    if text is None:
        return None, True
    try:
        match = _CURSOR.fullmatch(base64.urlsafe_b64decode(text))
    except ValueError:
        match = None
    return (None, False) if match is None else (int(match[1]), True)


def known_category(values: Sequence[str]) -> None:
    """Cloudflare refuses categories that it does not know."""
    unknown = [value for value in values if value.lower() != PRODUCT]
    if unknown:
        message = f"there is no product category `{unknown[0][:60]}`; `{PRODUCT}` is the only one"
        raise HoplonError("request.query", message)
