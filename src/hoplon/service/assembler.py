"""From committed versions to the bundle in place. Never inside the transaction of a change: what is committed is what
counts, and a crash before the bundle is in place is mended by the next one who looks.

At once on the command line; in the API shortly after the first of several changes, by a thread of its own.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from hoplon.errors import HoplonError, Problem
from hoplon.model.versions import PolicyBundle
from hoplon.model.zone import Zone
from hoplon.policy.assembly import (
    CompiledZone,
    ZoneVersion,
    compile_version,
    join,
    secrets_of,
    with_fetched_keys,
)
from hoplon.service.features import FEATURES
from hoplon.service.rule_lists import RuleLists, Stamps
from hoplon.service.stores import load_policy
from hoplon.service.token_secrets import open_token_secrets
from hoplon.storage import policies
from hoplon.storage.bundles import activate_bundle, manifest_hash, stage_parts
from hoplon.storage.database import reading, transaction
from hoplon.storage.key_sets import Fetched, fetched_keys
from hoplon.storage.locks import changing_policy
from hoplon.storage.state import StateDirectory
from hoplon.storage.token_secrets import named_secrets, read_token_secrets, write_token_secrets

CheckBundle = Callable[[bytes, Mapping[str, bytes]], list[tuple[str, str]]]
"""Manifest and parts to the (path, message) of every error the engine finds in them."""

DEBOUNCE_SECONDS = 0.2
"""Changes that come within this time after a first one share its bundle."""
HEAL_SECONDS = 2.0
"""How often the thread looks for versions that somebody committed and did not put in place."""

_Version = tuple[str, int, datetime]
"""Zone, version and its moment: after a backup was restored the same number may be another policy."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Committed:
    """The zones as one reading transaction saw them; those without upstream are not among the compiled."""

    zones: tuple[Zone, ...]
    compiled: tuple[CompiledZone, ...]
    unnamed: tuple[Zone, ...]
    fetched: Fetched
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A zone's share of the bundle (None: it has no upstream), and the lists that it was made of as they were."""

    compiled: CompiledZone | None
    lists: Stamps

    def is_of(self, lists: Stamps) -> bool:
        return self.lists == _named(self.compiled, lists)


