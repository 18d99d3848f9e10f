"""Gathers everything that the checks judge, at one moment. What cannot be read is part of the answer.

It changes nothing but a database of an older version, which it migrates as every command does.
"""

import json
import shutil
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hoplon.errors import HoplonError
from hoplon.model.policy import Policy, Upstream
from hoplon.model.versions import PolicyVersion
from hoplon.service.doctor.access import AccessView, look_at_access, open_files
from hoplon.service.doctor.deciding import FailingRule, look_at_failures
from hoplon.service.doctor.delivery import DeliveryView, LateGateway, look_at_following, look_at_gateways
from hoplon.service.doctor.key_sets import KeySetView, look_at_key_sets
from hoplon.service.gateway import GatewayStatus, gateway_status
from hoplon.service.identity_proposal import Proposal, propose_identifiers
from hoplon.service.listeners import open_listeners
from hoplon.service.policy import all_zones
from hoplon.service.workspace import Workspace
from hoplon.settings.fields import Settings
from hoplon.storage.bundles import manifest_hash, read_mode
from hoplon.storage.database import database_revision, open_database
from hoplon.storage.keys import key_fault
from hoplon.storage.locks import part_holder
from hoplon.storage.records.layout import Layout, open_segments
from hoplon.storage.state import PARTS, StateDirectory
from hoplon.storage.token_secrets import named_secrets, read_token_secrets

CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class UpstreamView:
    """One upstream of one zone, and what a connection to it gave (None: it was accepted)."""

    zone: str
    url: str
    fault: str | None
    ca_file_fault: str | None


@dataclass(frozen=True, slots=True)
class Setup:
    """One installation at one moment. Members are None where there is nothing, an error where it cannot be read."""

    state: StateDirectory
    now: datetime
    disk_free_bytes: int
    disk_total_bytes: int
    open_to_others: tuple[Path, ...]
    key_fault: str | None
    database_error: HoplonError | None
    zones: tuple[tuple[PolicyVersion, Policy], ...]
    committed_bundle: str | None
    current_bundle: str | None
    last_good_bundle: str | None
    mode: str | HoplonError
    holders: dict[str, int | None]
    gateway: GatewayStatus | None
    worker: dict[str, Any] | None
    worker_age_seconds: float | None
    unsealed_segments: int
    upstreams: tuple[UpstreamView, ...]
    listen_error: HoplonError | None
    alerts: dict[str, str] = field(default_factory=dict)
    access: AccessView = AccessView()  # noqa: RUF009 - frozen
    delivery: DeliveryView = DeliveryView()  # noqa: RUF009 - frozen
    key_sets: tuple[KeySetView, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    lost_token_secrets: int = 0
    failing_rules: tuple[FailingRule, ...] = ()


def look(state: StateDirectory, settings: Settings) -> Setup:
    """The set-up now. Waits at most `CONNECT_SECONDS` for upstreams."""
    now = datetime.now(UTC)
    disk = shutil.disk_usage(state.root)
    store = _look_at_store(state, now)
    holders = {part: part_holder(state, part) for part in ("supervisor", *PARTS)}
    status = gateway_status(state)
    worker, worker_age = _worker_status(state, now)
    return Setup(
        state=state,
        now=now,
        disk_free_bytes=disk.free,
        disk_total_bytes=disk.total,
        open_to_others=open_files(state),
        key_fault=key_fault(state.records_key),
        database_error=store.error,
        zones=store.zones,
        committed_bundle=store.committed,
        current_bundle=manifest_hash(state.current),
        last_good_bundle=manifest_hash(state.last_good),
        mode=_or_error(lambda: str(read_mode(state))),
        holders=holders,
        gateway=status,
        worker=worker,
        worker_age_seconds=worker_age,
        unsealed_segments=len(open_segments(Layout.of_state(state.root))),
        upstreams=_upstreams(store.zones),
        listen_error=None if holders["gateway"] is not None else _listen_error(settings),
        alerts=status.alerts if status is not None and holders["gateway"] is not None else {},
        access=store.access,
        delivery=DeliveryView(look_at_following(state), store.late),
        key_sets=store.key_sets,
        lost_token_secrets=_lost_token_secrets(state),
        proposals=store.proposals,
        failing_rules=look_at_failures(state, now),
    )


def _lost_token_secrets(state: StateDirectory) -> int:
    """How many secrets the bundle in place names that the gateway cannot read."""
    try:
        named = named_secrets(state, state.current.read_bytes())
    except OSError:
        return 0
    return len(named - read_token_secrets(state).keys())


@dataclass(frozen=True, slots=True)
class StoreView:
    """What the database knows, or why it cannot give it; `committed` is the hash of the bundle that it makes."""

    error: HoplonError | None = None
    zones: tuple[tuple[PolicyVersion, Policy], ...] = ()
    committed: str | None = None
    access: AccessView = AccessView()  # noqa: RUF009 - frozen
    late: tuple[LateGateway, ...] = ()
    key_sets: tuple[KeySetView, ...] = ()
    proposals: tuple[Proposal, ...] = ()


def _look_at_store(state: StateDirectory, now: datetime) -> StoreView:
    """A database that is missing is not made."""
    if not state.database.exists():
        return StoreView()
    try:
        if database_revision(state.database) is None:
            return StoreView()
        database = open_database(state.database)
        try:
            workspace = Workspace(state, database)
            return StoreView(
                zones=tuple(all_zones(workspace)),
                committed=workspace.assembler.committed(),
                access=look_at_access(workspace),
                late=look_at_gateways(workspace, now),
                key_sets=look_at_key_sets(workspace),
                proposals=tuple(propose_identifiers(workspace, now)),
            )
        finally:
            database.dispose()
    except HoplonError as error:
        return StoreView(error)


def _worker_status(state: StateDirectory, now: datetime) -> tuple[dict[str, Any] | None, float | None]:
    path = state.status("worker")
    try:
        document = json.loads(path.read_bytes())
        age_seconds = now.timestamp() - path.stat().st_mtime
    except (OSError, ValueError):
        return None, None
    return (document, age_seconds) if isinstance(document, dict) else (None, None)


def _upstreams(zones: tuple[tuple[PolicyVersion, Policy], ...]) -> tuple[UpstreamView, ...]:
    pairs = [(version.zone_name, upstream) for version, policy in zones for upstream in policy.zone.upstreams]
    if not pairs:
        return ()
    with ThreadPoolExecutor(max_workers=min(16, len(pairs))) as pool:
        return tuple(pool.map(lambda pair: look_at_upstream(*pair), pairs))


def look_at_upstream(zone: str, upstream: Upstream) -> UpstreamView:
    """Whether an upstream of this zone takes a connection. Waits `CONNECT_SECONDS` at most per address."""
    try:
        _connect(upstream.url)
        fault = None
    except OSError as error:
        fault = error.strerror or str(error)
    return UpstreamView(zone, upstream.url, fault, _unreadable(upstream.ca_file))


def _connect(url: str) -> None:
    """Connects to an upstream as the gateway would, without TLS."""
    if url.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONNECT_SECONDS)
            connection.connect(url.removeprefix("unix:"))
        return
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS).close()


def _unreadable(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        Path(path).open("rb").close()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None


def _listen_error(settings: Settings) -> HoplonError | None:
    try:
        with open_listeners(settings):
            return None
    except HoplonError as error:
        return error


def _or_error(read: Callable[[], str]) -> str | HoplonError:
    try:
        return read()
    except HoplonError as error:
        return error
