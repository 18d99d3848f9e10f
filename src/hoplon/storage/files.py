"""Writing small files so that a reader, and a crash, see the old content or the new one, never half of it."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int = 0o600, *, is_directory_synced: bool = True) -> None:
    """Make `content` the content of `path`: written beside it, synced, renamed over it, directory synced.

    Who writes many files into one directory says `is_directory_synced=False` and calls `sync_directory` once.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        _write_synced(temporary, content, mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if is_directory_synced:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames inside `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
