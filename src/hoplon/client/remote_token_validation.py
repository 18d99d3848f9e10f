"""Token configurations, token rules and authorization of a Hoplon elsewhere: over Cloudflare's routes, and over ours
for what Cloudflare has no word for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hoplon.client.connection import Connection, Reply
from hoplon.client.local_token_validation import Configurations
from hoplon.client.remote_zones import CLOUDFLARE, OWN, RemoteZones
from hoplon.errors import HoplonError
from hoplon.model.key_sets import KeySet
from hoplon.model.moments import moment_of
from hoplon.model.operation import Operation
from hoplon.model.versioned import Versioned
from hoplon.service.token_preview import Preview
from hoplon.service.token_rules import Position
from hoplon.service.token_validation import Changed, Jwks, ShownConfiguration
from hoplon.tokens.keys import Note, written_keys
from hoplon.tokens.model import Authorization, TokenConfiguration, TokenRule
from hoplon.tokens.selection import STATES, State

_LISTS = ("token_sources", "issuers", "audiences", "types", "required_claims")
_PLAIN = ("id", "title", "description", "jwks_url", "max_age_seconds", "clock_skew_seconds")


class RemoteTokenValidation:
    """Which tokens a zone accepts, and what operations demand of them. `zone` is a name, or None for the only one."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def list(self, zone: str | None) -> Configurations:
        """The configurations, and how fetching their keys goes."""
        return [_shown(form) for form in self._connection.ask("GET", f"{self._own(zone)}/config").result]

    def get(self, zone: str | None, identity: str) -> ShownConfiguration:
        """One configuration."""
        for shown in self.list(zone):
            if shown.configuration.id == identity:
                return shown
        message = f"there is no token configuration `{identity[:80]}`"
        raise HoplonError("token_configuration.unknown", message, "`hoplon tokens` lists them")

    def add(self, zone: str | None, wanted: Mapping[str, Any], jwks: Jwks) -> Changed:
        """Make a configuration of members of a `TokenConfiguration`."""
        body = {**wanted, "keys": [dict(jwk) for jwk in jwks]}
        return _changed(self._connection.ask("POST", f"{self._own(zone)}/config", body=body))

    def edit(self, zone: str | None, identity: str, changes: Mapping[str, Any]) -> Changed:
        """Change members of a configuration."""
        return _changed(self._connection.ask("PATCH", f"{self._own(zone)}/config/{identity}", body=dict(changes)))

    def remove(self, zone: str | None, identity: str) -> int:
        """Remove a configuration that nothing names; the zone's version."""
        return self._connection.ask("DELETE", f"{self._cloudflare(zone)}/config/{identity}").version or 0

    def set_keys(self, zone: str | None, identity: str, jwks: Jwks, *, keeps_secrets: bool) -> Changed:
        """Replace the keys of a configuration."""
        path, method = f"{self._cloudflare(zone)}/config/{identity}/credentials", "PATCH" if keeps_secrets else "PUT"
        reply = self._connection.ask(method, path, body={"keys": [dict(jwk) for jwk in jwks]})
        return Changed(self.get(zone, identity), _notes(reply), reply.version or 0)

    def refresh(self, zone: str | None, identity: str) -> ShownConfiguration:
        """Have the worker fetch the keys of a configuration now."""
        return _shown(self._connection.ask("POST", f"{self._own(zone)}/config/{identity}/refresh").result)

    def rules(self, zone: str | None) -> Sequence[TokenRule]:
        """The rules, highest precedence first."""
        return [_rule(form) for form in self._connection.pages(f"{self._cloudflare(zone)}/rules")]

    def add_rule(self, zone: str | None, wanted: Mapping[str, Any]) -> TokenRule:
        """Make a rule of members of a `TokenRule`, with the lowest precedence."""
        body = {"description": "", "enabled": True, "action": "log", "selector": {}, **_rule_body(wanted)}
        return _rule(self._connection.ask("POST", f"{self._cloudflare(zone)}/rules", body=body).result)

    def edit_rule(
        self, zone: str | None, identity: str, changes: Mapping[str, Any], position: Position | None = None
    ) -> TokenRule:
        """Change a rule, and move it."""
        body = _rule_body(changes)
        if position is not None:
            body["position"] = {position.place: position.value}
        return _rule(self._connection.ask("PATCH", f"{self._cloudflare(zone)}/rules/{identity}", body=body).result)

    def remove_rule(self, zone: str | None, identity: str) -> int:
        """Remove a rule; the zone's version."""
        return self._connection.ask("DELETE", f"{self._cloudflare(zone)}/rules/{identity}").version or 0

    def preview(self, zone: str | None, hosts: Sequence[str], exclude: Sequence[str]) -> Preview:
        """What a selector would take."""
        path, body, page = f"{self._cloudflare(zone)}/rules/preview", _selector(hosts, exclude), 1
        shown = []
        while True:
            reply = self._connection.ask("POST", path, query={"page": page, "per_page": 50}, body=body)
            shown += [(_operation(form), form["state"]) for form in reply.result["operations"]]
            if page >= reply.info.get("total_pages", page):
                break
            page += 1
        counts: dict[State, int] = {state: reply.result[state] for state in STATES}
        hosts_found = (tuple(reply.result[name]) for name in ("selected_hosts", "available_hosts"))
        return Preview(tuple(shown), counts, *hosts_found)

    def authorization(self, zone: str | None) -> Versioned[Sequence[Authorization]]:
        """Who may use which operation, and the zone's version."""
        reply = self._connection.ask("GET", f"{self._own(zone)}/authorization")
        forms = [{name: value for name, value in form.items() if name != "id"} for form in reply.result]
        return Versioned([Authorization(**form) for form in forms], reply.version or 0)

    def set_authorization(self, zone: str | None, wanted: Sequence[Authorization], if_match: int) -> int:
        """Replace it; the zone's version."""
        body = [asdict(each) for each in wanted]
        reply = self._connection.ask("PUT", f"{self._own(zone)}/authorization", body=body, if_match=if_match)
        return reply.version or 0

    def _cloudflare(self, zone: str | None) -> str:
        return f"{CLOUDFLARE}/zones/{self._zones.choose(zone).id}/token_validation"

    def _own(self, zone: str | None) -> str:
        return f"{OWN}/zones/{self._zones.choose(zone).id}/token_validation"


