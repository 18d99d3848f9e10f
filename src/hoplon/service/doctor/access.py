"""What `hoplon doctor` sees of tokens, secrets and the audit log: files that others may read, keys that are gone, and
entries that are not what was written."""

import stat
from dataclasses import dataclass
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.model.audit import AuditFault
from hoplon.service.audit import verify_audit
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading
from hoplon.storage.sealing import load_keys
from hoplon.storage.secrets import keys_in_use
from hoplon.storage.state import StateDirectory


@dataclass(frozen=True, slots=True)
class AccessView:
    """`lost_secrets`: so many lie under a key that is not here; `key_error`: the key that is here cannot be used."""

    audit_faults: tuple[AuditFault, ...] = ()
    lost_secrets: int = 0
    key_error: HoplonError | None = None


def open_files(state: StateDirectory) -> tuple[Path, ...]:
    """The files with secrets, and the directory of keys, that somebody else than the owner may read or change."""
    keys = sorted(state.keys.iterdir()) if state.keys.is_dir() else []
    return tuple(path for path in (state.keys, *keys, state.api_token, state.database) if _is_open_to_others(path))


def look_at_access(workspace: Workspace) -> AccessView:
    """The audit log, all of it, and the keys that the secrets need."""
    try:
        keys, key_error = load_keys(workspace.state), None
    except HoplonError as error:
        keys, key_error = None, error
    with reading(workspace.database) as connection:
        used = keys_in_use(connection)
    known = keys.keys if keys is not None else {}
    return AccessView(
        audit_faults=verify_audit(workspace).faults,
        lost_secrets=sum(count for key_id, count in used.items() if key_id not in known),
        key_error=key_error,
    )


def _is_open_to_others(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
