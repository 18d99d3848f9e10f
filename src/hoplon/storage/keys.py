"""Keys of the installation. `records.key`: 32 random bytes under which sessions, clients and values are hashed."""

import secrets
import stat
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.storage.files import replace_file
from hoplon.storage.state import StateDirectory

KEY_BYTES = 32


def ensure_keys(state: StateDirectory) -> None:
    """Create what is missing and refuse what is damaged: a changed key would make every stored hash meaningless."""
    if not state.records_key.exists():
        replace_file(state.records_key, secrets.token_bytes(KEY_BYTES))
        return
    if fault := key_fault(state.records_key):
        raise HoplonError("keys.unusable", f"{state.records_key} {fault}", "restore it from a backup")


def key_fault(path: Path) -> str | None:
    """What is wrong with a key's content, None when it can be used."""
    try:
        size_bytes = path.stat().st_size
        path.open("rb").close()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if size_bytes == KEY_BYTES else f"has {size_bytes} bytes instead of {KEY_BYTES}"


def is_readable_by_others(path: Path) -> bool:
    """Whether somebody other than the owner may read or write `path`."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
