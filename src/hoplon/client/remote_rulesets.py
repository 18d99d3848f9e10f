"""Custom rules or limits of a Hoplon elsewhere, over Cloudflare's routes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hoplon.client.connection import Connection, Reply
from hoplon.client.local_rulesets import NO_RULESET, Changed, found, without
from hoplon.client.remote_zones import CLOUDFLARE, RemoteZones
from hoplon.errors import HoplonError
from hoplon.model.moments import moment_of
from hoplon.model.rules import Rule, RuleFeature, Ruleset, StoredRule
from hoplon.model.versioned import Versioned
from hoplon.rules.form import definition_form, read_definition
from hoplon.service.rule_order import Position

_PHASES: Mapping[RuleFeature, str] = {"rules": "http_request_firewall_custom", "limits": "http_ratelimit"}


class RemoteRulesets:
    """The rules of one feature, named by their refs."""

    def __init__(self, connection: Connection, zones: RemoteZones, feature: RuleFeature) -> None:
        self._connection = connection
        self._zones = zones
        self._feature = feature

    def get(self, zone: str | None = None) -> Ruleset | None:
        """The ruleset, None where there is none yet."""
        try:
            return self._ruleset(self._connection.ask("GET", self._entrypoint(zone)))
        except HoplonError as error:
            if error.code != NO_RULESET:
                raise
            return None

    def add(self, zone: str | None, rule: Rule, position: Position | None = None) -> Changed:
        """Add a rule; without an id or ref it gets one."""
        ruleset, body = self.get(zone), _sent(rule)
        if ruleset is None:
            return self._ask("PUT", self._entrypoint(zone), {"rules": [body]})
        return self._ask("POST", f"{self._root(zone)}/{ruleset.id}/rules", {**body, **_placed(position)})

    def edit(
        self, zone: str | None, ref: str, edit: Callable[[Rule], Rule], position: Position | None = None
    ) -> Changed:
        """Let a rule be what `edit` makes of it, and stand where `position` says."""
        ruleset, rule = found(self.get(zone), ref)
        new = edit(rule)
        body = {} if new == rule else _sent(new)
        return self._ask("PATCH", f"{self._root(zone)}/{ruleset.id}/rules/{rule.id}", {**body, **_placed(position)})

    def remove(self, zone: str | None, refs: Sequence[str]) -> Changed:
        """Remove rules, all or none."""
        ruleset, left = without(self.get(zone), refs)
        rules = [{**_sent(rule), "id": rule.id} for rule in left]
        return self._ask("PUT", f"{self._root(zone)}/{ruleset.id}", {"rules": rules})

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> Changed:
        reply = self._connection.ask(method, path, body=body)
        return Versioned(self._ruleset(reply), reply.version or 0)

    def _ruleset(self, reply: Reply) -> Ruleset:
        form = reply.result
        return Ruleset(
            id=form["id"],
            feature=self._feature,
            version=int(form["version"]),
            name=form["name"],
            description=form["description"],
            last_updated=moment_of(form["last_updated"]),
            rules=tuple(_stored(each) for each in form["rules"]),
        )

    def _root(self, zone: str | None) -> str:
        return f"{CLOUDFLARE}/zones/{self._zones.choose(zone).id}/rulesets"

    def _entrypoint(self, zone: str | None) -> str:
        return f"{self._root(zone)}/phases/{_PHASES[self._feature]}/entrypoint"


def _stored(form: Mapping[str, Any]) -> StoredRule:
    return StoredRule(read_definition(form), int(form["version"]), moment_of(form["last_updated"]))


def _sent(rule: Rule) -> dict[str, Any]:
    form = definition_form(rule, "current")
    return form if rule.ref else {name: value for name, value in form.items() if name != "ref"}


def _placed(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {}
    said = {"index": position.index, "before": position.before, "after": position.after}
    return {"position": {name: value for name, value in said.items() if value is not None}}
