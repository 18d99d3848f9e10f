"""A backup file: one tar archive with a list of its members and their hashes. What they mean is not known here.

    backup.json   {"format": 1, "created_at": …, "members": {"hoplon.db": {"sha256": …, "bytes": …}, …}, …}
    hoplon.db, keys/…, …

Everything is checked before anything is believed: only names that the reader expects, plain files, whole and unchanged.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hoplon.errors import HoplonError
from hoplon.storage.files import sync_directory

FORMAT = 1
LIST = "backup.json"
_CHUNK_BYTES = 1 << 20
_LIST_BYTES = 1 << 20


def write_archive(file: Path, members: Mapping[str, Path], about: Mapping[str, Any]) -> int:
    """Make `file` (mode 0600) the archive of `members`, by name, as a whole or not at all; its size in bytes."""
    hashes = {name: {"sha256": _sha256(path), "bytes": path.stat().st_size} for name, path in members.items()}
    listing = json.dumps({"format": FORMAT, **about, "members": hashes}, indent=2).encode()
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            with tarfile.open(fileobj=output, mode="w") as archive:
                archive.addfile(_entry(LIST, len(listing)), io.BytesIO(listing))
                for name, path in members.items():
                    with path.open("rb") as content:
                        archive.addfile(_entry(name, path.stat().st_size), content)
            output.flush()
            os.fsync(output.fileno())
        unfinished.replace(file)
        sync_directory(file.parent)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise HoplonError(
            "output.unwritable", f"cannot write {file}: {error.strerror}", "nothing was written"
        ) from error
    return file.stat().st_size


def read_archive(file: Path, into: Path, allowed: frozenset[str]) -> dict[str, Any]:
    """Unpack the members of `file` below the existing directory `into`, all verified; the list of the archive.

    Raises `backup.invalid` for what is no archive of ours, is not whole, or holds a name that is not `allowed`.
    """
    with _explained(file), tarfile.open(file, mode="r:") as archive:
        listing = _listing(archive, file)
        members: dict[str, dict[str, Any]] = listing["members"]
        for name, known in members.items():
            if name not in allowed:
                raise invalid(file, f"it holds `{name}`, which this version of Hoplon does not know")
            _unpack(archive, name, into / name, known, file)
        return listing


def _listing(archive: tarfile.TarFile, file: Path) -> dict[str, Any]:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.name == LIST and first.isfile() else None
    if content is None:
        raise invalid(file, f"it does not begin with `{LIST}`")
    listing: dict[str, Any] = json.loads(content.read(_LIST_BYTES))
    if listing.get("format") != FORMAT:
        raise invalid(file, f"it has format {listing.get('format')}; this version of Hoplon reads format {FORMAT}")
    return listing


def _unpack(archive: tarfile.TarFile, name: str, target: Path, known: Mapping[str, Any], file: Path) -> None:
    member = archive.getmember(name)
    is_plain = member.isfile() and not member.issparse()  # a sparse file of a few bytes can fill any disk
    content = archive.extractfile(member) if is_plain else None
    if content is None or member.size != known["bytes"]:
        raise invalid(file, f"`{name}` is not what its list says")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        while chunk := content.read(_CHUNK_BYTES):
            output.write(chunk)
        output.flush()
        os.fsync(output.fileno())
    if _sha256(target) != known["sha256"]:
        raise invalid(file, f"`{name}` has changed since it was written")


def _entry(name: str, size_bytes: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size_bytes, 0o600
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise HoplonError(
            "backup.invalid", f"there is no file {error.filename}", "name the file of a backup"
        ) from error
    except OSError as error:
        message = f"{file} cannot be restored: {error.strerror or error}"
        raise HoplonError("backup.invalid", message, "nothing was changed") from error
    except (tarfile.TarError, ValueError, LookupError, TypeError, AttributeError, EOFError, RecursionError) as error:
        raise invalid(file, f"it is no whole archive ({error})") from error


def invalid(file: Path, reason: str) -> HoplonError:
    """The error for a file that is no backup; only for before anything has been changed."""
    return HoplonError("backup.invalid", f"{file} is no backup that can be restored: {reason}", "nothing was changed")
