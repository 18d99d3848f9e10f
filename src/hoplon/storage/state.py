"""The state directory: where everything that Hoplon keeps lies. Names only; these files are the interface between
the Python half and the gateway, so their places never depend on a setting."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from hoplon.errors import HoplonError

PARTS: tuple[str, ...] = ("gateway", "api", "worker")
"""The parts that run as processes of their own, each under its own lock."""


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The files below one state directory."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "hoplon.db"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def records_key(self) -> Path:
        """32 random bytes, mode 0600: the key under which sessions, clients and values are hashed."""
        return self.keys / "records.key"

    @property
    def installation_key(self) -> Path:
        """32 random bytes, mode 0600: the key under which the secrets of the database are sealed."""
        return self.keys / "installation.key"

    @property
    def installation_key_previous(self) -> Path:
        """The key before, as long as it is being replaced."""
        return self.keys / "installation.key.previous"

    @property
    def token_secrets(self) -> Path:
        """The secrets that the bundle in place names by id, mode 0600: `hoplon.storage.token_secrets` writes them."""
        return self.keys / "token_secrets.json"

    @property
    def api_token(self) -> Path:
        """The API token that the first start made, mode 0600."""
        return self.root / "api-token"

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    @property
    def current(self) -> Path:
        """The manifest that the gateway shall serve. Only `hoplon.storage.bundles` replaces it."""
        return self.bundles / "current"

    @property
    def last_good(self) -> Path:
        """The gateway's copy of the last manifest that it could load."""
        return self.bundles / "last_good"

    @property
    def bundle_parts(self) -> Path:
        return self.bundles / "parts"

    @property
    def mode(self) -> Path:
        """One word: `enforce`, `log` or `off`. Missing means `enforce`."""
        return self.bundles / "mode"

    @property
    def generation(self) -> Path:
        """How often policy versions began anew: a number, larger after a restored backup. Missing means 0."""
        return self.bundles / "generation"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def policy_lock(self) -> Path:
        """Held while a policy version is committed and its bundle put in place."""
        return self.run / "policy.lock"

    def lock(self, part: str) -> Path:
        """The lock of a part (`gateway`, `api`, `worker`, `supervisor`); its content is the holder's pid."""
        return self.run / f"{part}.lock"

    def status(self, part: str) -> Path:
        """What the part `gateway`, `api` or `worker` last said about itself (JSON)."""
        return self.run / f"{part}.status.json"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"


def create_state(root: Path) -> StateDirectory:
    """The state directory at `root`, made where it is missing. Only its owner may look inside."""
    state = StateDirectory(root.absolute())
    try:
        state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (state.keys, state.bundles, state.bundle_parts, state.run, state.records, state.logs):
            directory.mkdir(exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError) as error:
        message = f"{root} cannot be a state directory: {error.filename} is a file"
        raise HoplonError("state.unusable", message, "choose another --state DIR") from error
    except OSError as error:
        message = f"cannot create the state directory {root}: {error.strerror}"
        raise HoplonError("state.unusable", message, "choose another --state DIR") from error
    _refuse_foreign(state)
    return state


def _refuse_foreign(state: StateDirectory) -> None:
    """Raise `state.unusable` where another user could choose the key or the policy, or could have done so before."""
    for directory in (state.root, state.keys, state.bundles, state.bundle_parts, state.run, state.records, state.logs):
        found = directory.stat()
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
            message = f"{directory} belongs to another user, or everybody may write to it"
            raise HoplonError("state.unusable", message, "choose another --state DIR, or `chmod o-w` and `chown` it")


def open_state(root: Path) -> StateDirectory:
    """The existing state directory at `root`. Raises `state.missing` when there is none."""
    state = StateDirectory(root.absolute())
    if not state.bundles.is_dir() or not state.run.is_dir():
        raise HoplonError(
            "state.missing",
            f"no state directory at {root}",
            "`hoplon up --upstream URL` creates one; --state DIR or HOPLON_STATE says where it is",
        )
    if not os.access(state.root, os.R_OK | os.X_OK):
        raise HoplonError("state.unusable", f"cannot read the state directory {root}", "run as the user who owns it")
    return state