class Assembler:
    """Puts the bundle of the committed versions in place.

    `error` is why the last attempt failed, None when it did not: then the bundle before goes on. `assemblies` counts
    the bundles that were put in place.
    """

    def __init__(self, state: StateDirectory, database: Engine, check_bundle: CheckBundle) -> None:
        self.error: HoplonError | None = None
        self.assemblies = 0
        self._state = state
        self._database = database
        self._check_bundle = check_bundle
        self._compiled: dict[_Version, _Kept] = {}
        self._in_place: tuple[tuple[_Version, ...], Fetched, str | None] | None = None
        self._one_at_a_time = threading.Lock()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def request(self) -> None:
        """A version was committed: put it in place, at once or, where the thread runs, soon."""
        if self._thread is None:
            self.settle()
        else:
            self._wanted.set()

    def settle(self) -> str | None:
        """Put what is committed in place now; the bundle's hash, None when no zone has an upstream.

        Raises `bundle.unwritable`, `bundle.refused` or an error of the store; the bundle before stays, and what is
        committed stays committed.
        """
        with self._one_at_a_time, changing_policy(self._state):
            committed = self._read()
            bundle = self._install(committed)
            if bundle is not None and committed.unnamed:
                with transaction(self._database) as connection:
                    for zone in committed.unnamed:
                        policies.name_bundle(connection, zone.id, zone.version, bundle)
            self._in_place = (tuple(map(_version, committed.zones)), committed.fetched, bundle)
            self.error = None
            return bundle

    def start(self) -> None:
        """Let a thread do it from now on, until `close`. It begins with what was left undone before."""
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, name="assembler", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what was requested before is put in place."""
        if self._thread is not None:
            self._closed.set()
            self._wanted.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._wanted.wait(HEAL_SECONDS):
                self._closed.wait(DEBOUNCE_SECONDS)
                self._wanted.clear()
            self._try()
        self._try()

    def _try(self) -> None:
        """Failing is no reason to stop: the next look may find the disk free again, and the API goes on committing."""
        try:
            if not self._is_in_place():
                self.settle()
        except HoplonError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must live on and say so
            message = f"the committed policy could not be assembled: {type(error).__name__}: {error}"
            self._fail(
                HoplonError("bundle.failed", message, "please report it; traffic goes on under the bundle before")
            )

    def _fail(self, error: HoplonError) -> None:
        if self.error is None or self.error.message != error.message:
            _log.error("the committed policy is not in place: %s", error.message)
        self.error = error

    def _is_in_place(self) -> bool:
        """Whether nothing was committed since, and nobody touched the manifest."""
        if self._in_place is None:
            return False
        with reading(self._database) as connection:
            versions = tuple(map(_version, policies.all_zones(connection)))
            lists = RuleLists(connection).stamps
            fetched = fetched_keys(connection)
        is_current = all(kept.is_of(lists) for kept in self._compiled.values())
        return is_current and self._in_place == (versions, fetched, manifest_hash(self._state.current))

    def committed(self) -> str | None:
        """The hash of the bundle that the committed versions make, whatever is in place; None when no zone has an
        upstream."""
        with reading(self._database) as connection:
            active = self._active(connection, policies.all_zones(connection), fetched_keys(connection))
        return join(active).hash if active else None

    def _read(self) -> _Committed:
        with reading(self._database) as connection:
            zones, fetched = tuple(policies.all_zones(connection)), fetched_keys(connection)
            active = self._active(connection, zones, fetched)
            served = {each.zone_id for each in active}
            unnamed = served & policies.zones_without_bundle(connection)
            secrets = open_token_secrets(connection, self._state, set().union(*map(secrets_of, active)))
        self._compiled = {key: self._compiled[key] for key in map(_version, zones)}
        return _Committed(zones, active, tuple(zone for zone in zones if zone.id in unnamed), fetched, secrets)

    def _active(self, connection: Connection, zones: Sequence[Zone], fetched: Fetched) -> tuple[CompiledZone, ...]:
        """The compiled zones that have an upstream, each with its fetched keys."""
        lists = RuleLists(connection)
        compiled = [self._compile(connection, zone, lists) for zone in zones]
        return tuple(with_fetched_keys(each, fetched.get(each.zone_id, {})) for each in compiled if each is not None)

    def _compile(self, connection: Connection, zone: Zone, lists: RuleLists) -> CompiledZone | None:
        """The zone's share of the bundle, None when it has no upstream; kept while the version is the newest and the
        lists that it names are as they were."""
        kept = self._compiled.get(_version(zone))
        if kept is None or not kept.is_of(lists.stamps):
            policy = load_policy(connection, zone.id)
            version = ZoneVersion(zone.id, zone.version, zone.modified_at, policy)
            compiled = compile_version(version, FEATURES, lists) if policy.zone.is_active else None
            kept = self._compiled[_version(zone)] = _Kept(compiled, _named(compiled, lists.stamps))
        return kept.compiled

    def _install(self, committed: _Committed) -> str | None:
        if not committed.compiled:
            return None
        bundle = join(committed.compiled)
        if manifest_hash(self._state.current) != bundle.hash:
            self._check(bundle)
            stage_parts(self._state, bundle.parts)
            self._place_secrets(committed)
            activate_bundle(self._state, bundle.manifest)
            self.assemblies += 1
        else:
            self._place_secrets(committed)
        return bundle.hash

    def _place_secrets(self, committed: _Committed) -> None:
        """Those of the new bundle, of the one in place and of the one to which the gateway could fall back."""
        known = read_token_secrets(self._state)
        before = {
            name for path in (self._state.current, self._state.last_good) for name in _named_at(self._state, path)
        }
        kept = before & known.keys()
        write_token_secrets(self._state, {**{name: known[name] for name in kept}, **committed.secrets})

    def _check(self, bundle: PolicyBundle) -> None:
        refused = self._check_bundle(bundle.manifest, bundle.parts)
        if refused:
            problems = tuple(Problem(path, message) for path, message in refused)
            message = "the engine refuses the bundle of the committed policy; traffic goes on under the one before"
            raise HoplonError(
                "bundle.refused", message, "`hoplon policy rollback` takes back the last change", problems
            )


def _named_at(state: StateDirectory, manifest: Path) -> set[str]:
    try:
        return named_secrets(state, manifest.read_bytes())
    except OSError:
        return set()


def _version(zone: Zone) -> _Version:
    return zone.id, zone.version, zone.modified_at


def _named(compiled: CompiledZone | None, lists: Stamps) -> Stamps:
    """Of these lists, those that a zone's share of the bundle names."""
    return {} if compiled is None else {name: lists[name] for name in compiled.lists if name in lists}
