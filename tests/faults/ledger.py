"""What must be true after a crash: a model per writer of what is stored, every bundle that was ever in place, and the
history in the database."""

import hashlib
import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Model:
    """What one writer knows to be stored below its own path: `sure` was acknowledged; of `open` nothing was heard."""

    number: int
    made: int = 0
    acknowledged: int = 0
    sure: dict[str, str] = field(default_factory=dict)
    adding: set[str] = field(default_factory=set)
    removing: set[str] = field(default_factory=set)

    def next_endpoints(self, count: int) -> list[str]:
        self.made += count
        return [f"/w{self.number}/n{number}" for number in range(self.made - count, self.made)]

    def settle(self, stored: dict[str, str]) -> None:
        """Hold what is stored against what must be: nothing lost, and the unanswered write there as a whole or not."""
        certain = {path for path in self.sure if path not in self.removing}
        assert certain <= stored.keys(), f"acknowledged and lost: {sorted(certain - stored.keys())}"
        assert stored.keys() <= self.sure.keys() | self.adding, f"of nobody: {stored.keys() - self.sure.keys()}"
        assert self.adding <= stored.keys() or not (self.adding & stored.keys()), f"half there: {self.adding}"
        assert self.removing <= stored.keys() or not (self.removing & stored.keys()), f"half gone: {self.removing}"
        self.sure, self.adding, self.removing = dict(stored), set(), set()


class Watcher(threading.Thread):
    """Keeps every manifest that was ever put before the gateway, with its parts."""

    def __init__(self, state: Path) -> None:
        super().__init__(daemon=True)
        self._bundles = state / "bundles"
        self._ended = threading.Event()
        self.manifests: dict[str, Any] = {}
        self.parts: dict[str, Any] = {}

    def run(self) -> None:
        while not self._ended.wait(0.005):
            try:
                text = (self._bundles / "current").read_bytes()
            except FileNotFoundError:
                continue
            digest = hashlib.sha256(text).hexdigest()
            if digest not in self.manifests:
                self.manifests[digest] = json.loads(text)
                for part in self.manifests[digest]["parts"]:
                    if part["kind"] == "operations":
                        self.parts[part["sha256"]] = json.loads((self._bundles / "parts" / part["sha256"]).read_bytes())

    def end(self) -> None:
        self._ended.set()
        self.join()


def check_history(store: Path, zone: str) -> None:
    """Versions without a gap, each with its audit entry, and no row of a version that was never committed."""
    with closing(sqlite3.connect(store)) as database:
        versions = [
            row[0] for row in database.execute("SELECT version FROM policy_versions WHERE zone_id = ?", (zone,))
        ]
        (newest,) = database.execute("SELECT version FROM zones WHERE id = ?", (zone,)).fetchone()
        (beyond,) = database.execute(
            "SELECT count(*) FROM operations WHERE first_version > ? OR last_version > ?", (newest, newest)
        ).fetchone()
        (audited,) = database.execute("SELECT count(*) FROM audit_log WHERE zone_id = ?", (zone,)).fetchone()
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert sorted(versions) == list(range(min(versions), newest + 1))
    assert beyond == 0
    assert audited >= newest - 1


def check_bundles(store: Path, watcher: Watcher) -> None:
    """Each bundle holds, of each zone, exactly the operations of the one committed version that its manifest names."""
    assert len(watcher.manifests) > 1
    with closing(sqlite3.connect(store)) as database:
        for manifest in watcher.manifests.values():
            for zone in manifest["zones"]:
                named = (zone["id"], zone["policy_version"])
                committed = database.execute(
                    "SELECT count(*) FROM policy_versions WHERE zone_id = ? AND version = ?", named
                ).fetchone()
                assert committed == (1,), f"{named} was never committed"
                stored = database.execute(
                    "SELECT operation_id, method, host, template FROM operations"
                    " WHERE zone_id = ? AND first_version <= ? AND (last_version IS NULL OR last_version >= ?)",
                    (*named, zone["policy_version"]),
                ).fetchall()
                assert set(stored) == operations_of(manifest, zone["id"], watcher), (
                    f"{named}: another policy than stored"
                )


def operations_of(manifest: Any, zone: str, watcher: Watcher) -> set[tuple[str, ...]]:
    """Id, method, host and path of what a bundle has for a zone."""
    part = next(part for part in manifest["parts"] if part["kind"] == "operations" and part["zone"] == zone)
    return {
        (each["id"], each["method"], each["host"], each["path"]) for each in watcher.parts[part["sha256"]]["operations"]
    }
