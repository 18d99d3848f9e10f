"""A few decided requests in a state directory: what a gateway would have written of them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hoplon.storage.records import Layout
from hoplon.storage.records.schema import current_schema
from hoplon.storage.state import StateDirectory
from support.records import SegmentWriter, segment_name, table_of

_RECORD: Mapping[str, Any] = {
    "gateway": "g",
    "mode": "enforce",
    "method": "GET",
    "scheme": "https",
    "http_version": "1.1",
    "host": "api.example.com",
    "host_known": True,
    "path": "/users/1",
    "path_anomalies": "",
    "operation_id": None,
    "operation_path": None,
    "session": "00000000000000aa",
    "session_source": "authorization",
    "session_verified": False,
    "client": "00000000000000bb",
    "status": 200,
    "action": "allow",
    "rule": None,
    "failures": "",
    "bundle": "",
    "duration_us": 1000,
    "inspection": "none",
    "request_complete": True,
    "session_policy": "",
    "preflight": False,
    "method_override": False,
    "form_override": False,
}


@dataclass(frozen=True)
class Decided:
    """One request `ago` before now: columns unlike a plain GET's, and (code, rule, action) of its violations."""

    ago: timedelta
    columns: Mapping[str, Any]
    violations: tuple[tuple[str, str | None, str], ...] = ()


def write_decided(state: StateDirectory, zone_id: str, requests: list[Decided]) -> list[str]:
    """Writes them into a segment of their own; their ids, in the same order."""
    now = datetime.now(UTC)
    records, violations, ids = [], [], []
    for request in requests:
        time = now - request.ago
        record_id = _uuid7(time)
        ids.append(record_id)
        own = {"id": record_id, "time": time, "zone": zone_id}
        records.append({**_RECORD, **own, "violation_count": len(request.violations), **request.columns})
        violations += [
            {"record_id": record_id, "time": time, "zone": records[-1]["zone"], "location": "path", **found}
            for found in (
                {"code": code, "evidence": "kinds and lengths only", "rule": rule, "action": action}
                for code, rule, action in request.violations
            )
        ]
    schema = current_schema()
    tables = {
        kind: table_of(schema, kind, {name: [row[name] for row in rows] for name in rows[0]} if rows else {})
        for kind, rows in (("records", records), ("violations", violations), ("observations", []))
    }
    writer = SegmentWriter(Layout.of_state(state.root), segment_name(now, uuid.uuid4().int % 10**9))
    writer.write(tables)
    writer.close()
    return ids


def _uuid7(time: datetime) -> str:
    random = uuid.uuid4().int & ((1 << 76) - 1)
    return str(uuid.UUID(int=(int(time.timestamp() * 1000) << 80 | 0x7 << 76 | random) & ~(0x3 << 62) | 0x2 << 62))
