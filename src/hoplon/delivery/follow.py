"""The loop of a following gateway: ask, verify, put parts in place, then the manifest, then say how it went.

Whatever fails, the gateway serves what it has, and the next attempt comes after a growing pause. Only this thread
writes into `bundles/` of a following gateway.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hoplon.delivery.control_plane import ControlPlane
from hoplon.delivery.following import Following
from hoplon.delivery.offer import Manifest, Offer, read_manifest, read_offer, refuse_older
from hoplon.delivery.status import DeliveryStatus, begin_status, write_status
from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.storage.bundles import (
    activate_bundle,
    has_part,
    read_generation,
    read_mode,
    receive_part,
    write_generation,
    write_mode,
)
from hoplon.storage.state import StateDirectory
from hoplon.storage.token_secrets import named_secrets, read_token_secrets, write_token_secrets

WAIT_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 10.0
_LEAST_PAUSE_SECONDS = 0.05
"""Between two answers, so that a control plane that answers nonsense at once is not asked without end."""


def start_following(following: Following) -> threading.Thread:
    """Follow for as long as this process lives, in a thread that does not hold up its end."""
    follower = Follower(following)
    thread = threading.Thread(target=follower.run, name="hoplon-delivery", daemon=True)
    thread.start()
    return thread


def pause_seconds(failures: int, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures in a row: 0.5 s, doubling, at most 10 s, of which up to half is left out
    by chance, so that many gateways do not come back at the same moment."""
    longest = min(_MAX_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return longest * (1 - chance() / 2)


class Follower:
    """One gateway's state directory and the control plane that it follows."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._state = StateDirectory(Path(following.state))
        self._control_plane = ControlPlane(following)
        self._held = _manifest_in_place(self._state)
        self._is_whole = self._held is not None and _is_whole(self._state, self._held)
        self._status = begin_status(self._state, following.server, self._held.hash if self._held else None)
        self._failures = 0
        self._is_heard = False
        self._accepts_older = following.accept_older

    def run(self) -> None:
        """Follow without end."""
        while True:
            time.sleep(self.attempt())

    def attempt(self) -> float:
        """Ask once and take what is offered; after how many seconds to ask again."""
        try:
            self._follow_once()
        except HoplonError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 - whatever fails, the gateway goes on, and so does this thread
            return self._failed(HoplonError("delivery.failed", f"{type(error).__name__}: {error}"))
        if self._failures:
            _log("info", "delivery", f"{self._following.server} is heard again")
        self._failures, self._is_heard = 0, True
        self._say(self._status.heard(self._held.hash if self._held else None))
        return _LEAST_PAUSE_SECONDS

    def _follow_once(self) -> None:
        """The first question after a silence is answered at once, so that the status soon says that all is well."""
        document = self._control_plane.poll(self._known(), WAIT_SECONDS if self._is_heard else 0)
        if document is not None:
            self._take(read_offer(document))

    def _known(self) -> dict[str, str]:
        """What the gateway has, and what it really serves: the latter is for the control plane's list of gateways."""
        try:
            mode = str(read_mode(self._state))
        except HoplonError:
            mode = ""
        after = self._held.hash if self._held and self._is_whole else ""
        return {"after": after, "mode": mode, "name": self._following.name, "serves": _served(self._state) or ""}

    def _take(self, offer: Offer) -> None:
        """Make the offer the state directory's: the mode first, for it is the kill switch."""
        if not self._accepts_older:
            refuse_older(offer, self._held, read_generation(self._state))
        self._take_mode(offer.mode)
        if offer.manifest is not None:
            self._take_bundle(offer.manifest)
        if offer.generation != read_generation(self._state):
            write_generation(self._state, offer.generation)
        self._accepts_older = False

    def _take_mode(self, mode: Mode) -> None:
        try:
            if read_mode(self._state) == mode:
                return
        except HoplonError:
            _log("warn", "delivery", "the mode here could not be read and is written anew")
        write_mode(self._state, mode)

    def _take_bundle(self, manifest: Manifest) -> None:
        """Parts, then the manifest by one rename: the gateway finds all of a bundle or does not see it."""
        for digest, size_bytes in manifest.parts.items():
            if not has_part(self._state, digest):
                receive_part(self._state, digest, size_bytes, self._control_plane.part(digest))
        self._take_secrets(manifest)
        activate_bundle(self._state, manifest.content)
        self._held, self._is_whole = manifest, True
        _log("info", "delivery", f"bundle {manifest.hash[:16]} has come from {self._following.server}")

    def _take_secrets(self, manifest: Manifest) -> None:
        """The secrets that its keys name, beside those of the bundle before; none is asked for twice."""
        named, known = named_secrets(self._state, manifest.content), read_token_secrets(self._state)
        if named - known.keys():
            known |= self._control_plane.secrets()
        if lost := named - known.keys():
            raise HoplonError("delivery.no_secret", f"{len(lost)} secrets of its token keys are not there")
        before = named_secrets(self._state, self._held.content) if self._held else set()
        write_token_secrets(self._state, {name: known[name] for name in (named | before) & known.keys()})

    def _failed(self, error: HoplonError) -> float:
        """Say why, once per cause, and how long to wait."""
        self._control_plane.close()
        self._failures += 1
        self._is_heard = False
        if self._status.error_code != error.code:
            _log("warn", error.code, f"{error.message}; the gateway goes on with what it has")
        self._say(self._status.failed(error))
        return pause_seconds(self._failures)

    def _say(self, status: DeliveryStatus) -> None:
        self._status = status
        try:
            write_status(self._state, status)
        except OSError as error:
            _log("warn", "delivery.status", f"the status could not be written: {error}")


def _manifest_in_place(state: StateDirectory) -> Manifest | None:
    try:
        return read_manifest(state.current.read_bytes())
    except (OSError, HoplonError):
        return None


def _is_whole(state: StateDirectory, manifest: Manifest) -> bool:
    """Whether all parts are there and intact; a bundle with a damaged one is fetched again."""
    return all(has_part(state, digest) for digest in manifest.parts)


def _served(state: StateDirectory) -> str | None:
    """The bundle that the gateway itself says it serves."""
    try:
        document = json.loads(state.status("gateway").read_bytes())
        return str(document["bundle"]) if document.get("bundle") else None
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def _log(level: str, event: str, message: str) -> None:
    """One line in the form of the gateway's own log (crates/gateway/src/log.rs)."""
    line = {"time": time.time(), "level": level, "event": event, "message": message}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
