"""Writes record segments exactly as the gateway does: Arrow IPC streams in `records/open/`, flushed in batches.

The traffic is a shop's: weighted operations, sessions that return (Zipf), log-normal latencies, errors, a scanner that
probes paths which do not exist. Everything follows from the seed. Columnar, so that a benchmark can ask for millions.
"""

import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hoplon.storage.records.layout import KINDS, Layout
from hoplon.storage.records.schema import RecordSchema, current_schema

ZONE = "0123456789abcdef0123456789abcdef"
START = datetime(2026, 3, 2, tzinfo=UTC)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the shop and how it behaves; `{int:N}`, `{uuid}`, `{slug:N}` in `path` are drawn per request."""

    method: str
    path: str
    weight: float
    template: str
    median_ms: float = 8.0
    client_errors: float = 0.02
    server_errors: float = 0.002


SHOP: tuple[Call, ...] = (
    Call("GET", "/users/{int:20000}", 18, "/users/{var1}"),
    Call("GET", "/users/{int:20000}/orders", 9, "/users/{var1}/orders", 15),
    Call("POST", "/orders", 6, "/orders", 40, 0.05, 0.01),
    Call("GET", "/orders/{uuid}", 12, "/orders/{var1}", 12),
    Call("GET", "/orders/{uuid}/items/{int:20}", 6, "/orders/{var1}/items/{var2}"),
    Call("GET", "/products/{slug:500}", 20, "/products/{var1}", 5),
    Call("GET", "/products", 10, "/products", 25),
    Call("PUT", "/carts/{uuid}", 5, "/carts/{var1}", 18, 0.04),
    Call("DELETE", "/carts/{uuid}", 1, "/carts/{var1}", 9),
    Call("POST", "/login", 4, "/login", 90, 0.2),
    Call("GET", "/v1/health", 2, "/v1/health", 1, 0, 0),
    Call("GET", "/v2/health", 2, "/v2/health", 1, 0, 0),
    Call("HEAD", "/products", 1, "/products", 20),
    Call("OPTIONS", "/orders", 2, "/orders", 1, 0, 0),
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What to generate: `rows` requests spread evenly over `seconds` from `start`."""

    rows: int = 1000
    seed: int = 1
    start: datetime = START
    seconds: float = 600.0
    zone: str = ZONE
    host: str = "shop.example.com"
    calls: tuple[Call, ...] = SHOP
    sessions: int = 200
    saved: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(method, template) pairs that the policy of the time had saved."""
    scanner_share: float = 0.02
    sampled_share: float = 0.02


def generate(traffic: Traffic, schema: RecordSchema | None = None) -> dict[str, pa.Table]:
    """The three tables of `traffic`, in the current schema."""
    schema = schema or current_schema()
    random = np.random.default_rng(traffic.seed)
    records = _records(traffic, random)
    columns = {
        "records": records,
        "violations": _violations(records),
        "observations": _observations(records, traffic, random),
    }
    return {kind: table_of(schema, kind, columns[kind]) for kind in KINDS}


def table_of(schema: RecordSchema, kind: str, columns: Mapping[str, Any]) -> pa.Table:
    """A table of `kind` in `schema` from some `columns`; those that are not given are null."""
    target = schema.streamed(kind)
    unknown = set(columns) - set(target.names)
    if unknown:
        raise ValueError(f"the schema has no {kind} column {sorted(unknown)}")
    rows = len(next(iter(columns.values()))) if columns else 0
    arrays = [_array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type) for f in target]
    return pa.Table.from_arrays(arrays, schema=target)


def segment_name(start: datetime, number: int = 0) -> str:
    """A sortable segment id in the form of UUIDv7."""
    return (
        f"{int(start.timestamp() * 1000):012x}"[:8]
        + f"-{int(start.timestamp() * 1000) & 0xFFFF:04x}-7000-8000-{number:012x}"
    )


class SegmentWriter:
    """Appends batches to a segment's three streams and holds its `owner.lock`, as the gateway's writer thread does."""

    def __init__(self, layout: Layout, name: str, schemas: Mapping[str, pa.Schema] | None = None) -> None:
        making = layout.open / f".{name}"
        making.mkdir(parents=True)
        self.path = layout.open / name
        self._lock = os.open(making / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        making.rename(self.path)
        self._files: dict[str, IO[bytes]] = {}
        self._writers: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
        for kind in KINDS:
            self._files[kind] = (self.path / f"{kind}.arrows").open("wb")
            schema = schemas[kind] if schemas else current_schema().streamed(kind)
            self._writers[kind] = pa.ipc.new_stream(self._files[kind], schema)
            self._files[kind].flush()

    def write(self, tables: Mapping[str, pa.Table], batch_rows: int = 512) -> None:
        """Append every table in batches and flush, as happens once a second."""
        for kind, table in tables.items():
            self._writers[kind].write_table(table, max_chunksize=batch_rows)
            self._files[kind].flush()

    def close(self) -> None:
        """End the streams properly and let go of the lock: a rotated segment."""
        for kind in KINDS:
            self._writers[kind].close()
        self.die()

    def die(self) -> None:
        """Let go of everything without ending the streams: a killed gateway."""
        for file in self._files.values():
            file.close()
        os.close(self._lock)


def write_segment(layout: Layout, name: str, tables: Mapping[str, pa.Table], batch_rows: int = 512) -> Path:
    """A rotated segment with `tables`, ready to be sealed."""
    writer = SegmentWriter(layout, name, {kind: table.schema for kind, table in tables.items()})
    writer.write(tables, batch_rows)
    writer.close()
    return writer.path


def _array(values: Any, to: pa.DataType) -> pa.Array:
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array if array.type == to else array.cast(to)


def _records(traffic: Traffic, random: np.random.Generator) -> dict[str, Any]:
    rows = traffic.rows
    calls = traffic.calls
    weights = np.array([call.weight for call in calls])
    which = random.choice(len(calls), rows, p=weights / weights.sum())
    micros = int(traffic.start.timestamp() * 1e6) + np.sort(
        random.integers(0, max(1, int(traffic.seconds * 1e6)), rows)
    )
    scanner = random.random(rows) < traffic.scanner_share
    session = np.minimum(random.zipf(1.3, rows) - 1, traffic.sessions - 1)
    status = _statuses(calls, which, scanner, random)
    median_us = np.array([call.median_ms * 1000 for call in calls])[which]
    duration = np.minimum(median_us * random.lognormal(0, 0.6, rows), 4e9).astype(np.uint32)
    is_saved = np.array([(call.method, call.template) in traffic.saved for call in calls])[which] & ~scanner
    fallthrough = bool(traffic.saved) & ~is_saved
    template = _pick([call.template for call in calls], which)
    return {
        "id": _uuid7(micros, random),
        "time": pa.array(micros, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "zone": _same(traffic.zone, rows),
        "gateway": _same("gw-1", rows),
        "mode": _same("enforce", rows),
        "method": pc.if_else(pa.array(scanner), "GET", _pick([call.method for call in calls], which)),
        "scheme": _same("http", rows),
        "http_version": _same("1.1", rows),
        "host": _same(traffic.host, rows),
        "host_known": pa.array(np.ones(rows, bool)),
        "path": pc.if_else(pa.array(scanner), _probes(rows, random), _paths(calls, which, random)),
        "path_anomalies": _same("", rows),
        "operation_id": pc.if_else(pa.array(is_saved), _pick([f"op-{i}" for i in range(len(calls))], which), None),
        "operation_path": pc.if_else(pa.array(is_saved), template, None),
        "session": pc.if_else(
            pa.array(scanner), "5ca99e5ca99e5ca9", _hex16(traffic.sessions, traffic.seed).take(pa.array(session))
        ),
        "session_source": _same("authorization", rows),
        "session_verified": pa.array(np.zeros(rows, bool)),
        "client": _hex16(traffic.sessions, traffic.seed + 1).take(pa.array(session)),
        "status": pa.array(status.astype(np.uint16)),
        "upstream_status": pa.array(status.astype(np.uint16)),
        "upstream": pa.array(np.zeros(rows, np.uint16)),
        "action": pc.if_else(pa.array(fallthrough), "log", _same("allow", rows)),
        "rule": pc.if_else(pa.array(fallthrough), "operations.fallthrough", pa.nulls(rows, pa.string())),
        "violation_count": pa.array(fallthrough.astype(np.uint16)),
        "failures": _same("", rows),
        "bundle": _same("00112233aabbccdd", rows),
        "request_bytes": pa.array(random.integers(0, 2000, rows).astype(np.uint64)),
        "response_bytes": pa.array(random.integers(100, 20000, rows).astype(np.uint64)),
        "response_content_type": _same("application/json", rows),
        "duration_us": pa.array(duration),
        "upstream_us": pa.array((duration * 0.9).astype(np.uint32)),
        "engine_ns": pa.array(random.integers(400, 4000, rows).astype(np.uint32)),
        "inspection": _same("none", rows),
        "sample_probability": pa.array(
            np.where(random.random(rows) < traffic.sampled_share, 0.02, np.nan), from_pandas=True
        ).cast(pa.float32()),
        "upgraded": pa.array(np.zeros(rows, bool)),
        "retried": pa.array(np.zeros(rows, bool)),
        "tls": pa.array(np.zeros(rows, bool)),
        "request_complete": pa.array(np.ones(rows, bool)),
        "session_policy": _same("", rows),
        "preflight": pa.array(np.zeros(rows, bool)),
        "method_override": pa.array(np.zeros(rows, bool)),
    }


def _statuses(calls: Sequence[Call], which: Ints, scanner: npt.NDArray[np.bool_], random: np.random.Generator) -> Ints:
    draw = random.random(len(which))
    server = np.array([call.server_errors for call in calls])[which]
    client = np.array([call.client_errors for call in calls])[which]
    good = np.array([{"POST": 201, "DELETE": 204, "OPTIONS": 204}.get(call.method, 200) for call in calls])[which]
    return np.where(scanner, 404, np.where(draw < server, 500, np.where(draw < server + client, 404, good)))


def _paths(calls: Sequence[Call], which: Ints, random: np.random.Generator) -> pa.Array:
    """Every request's path; built call by call, then put back in order."""
    order = np.argsort(which, kind="stable")
    counts = np.bincount(which, minlength=len(calls))
    parts = [_call_paths(call, int(count), random) for call, count in zip(calls, counts, strict=True) if count]
    if not parts:
        return pa.array([], pa.string())
    back = np.empty(len(which), np.int64)
    back[order] = np.arange(len(which))
    return pa.concat_arrays(parts).take(pa.array(back))


