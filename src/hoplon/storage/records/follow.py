"""Follows the open segments: takes a records directory, gives records as they are flushed, each once.

Holds no lock: it keeps the streams open, so a segment that is sealed meanwhile is still read to its end.
"""

from collections.abc import Sequence

import pyarrow as pa

from hoplon.storage.records.layout import Layout, OpenSegment, open_segments
from hoplon.storage.records.schema import MIGRATIONS, Migration, RecordSchema, conform, current_schema
from hoplon.storage.records.stream import StreamFollower


class RecordFollower:
    """What was appended to the `records` streams since the last call."""

    def __init__(
        self, layout: Layout, schema: RecordSchema | None = None, migrations: Sequence[Migration] = MIGRATIONS
    ) -> None:
        self._layout = layout
        self._schema = schema or current_schema()
        self._migrations = migrations
        self._streams: dict[str, StreamFollower] = {}

    def read_new(self) -> pa.Table:
        """Records that are new since the last call (the first gives all of the open segments), by time."""
        present = {segment.name: segment for segment in open_segments(self._layout)}
        for name in present.keys() - self._streams.keys():
            self._open(present[name])
        tables = [self._schema.arrow("records").empty_table()]
        for name, stream in list(self._streams.items()):
            table = stream.read_new()
            if table is not None:
                tables.append(conform(table, "records", self._schema, self._migrations))
            if name not in present:
                stream.close()
                del self._streams[name]
        return pa.concat_tables(tables).sort_by("time")

    def close(self) -> None:
        """Close every stream."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _open(self, segment: OpenSegment) -> None:
        try:
            self._streams[segment.name] = StreamFollower(segment.stream("records"))
        except FileNotFoundError:  # sealed in this moment, or its stream is not there yet: the next call sees
            return
