"""Bundles on disk: content-addressed parts, a manifest put in place by one atomic rename, and the cleaning up.

    bundles/current   bundles/last_good   bundles/parts/<sha256>   bundles/history/<manifest sha256>
    bundles/generation: how often the policy versions began anew (a restored backup); missing means 0

Parts are on disk before the manifest that names them; whoever reads `current` finds everything. Callers hold the
policy lock.
"""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.model.versions import PolicyBundle
from hoplon.storage.files import replace_file, sync_directory
from hoplon.storage.state import StateDirectory

KEPT_MANIFESTS = 20
"""So many recent manifests stay loadable, for looking back."""


def stage_parts(state: StateDirectory, parts: Mapping[str, bytes]) -> None:
    """Write parts that are not there yet, by their hash. Unless a manifest names them they are cleaned up some day."""
    missing = {digest: content for digest, content in parts.items() if not has_part(state, digest)}
    try:
        for digest, content in missing.items():
            replace_file(state.bundle_parts / digest, content, is_directory_synced=False)
        if missing:
            sync_directory(state.bundle_parts)
    except OSError as error:
        raise _unwritable(error) from error


def activate_bundle(state: StateDirectory, manifest: bytes) -> None:
    """Make the manifest of staged parts the current one by one rename, then clean up. A crash leaves the old or the new
    one."""
    try:
        replace_file(state.current, manifest)
    except OSError as error:
        raise _unwritable(error) from error
    with suppress(OSError):  # only for looking back
        _remember(state, manifest)
    collect_garbage(state)


def _remember(state: StateDirectory, manifest: bytes) -> None:
    _history(state).mkdir(exist_ok=True, mode=0o700)
    replace_file(_history(state) / hashlib.sha256(manifest).hexdigest(), manifest)


def has_part(state: StateDirectory, digest: str) -> bool:
    """Whether a part is there with the content that its name says; one that is torn or cannot be read is not."""
    try:
        return manifest_hash(state.bundle_parts / digest) == digest
    except OSError:
        return False


def receive_part(state: StateDirectory, digest: str, size_bytes: int, pieces: Iterable[bytes]) -> None:
    """Write a part that comes in pieces. Raises `delivery.corrupt` when they are not what its name and size say."""
    target = state.bundle_parts / digest
    temporary = target.with_name(f".{digest}.{secrets.token_hex(6)}")
    try:
        with open(temporary, "xb", opener=_private) as file:
            found, received_bytes = hashlib.sha256(), 0
            for piece in pieces:
                received_bytes += len(piece)
                if received_bytes > size_bytes:
                    break
                found.update(piece)
                file.write(piece)
            if received_bytes != size_bytes or found.hexdigest() != digest:
                raise HoplonError("delivery.corrupt", f"part {digest[:16]} arrived with another content")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise _unwritable(error) from error
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(state.bundle_parts)


def read_generation(state: StateDirectory) -> int:
    """The generation of the policy versions in this state directory; 0 when it never changed."""
    try:
        return int(state.generation.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def write_generation(state: StateDirectory, generation: int) -> None:
    """Say that the bundles here are of `generation`."""
    replace_file(state.generation, f"{generation}\n".encode())


def begin_generation(state: StateDirectory) -> None:
    """Say that policy versions begin anew here (a backup was restored): gateways that follow accept older ones once."""
    write_generation(state, max(read_generation(state) + 1, int(time.time())))


def manifest_hash(path: Path) -> str | None:
    """The hash of the bundle whose manifest is at `path`; None when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def current_bundle(state: StateDirectory) -> PolicyBundle | None:
    """The bundle in place, with those of its parts that are there; None when there is none."""
    try:
        manifest = state.current.read_bytes()
    except FileNotFoundError:
        return None
    digests = [digest for digest in _part_digests(state.current) if (state.bundle_parts / digest).is_file()]
    return PolicyBundle(manifest, {digest: (state.bundle_parts / digest).read_bytes() for digest in digests})


def part_digests(manifest: bytes, kind: str) -> list[str]:
    """The hashes of the parts of one kind that a manifest names; none where it is broken."""
    try:
        document: Any = json.loads(manifest)
        return [str(part["sha256"]) for part in document["parts"] if part["kind"] == kind]
    except (ValueError, KeyError, TypeError):
        return []


def collect_garbage(state: StateDirectory) -> int:
    """Delete parts that neither `current`, `last_good` nor a recent manifest names; how many were deleted."""
    recent = _newest_first(_history(state))
    kept = [state.current, state.last_good, *recent[:KEPT_MANIFESTS]]
    for manifest in recent[KEPT_MANIFESTS:]:
        manifest.unlink(missing_ok=True)
    needed = {digest for manifest in kept for digest in _part_digests(manifest)}
    unneeded = [part for part in state.bundle_parts.iterdir() if part.name not in needed]
    for part in unneeded:
        part.unlink(missing_ok=True)
    return len(unneeded)


def read_mode(state: StateDirectory) -> Mode:
    """The mode that is set; `enforce` when none is. Raises `mode.unreadable` when the file holds something else."""
    try:
        return Mode(state.mode.read_text().strip())
    except FileNotFoundError:
        return Mode.ENFORCE
    except (ValueError, OSError) as error:
        message = f"{state.mode} holds no mode"
        raise HoplonError("mode.unreadable", message, "`hoplon mode enforce` writes it anew") from error


def write_mode(state: StateDirectory, mode: Mode) -> None:
    """Set the mode; the gateway takes it within a second."""
    try:
        replace_file(state.mode, f"{mode}\n".encode())
    except OSError as error:
        message = f"cannot write {state.mode}: {error.strerror}"
        raise HoplonError("state.unusable", message, "run as the user who owns the state directory") from error


def _unwritable(error: OSError) -> HoplonError:
    message = f"the bundle could not be written: {error.strerror} ({error.filename})"
    hint = (
        "traffic goes on under the bundle before; make room, then try again (`hoplon policy history` says what is kept)"
    )
    return HoplonError("bundle.unwritable", message, hint)


def _history(state: StateDirectory) -> Path:
    return state.bundles / "history"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _newest_first(directory: Path) -> list[Path]:
    return (
        sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        if directory.is_dir()
        else []
    )


def _part_digests(manifest: Path) -> Iterable[str]:
    """What a manifest needs; nothing when it is missing or broken, for then nobody can load it either."""
    try:
        document: Any = json.loads(manifest.read_bytes())
        return [str(part["sha256"]) for part in document["parts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