def _call_paths(call: Call, count: int, random: np.random.Generator) -> pa.Array:
    segments = [_segment(text, count, random) for text in call.path.split("/")[1:]]
    return pc.binary_join_element_wise(_same("", count), *segments, "/")


def _segment(text: str, count: int, random: np.random.Generator) -> pa.Array:
    if text == "{uuid}":
        return _uuid7(random.integers(0, 2**40, count) * 1000, random)
    if text.startswith("{int:"):
        return pa.array(random.integers(1, int(text[5:-1]) + 1, count)).cast(pa.string())
    if text.startswith("{slug:"):
        names = [
            f"{_ADJECTIVES[i % len(_ADJECTIVES)]}-{_THINGS[i // len(_ADJECTIVES) % len(_THINGS)]}-{_letters(i)}"
            for i in range(int(text[6:-1]))
        ]
        return _pick(names, random.integers(0, len(names), count))
    return _same(text, count)


_ADJECTIVES = ("red", "blue", "tiny", "grand", "quiet", "swift", "warm", "odd")
_THINGS = ("shoe", "lamp", "chair", "kettle", "scarf", "clock", "rug", "bowl", "desk", "mug")


def _letters(number: int) -> str:
    return chr(97 + number // 26 % 26) + chr(97 + number % 26)


def _probes(rows: int, random: np.random.Generator) -> pa.Array:
    names = [
        "/wp-login.php",
        "/.env",
        "/admin",
        "/.git/config",
        "/phpmyadmin/index.php",
        "/users/admin",
        "/cgi-bin/test",
    ]
    names += [f"/backup-{_letters(i)}.zip" for i in range(200)]
    return _pick(names, random.integers(0, len(names), rows))


def _violations(records: Mapping[str, Any]) -> dict[str, Any]:
    table = pa.table({name: records[name] for name in ("id", "time", "zone", "rule", "action")})
    hit = table.filter(pc.is_valid(table["rule"]))
    return {
        "record_id": hit["id"],
        "time": hit["time"],
        "zone": hit["zone"],
        "code": hit["rule"],
        "location": _same("path", hit.num_rows),
        "evidence": _same("no saved operation matches", hit.num_rows),
        "rule": hit["rule"],
        "action": hit["action"],
    }


def _observations(records: Mapping[str, Any], traffic: Traffic, random: np.random.Generator) -> dict[str, Any]:
    """Two leaves of each sampled transaction: a query parameter and a response member."""
    table = pa.table({name: records[name] for name in ("id", "time", "zone", "host", "method", "sample_probability")})
    sampled = table.filter(pc.is_valid(table["sample_probability"]))
    rows = sampled.num_rows
    both = pa.concat_tables([sampled, sampled])
    return {
        "record_id": both["id"],
        "time": both["time"],
        "zone": both["zone"],
        "host": both["host"],
        "method": both["method"],
        "direction": pa.array(["request"] * rows + ["response"] * rows, pa.string()),
        "location": pa.array(["query"] * rows + ["body"] * rows, pa.string()),
        "pointer": pa.array(["limit"] * rows + ["/items/*/id"] * rows, pa.string()),
        "type": _same("integer", 2 * rows),
        "length": pa.array(random.integers(1, 6, 2 * rows).astype(np.uint32)),
        "charset": _same("digit", 2 * rows),
        "number": pa.array(random.integers(0, 1000, 2 * rows).astype(np.float64)),
        "formats": pa.array([["integer"]] * (2 * rows), pa.list_(pa.string())),
        "detectors": pa.array([[]] * (2 * rows), pa.list_(pa.string())),
        "hash": _hex16(max(1, 2 * rows), traffic.seed + 2).slice(0, 2 * rows),
    }


def _pick(names: Sequence[str], which: Ints) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(which))


