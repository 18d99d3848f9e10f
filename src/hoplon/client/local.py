"""The Hoplon of a state directory here. Each member is one resource, with the methods of its twin in `remote`.

The store is opened at the first call that needs it: the mode can be switched while it cannot be used.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from hoplon.client.identity import LocalIdentity
from hoplon.client.local_access import LocalAudit, LocalTokens
from hoplon.client.local_decisions import LocalDecisions
from hoplon.client.local_labels import LocalLabels
from hoplon.client.local_operations import LocalOperations
from hoplon.client.local_replays import LocalReplays
from hoplon.client.local_rulesets import LocalRulesets
from hoplon.client.local_token_validation import LocalTokenValidation
from hoplon.errors import HoplonError
from hoplon.model.gateway import RemoteGateway
from hoplon.model.mode import Mode
from hoplon.model.policy import Upstream
from hoplon.model.versions import PolicyVersion
from hoplon.service import policy as policies
from hoplon.service.changes import local_actor
from hoplon.service.doctor.delivery import look_at_following
from hoplon.service.gateway import Acknowledgement, await_bundle
from hoplon.service.gateways import list_gateways, state_of
from hoplon.service.mode import current_mode, note_mode, set_mode
from hoplon.service.policy import Applied, PolicyDifference, choose_zone
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.service.zones import ZoneSummary, create_zone, delete_zone, list_zones, set_upstreams
from hoplon.storage.bundles import manifest_hash
from hoplon.storage.state import StateDirectory, open_state


class Store:
    """The workspace of a state directory, opened when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._opened = ExitStack()
        self._workspace: Workspace | None = None

    def workspace(self, create: bool = False) -> Workspace:
        """The workspace; with `create`, made where it is missing."""
        if self._workspace is None:
            self._workspace = self._opened.enter_context(open_workspace(self._root, create))
        return self._workspace

    def state(self) -> StateDirectory:
        """The state directory without its store. Raises `state.missing`."""
        return open_state(self._root)

    def close(self) -> None:
        self._opened.close()


class Local:
    """The Hoplon in the state directory `root`. A context manager."""

    def __init__(self, root: Path) -> None:
        self._store = Store(root)
        self.zones = LocalZones(self._store)
        self.gateways = LocalGateways(self._store)
        self.mode = LocalMode(self._store)
        self.policy = LocalPolicy(self._store)
        self.operations = LocalOperations(self._store.workspace)
        self.labels = LocalLabels(self._store.workspace)
        self.identity = LocalIdentity(self._store.workspace)
        self.token_validation = LocalTokenValidation(self._store.workspace)
        self.decisions = LocalDecisions(self._store.workspace)
        self.rules = LocalRulesets(self._store.workspace, "rules")
        self.limits = LocalRulesets(self._store.workspace, "limits")
        self.replays = LocalReplays(self._store.workspace)
        self.tokens = LocalTokens(self._store.workspace)
        self.audit = LocalAudit(self._store.workspace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class LocalZones:
    """The zones."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> list[ZoneSummary]:
        return list_zones(self._store.workspace())

    def choose(self, name: str | None) -> ZoneSummary:
        return choose_zone(self.list(), name)

    def add(self, name: str, upstreams: Sequence[str] = ()) -> ZoneSummary:
        return create_zone(self._store.workspace(), local_actor(), name, [Upstream(url) for url in upstreams])

    def set_upstreams(self, name: str, upstreams: Sequence[str]) -> ZoneSummary:
        zone_id = self.choose(name).id
        return set_upstreams(self._store.workspace(), local_actor(), zone_id, [{"url": url} for url in upstreams])

    def remove(self, name: str) -> None:
        delete_zone(self._store.workspace(), local_actor(), self.choose(name).id)


class LocalMode:
    """The one switch over everything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self) -> Mode:
        return current_mode(self._store.state())

    def set(self, mode: Mode) -> Acknowledgement:
        acknowledgement = set_mode(self._store.state(), mode)
        with suppress(HoplonError):
            note_mode(self._store.workspace(), local_actor(), mode)
        return acknowledgement

    def followed(self) -> str | None:
        """The control plane that the gateway here follows, and whose mode comes back with its next answer."""
        following = look_at_following(self._store.state())
        return following.server if following is not None else None


class LocalGateways:
    """The gateways elsewhere that fetch their bundles here."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> list[tuple[RemoteGateway, str]]:
        workspace, now = self._store.workspace(), datetime.now(UTC)
        bundle = manifest_hash(workspace.state.current)
        return [(each, state_of(each, bundle, now)) for each in list_gateways(workspace)]


class LocalPolicy:
    """A zone's policy as one document, and its history."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def export(self, zone: str | None = None, version: int | None = None) -> str:
        return policies.export_policy(self._store.workspace(), zone, version)

    def apply(
        self,
        text: str,
        origin: str = "the policy",
        zone: str | None = None,
        create: bool = False,
        wait_seconds: float = 5.0,
    ) -> tuple[Applied, Acknowledgement]:
        workspace = self._store.workspace(create)
        applied = policies.apply_policy(workspace, text, origin, zone, create)
        return applied, await_bundle(workspace.state, applied.bundle, wait_seconds)

    def diff(self, text: str, origin: str = "the policy", zone: str | None = None) -> PolicyDifference:
        return policies.diff_policy(self._store.workspace(), text, origin, zone)

    def rollback(
        self, zone: str | None = None, to_version: int | None = None, wait_seconds: float = 5.0
    ) -> tuple[Applied, Acknowledgement]:
        workspace = self._store.workspace()
        applied = policies.rollback_policy(workspace, zone, to_version)
        return applied, await_bundle(workspace.state, applied.bundle, wait_seconds)

    def history(self, zone: str | None = None, limit: int = 50) -> list[PolicyVersion]:
        return policies.policy_history(self._store.workspace(), zone, limit)