def _changed(reply: Reply) -> Changed:
    return Changed(_shown(reply.result), _notes(reply), reply.version or 0)


def _notes(reply: Reply) -> tuple[Note, ...]:
    return tuple(Note(message["code"], message["message"]) for message in reply.messages)


def _shown(form: Mapping[str, Any]) -> ShownConfiguration:
    members: dict[str, Any] = {name: form[name] for name in _PLAIN}
    members |= {name: tuple(form[name]) for name in _LISTS}
    configuration = TokenConfiguration(
        **members,
        keys=written_keys(form["keys"]) if form["jwks_url"] is None else (),
        created_at=moment_of(form["created_at"]),
        last_updated=moment_of(form["last_updated"]),
    )
    return ShownConfiguration(configuration, _key_set(form) if form["key_set"] is not None else None)


def _key_set(form: Mapping[str, Any]) -> KeySet:
    """How fetching goes. The zone is the one that was asked about; its id is not told."""
    told = form["key_set"]
    moments = {
        name: moment_of(told[name]) if told[name] is not None else None
        for name in ("changed_at", "fetched_at", "tried_at")
    }
    keys = tuple(form["keys"]) if told["has_keys"] else None
    return KeySet(
        zone_id="",
        configuration_id=form["id"],
        url=form["jwks_url"],
        keys=keys,
        notes=tuple(told["notes"]),
        due_at=moment_of(told["due_at"]),
        failures=told["failures"],
        error=told["error"],
        **moments,
    )


def _rule(form: Mapping[str, Any]) -> TokenRule:
    selector = form["selector"]
    return TokenRule(
        **{name: form[name] for name in ("id", "title", "description", "action", "enabled", "expression")},
        hosts=tuple(host for each in selector.get("include", ()) for host in each["host"]),
        exclude=tuple(one for each in selector.get("exclude", ()) for one in each["operation_ids"]),
        created_at=moment_of(form["created_at"]),
        last_updated=moment_of(form["last_updated"]),
    )


def _rule_body(wanted: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in wanted.items() if name not in ("hosts", "exclude")}
    if "hosts" in wanted or "exclude" in wanted:
        body["selector"] = _selector(wanted.get("hosts", ()), wanted.get("exclude", ()))
    return body


def _selector(hosts: Sequence[str], exclude: Sequence[str]) -> dict[str, Any]:
    return {"include": [{"host": list(hosts)}], "exclude": [{"operation_ids": list(exclude)}]}


def _operation(form: Mapping[str, Any]) -> Operation:
    """An operation as the server shows it: it does not tell how its variables were called, nor when it was made."""
    updated = moment_of(form["last_updated"])
    path = form["endpoint"]
    return Operation(form["operation_id"], form["method"], form["host"], path, path, updated, updated)
