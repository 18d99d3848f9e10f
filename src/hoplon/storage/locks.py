"""Lock files of the state directory (`flock`): one per part, and the short one around a policy change.

The kernel releases them when their process dies, so a lock file left behind means nothing; the pid inside is for
people and is read only while the lock is held.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.storage.state import StateDirectory

_POLL_SECONDS = 0.02
_GLANCE_SECONDS = 0.3
"""Taking a part's lock is retried this long: `part_holder` of another process holds it for an instant to look."""


@contextmanager
def holding_part(state: StateDirectory, part: str) -> Iterator[None]:
    """Hold the lock of `part` for as long as it runs. Raises `part.in_use` when another process is that part."""
    descriptor = _open(state.lock(part))
    try:
        if not _lock_within(descriptor, _GLANCE_SECONDS):
            raise part_in_use(state, part)
        _write_pid(descriptor)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def changing_policy(state: StateDirectory, timeout_seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock under which a policy version is committed and its bundle renamed: one change at a time."""
    descriptor = _open(state.policy_lock)
    try:
        if not _lock_within(descriptor, timeout_seconds):
            raise HoplonError(
                "policy.locked",
                f"another policy change has been under way for {timeout_seconds:g} s",
                f"try again; `fuser {state.policy_lock}` shows who holds it",
            )
        yield
    finally:
        os.close(descriptor)


def part_holder(state: StateDirectory, part: str) -> int | None:
    """The pid of the running `part`, 0 when it runs but did not say its pid, None when it does not run."""
    path = state.lock(part)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _try_lock(descriptor, fcntl.LOCK_SH) else _read_pid(path)
    finally:
        os.close(descriptor)


def part_in_use(state: StateDirectory, part: str) -> HoplonError:
    """The error for a second process of the same part."""
    pid = part_holder(state, part)
    who = f" (pid {pid})" if pid else ""
    what = {"supervisor": "`hoplon up`", "api": "an API"}.get(part, f"a {part}")
    return HoplonError(
        "part.in_use",
        f"{what} is already running in {state.root}{who}",
        f"stop it first{f': kill {pid}' if pid else ''}, or use another --state DIR",
    )


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HoplonError(
            "state.unusable", f"cannot open {path}: {error.strerror}", "run as the user who owns the state directory"
        ) from error


def _lock_within(descriptor: int, timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _try_lock(descriptor: int, operation: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_pid(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _read_pid(path: Path) -> int:
    try:
        return int(path.read_text().strip() or 0)
    except (OSError, ValueError):
        return 0
