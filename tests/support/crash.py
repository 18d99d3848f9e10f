"""A process that dies at a chosen rename: handed to whoever renames, in place of `Path.replace`."""

from collections.abc import Callable
from pathlib import Path


class Crash(BaseException):
    """The process died here."""


def crash_at(step: int, *, after: bool) -> Callable[[Path, Path], None]:
    """Renames, until the one with this number (from 0): it dies there, before the rename or right `after` it."""
    left = [step]

    def rename(source: Path, target: Path) -> None:
        if left[0] == 0 and not after:
            raise Crash
        source.replace(target)
        if left[0] == 0:
            raise Crash
        left[0] -= 1

    return rename
