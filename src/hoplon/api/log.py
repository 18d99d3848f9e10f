"""The API's log: one JSON line per exchange and per error, on stdout. No token is ever in it.

When stdout is the file that the supervisor gave, it is put aside beyond a size, so that requests cannot fill the disk.
"""

import json
import logging
import os
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoplon.api.exchange import Exchange

LOG_BYTES = 10 * 1024**2
_LINES_PER_LOOK = 1000


class Log(logging.Handler):
    """Writes lines to stdout, those of Python's loggers too; what cannot be written is dropped."""

    def __init__(self, file: Path | None = None) -> None:
        """`file`: where stdout goes, when it shall be kept short."""
        super().__init__()
        self._file = file if file is not None and _is_stdout(file) else None
        self._lines = 0

    def exchange(self, exchange: Exchange) -> None:
        self._write(
            "info",
            "request",
            id=exchange.id,
            method=exchange.method,
            path=exchange.path[:1024],
            status=exchange.status,
            seconds=round(exchange.seconds, 6),
            address=exchange.address,
            caller=exchange.caller,
        )

    def failure(self, request_id: str, error: BaseException) -> None:
        """An error that nobody foresaw, with where it happened."""
        places = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        self._write("error", f"{type(error).__name__}: {error}", id=request_id, places=places[-12:])

    def emit(self, record: logging.LogRecord) -> None:
        """A line of a library, or of `service`."""
        self._write(record.levelname.lower(), record.getMessage(), logger=record.name)

    def say(self, level: str, message: str, **more: Any) -> None:
        """Something about the process itself."""
        self._write(level, message, **more)

    def _write(self, level: str, message: str, **more: Any) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, "level": level, "part": "api", "message": message, **more})
        with suppress(OSError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        self._lines += 1
        if self._file is not None and self._lines % _LINES_PER_LOOK == 0:
            with suppress(OSError):
                _put_aside(self._file)


def _is_stdout(file: Path) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):
        return False


def _put_aside(file: Path) -> None:
    """Rename a log that has grown and let stdout and stderr go on in a new one."""
    if file.stat().st_size <= LOG_BYTES:
        return
    file.replace(file.with_name(f"{file.name}.1"))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    os.close(descriptor)
