"""The engine of a bundle folder, kept up with what is put in place there: takes the folder, gives the engine of now.

A thread of its own looks once a second; a bundle that does not load leaves the one before in force.
"""

import logging
import os
import threading
import weakref
from pathlib import Path
from typing import cast

from hoplon._native import Engine
from hoplon.asgi.settings import Counts, Mode
from hoplon.errors import HoplonError

WATCH_SECONDS = 1.0
_WATCHED = ("current", "mode", "../keys/token_secrets.json")
"""The manifest of the bundle, the one switch, and the keys of tokens that stand in no bundle."""
KEY_BYTES = 32
_MODES = ("enforce", "log", "off")
_log = logging.getLogger("hoplon.asgi")

_Stamp = tuple[int, int, int] | None
"""What tells a file from the next one at its place; inodes are used again, so there is more than that."""


class Loaded:
    """The engine with the bundle in force, and the mode. Raises `shield.no_bundles` when there is no such folder."""

    def __init__(self, bundles: Path, key: bytes | None, mode: Mode | None, counts: Counts) -> None:
        if not bundles.is_dir():
            hint = "the folder `bundles` of a state directory, or what `hoplon gateway --server` fetches"
            raise HoplonError("shield.no_bundles", f"{bundles} is no folder", hint)
        self._bundles = bundles
        self._mode = mode
        self._counts = counts
        self._stamps: tuple[_Stamp, ...] = ()
        self._watch: threading.Thread | None = None
        self._closed = threading.Event()
        self.engine = Engine.without_bundle(_key(bundles) if key is None else key)
        self.mode: Mode = mode or "enforce"
        self.look()

    def begin(self) -> None:
        """Start watching, in the process that serves: threads do not survive a fork."""
        if self._watch is None or not self._watch.is_alive():
            self._watch = threading.Thread(target=_watch, args=(weakref.ref(self), self._closed), daemon=True)
            self._watch.name = "hoplon-bundles"
            self._watch.start()

    def close(self) -> None:
        """End watching."""
        self._closed.set()

    def look(self) -> None:
        """Take what is in place now, if it is not what was taken or refused before."""
        stamps = tuple(_stamp(self._bundles / name) for name in _WATCHED)
        if stamps == self._stamps:
            return
        self._stamps = stamps
        if self._mode is None:
            self._read_mode()
        if stamps[0] is not None:
            self._load()
        elif self.engine.bundle == NO_BUNDLE:
            _log.error("no bundle in %s yet: every request is answered with 503", self._bundles)

    def _load(self) -> None:
        try:
            self.engine = self.engine.refreshed(self._bundles)
        except (OSError, ValueError) as error:
            self._counts.bundles_refused += 1
            _log.error("the bundle in %s is refused, the one before stays: %s", self._bundles, error)
            return
        self._counts.bundles_loaded += 1
        _log.info("bundle %s is in force", self.engine.bundle[:16])

    def _read_mode(self) -> None:
        """The one switch; when it cannot be read, what it was before stays."""
        try:
            word = (self._bundles / "mode").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            word = "enforce"
        except (OSError, ValueError) as error:
            word = str(error)
        if word not in _MODES:
            _log.error("the mode in %s cannot be read, %s stays", self._bundles, self.mode)
            return
        self.mode = cast("Mode", word)


NO_BUNDLE = "0" * 64
"""The hash that an engine without a bundle says."""


def _watch(loaded: "weakref.ref[Loaded]", closed: threading.Event) -> None:
    """Until it is closed or nobody holds it any more."""
    while not closed.wait(WATCH_SECONDS):
        found = loaded()
        if found is None:
            return
        try:
            found.look()
        except Exception:  # noqa: BLE001 - whatever it is, the next look may find it mended
            _log.exception("looking for a new bundle failed; it is tried again")
        del found


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _key(bundles: Path) -> bytes:
    """The installation's key for hashes where `bundles` lies in its state directory, else one of this process."""
    try:
        key = (bundles.parent / "keys" / "records.key").read_bytes()
    except OSError:
        key = b""
    return key if len(key) == KEY_BYTES else os.urandom(KEY_BYTES)
