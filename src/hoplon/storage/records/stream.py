"""Reads one Arrow IPC stream that may still grow, or that a killed gateway left torn: takes bytes, gives whole batches.

A stream is a run of messages (Arrow columnar format, "IPC streaming format"): the schema, then record batches. What
counts is every message that is complete; a torn tail is normal and dropped, a broken message in mid-stream is damage.
It must not know what the columns mean.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc

_BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError)
"""What pyarrow raises for bytes that are no stream."""


_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class StreamContent:
    """What a stream held: complete batches, bytes of a torn tail, and a sentence when it is damaged beyond that."""

    table: pa.Table | None
    end_bytes: int
    torn_bytes: int
    damage: str | None


def read_stream(path: Path) -> StreamContent:
    """Every complete batch of the stream at `path`; nothing when the file is missing or has no complete schema yet."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    return parse_stream(content)


def parse_stream(content: bytes) -> StreamContent:
    """Every complete batch of `content`, checked in full, up to the first message that is torn or damaged."""
    head, end, damage = _complete_messages(content)
    if head == 0:
        return StreamContent(None, 0, len(content), damage)
    table, bad_batch = _read_batches(content[:end])
    torn_bytes = 0 if content[end:] == _END_OF_STREAM else len(content) - end
    return StreamContent(table, end, torn_bytes, bad_batch or damage)


class StreamFollower:
    """Reads what was appended to a stream since the last call; keeps it open, so a sealed stream is read to its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._head = b""
        self._rest = b""

    def read_new(self) -> pa.Table | None:
        """The batches that became complete since the last call, or None."""
        self._rest += self._file.read()
        if not self._head and not self._take_head():
            return None
        content = self._head + self._rest
        _, end, _ = _complete_messages(content)
        if end <= len(self._head):
            return None
        self._rest = content[end:]
        table, _ = _read_batches(content[:end])
        return table

    def close(self) -> None:
        self._file.close()

    def _take_head(self) -> bool:
        head, _, _ = _complete_messages(self._rest)
        self._head, self._rest = self._rest[:head], self._rest[head:]
        return head > 0


def _complete_messages(content: bytes) -> tuple[int, int, str | None]:
    """(end of the schema message or 0, end of the last complete message, damage that stopped the scan or None)."""
    reader = pa.BufferReader(content)
    head = end = 0
    while True:
        try:
            message = ipc.read_message(reader)
        except EOFError:
            return head, end, None
        except _BROKEN as error:
            is_torn = _is_torn(content, end, reader.tell())
            return head, end, None if is_torn else f"broken message at byte {end}: {error}"
        if head == 0 and message.type != "schema":
            return 0, 0, f"the stream begins with a {message.type}, not with its schema"
        end = reader.tell()
        head = head or end


def _is_torn(content: bytes, start: int, read_until: int) -> bool:
    """Whether the message at `start` (marker, u32 length, metadata, body) is cut off by the end of the file."""
    prefix = content[start : start + 8]
    if len(prefix) < 8:
        return True
    is_message = prefix[:4] == b"\xff\xff\xff\xff"
    metadata_end = start + 8 + int.from_bytes(prefix[4:], "little")
    return is_message and (metadata_end > len(content) or read_until >= len(content))


def _read_batches(content: bytes) -> tuple[pa.Table | None, str | None]:
    """The batches of complete messages; stops before one whose buffers contradict each other."""
    try:
        reader = ipc.open_stream(pa.py_buffer(content))
        _ = reader.schema.names  # decodes them: a damaged name is no UTF-8
    except _BROKEN as error:
        return None, f"unreadable schema: {error}"
    batches: list[pa.RecordBatch] = []
    damage = None
    while True:
        try:
            batch = reader.read_next_batch()
            batch.validate(full=True)
        except StopIteration:
            break
        except _BROKEN as error:
            damage = f"broken batch {len(batches)}: {error}"
            break
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=reader.schema), damage