def _same(text: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _hex16(count: int, seed: int) -> pa.Array:
    return _hex(np.random.default_rng(seed).integers(0, 256, (count, 8), dtype=np.uint8))


_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def _hex(octets: npt.NDArray[np.uint8]) -> pa.Array:
    """Lower-case hex of every row of `octets`."""
    digits = np.empty((octets.shape[0], octets.shape[1] * 2), np.uint8)
    digits[:, 0::2] = _DIGITS[octets >> 4]
    digits[:, 1::2] = _DIGITS[octets & 15]
    return _strings(digits)


def _uuid7(micros: Ints, random: np.random.Generator) -> pa.Array:
    """UUIDv7 (RFC 9562 section 5.7) whose time is `micros`."""
    octets = random.integers(0, 256, (len(micros), 16), dtype=np.uint8)
    millis = micros // 1000
    for place in range(6):
        octets[:, place] = (millis >> (8 * (5 - place))) & 255
    octets[:, 6] = 0x70 | (octets[:, 6] & 0x0F)
    octets[:, 8] = 0x80 | (octets[:, 8] & 0x3F)
    digits = np.full((len(micros), 36), ord("-"), np.uint8)
    places = [i for i in range(36) if i not in (8, 13, 18, 23)]
    digits[:, places[0::2]] = _DIGITS[octets >> 4]
    digits[:, places[1::2]] = _DIGITS[octets & 15]
    return _strings(digits)


def _strings(digits: npt.NDArray[np.uint8]) -> pa.Array:
    """Rows of ASCII codes as a string array, without a Python object per row."""
    rows, width = digits.shape
    offsets = pa.py_buffer(np.arange(0, (rows + 1) * width, width, dtype=np.int32))
    return pa.StringArray.from_buffers(rows, offsets, pa.py_buffer(np.ascontiguousarray(digits)))
