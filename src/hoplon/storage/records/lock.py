"""The lock of the record files: readers share it while they list and read, who renames or deletes holds it alone.

`flock` on `records/.lock`, as the gateway does in Rust. Released by the kernel when a process dies, so it never needs
repair. Every call opens the file anew: two threads of one process exclude each other as two processes do.
`flock` alone lets a stream of readers starve the sealer, so everybody passes a turnstile first (`records/.turn`), and
who wants to change stays in it while the readers before him finish.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hoplon.storage.records.layout import Layout

_POLL_SECONDS = 0.005


class RecordsBusyError(TimeoutError):
    """The lock was not free in time."""


@contextmanager
def reading(layout: Layout, timeout_seconds: float = 30.0) -> Iterator[None]:
    """Hold the lock shared: nothing is renamed or deleted meanwhile. Without a records directory nothing is held."""
    if not layout.root.is_dir():
        yield
        return
    with ExitStack() as turnstile, ExitStack() as lock:
        turnstile.enter_context(_held(layout.turn, fcntl.LOCK_EX, timeout_seconds))
        lock.enter_context(_held(layout.lock, fcntl.LOCK_SH, timeout_seconds))
        turnstile.close()
        yield


@contextmanager
def changing(layout: Layout, timeout_seconds: float = 30.0) -> Iterator[None]:
    """Hold the lock alone: nobody reads, seals or deletes meanwhile. Keep it for renames only."""
    layout.root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as turnstile, ExitStack() as lock:
        turnstile.enter_context(_held(layout.turn, fcntl.LOCK_EX, timeout_seconds))
        lock.enter_context(_held(layout.lock, fcntl.LOCK_EX, timeout_seconds))
        turnstile.close()
        yield


@contextmanager
def owning(owner_lock: Path) -> Iterator[bool]:
    """Try to take a segment's `owner.lock`; True when nobody writes the segment any more."""
    try:
        descriptor = os.open(owner_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


@contextmanager
def _held(path: Path, operation: int, timeout_seconds: float) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + timeout_seconds
        while not _try(descriptor, operation):
            if time.monotonic() >= deadline:
                raise RecordsBusyError(f"the lock {path} was held by another process for {timeout_seconds:g} s")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
