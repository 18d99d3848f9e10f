"""Token configurations, token rules and authorization of the Hoplon in a state directory here; the methods of
`hoplon.client.remote_token_validation`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hoplon.model.versioned import Versioned
from hoplon.service import token_rules, token_validation
from hoplon.service.changes import local_actor
from hoplon.service.policy import find_zone
from hoplon.service.token_authorization import get_authorization, set_authorization
from hoplon.service.token_preview import Preview, PreviewFilter, preview
from hoplon.service.token_rules import Position, RuleEdit
from hoplon.service.token_validation import Changed, Jwks, ShownConfiguration
from hoplon.service.workspace import Workspace
from hoplon.tokens.model import Authorization, TokenRule

Configurations = list[ShownConfiguration]


class LocalTokenValidation:
    """Which tokens a zone accepts, and what operations demand of them. `zone` is a name, or None for the only one."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def list(self, zone: str | None) -> Configurations:
        """The configurations, and how fetching their keys goes."""
        return token_validation.list_configurations(self._workspace(), self._zone_id(zone)).value

    def get(self, zone: str | None, identity: str) -> ShownConfiguration:
        """One configuration."""
        return token_validation.get_configuration(self._workspace(), self._zone_id(zone), identity).value

    def add(self, zone: str | None, wanted: Mapping[str, Any], jwks: Jwks) -> Changed:
        """Make a configuration of members of a `TokenConfiguration`."""
        return token_validation.add_configuration(self._workspace(), local_actor(), self._zone_id(zone), wanted, jwks)

    def edit(self, zone: str | None, identity: str, changes: Mapping[str, Any]) -> Changed:
        """Change members of a configuration."""
        zone_id = self._zone_id(zone)
        return token_validation.edit_configuration(self._workspace(), local_actor(), zone_id, identity, changes)

    def remove(self, zone: str | None, identity: str) -> int:
        """Remove a configuration that nothing names; the zone's version."""
        return token_validation.remove_configuration(self._workspace(), local_actor(), self._zone_id(zone), identity)

    def set_keys(self, zone: str | None, identity: str, jwks: Jwks, *, keeps_secrets: bool) -> Changed:
        """Replace the keys of a configuration."""
        return token_validation.replace_keys(
            self._workspace(), local_actor(), self._zone_id(zone), identity, jwks, keeps_secrets=keeps_secrets
        )

    def refresh(self, zone: str | None, identity: str) -> ShownConfiguration:
        """Have the worker fetch the keys of a configuration now."""
        return token_validation.refresh_keys(self._workspace(), local_actor(), self._zone_id(zone), identity)

    def rules(self, zone: str | None) -> Sequence[TokenRule]:
        """The rules, highest precedence first."""
        return token_rules.list_rules(self._workspace(), self._zone_id(zone)).value

    def add_rule(self, zone: str | None, wanted: Mapping[str, Any]) -> TokenRule:
        """Make a rule of members of a `TokenRule`, with the lowest precedence."""
        found = token_rules.add_rules(self._workspace(), local_actor(), self._zone_id(zone), [wanted], path="")
        return found.value[0]

    def edit_rule(
        self, zone: str | None, identity: str, changes: Mapping[str, Any], position: Position | None = None
    ) -> TokenRule:
        """Change a rule, and move it."""
        edits = [RuleEdit(identity, changes, position)]
        found = token_rules.edit_rules(self._workspace(), local_actor(), self._zone_id(zone), edits, path="")
        return found.value[0]

    def remove_rule(self, zone: str | None, identity: str) -> int:
        """Remove a rule; the zone's version."""
        return token_rules.remove_rule(self._workspace(), local_actor(), self._zone_id(zone), identity)

    def preview(self, zone: str | None, hosts: Sequence[str], exclude: Sequence[str]) -> Preview:
        """What a selector would take."""
        return preview(self._workspace(), self._zone_id(zone), hosts, exclude, PreviewFilter())

    def authorization(self, zone: str | None) -> Versioned[Sequence[Authorization]]:
        """Who may use which operation, and the zone's version."""
        found = get_authorization(self._workspace(), self._zone_id(zone))
        return Versioned(found.value, found.version)

    def set_authorization(self, zone: str | None, wanted: Sequence[Authorization], if_match: int) -> int:
        """Replace it; the zone's version."""
        zone_id = self._zone_id(zone)
        return set_authorization(self._workspace(), local_actor(), zone_id, wanted, if_match).version

    def _zone_id(self, zone: str | None) -> str:
        return find_zone(self._workspace(), zone).zone_id
