"""Replay agrees with the engine: records of one policy, judged by another, are what that policy decides, or unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hoplon.model.policy import Policy
from hoplon.operations.policy import OperationsPolicy, SavedOperation
from hoplon.policy.assembly import ZoneVersion, assemble
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy
from hoplon.storage.records.schema import current_schema

native = pytest.importorskip("hoplon._native")

ZONE = "a" * 32
DEFAULT = default_policy("http://127.0.0.1:1")
GET_USER = SavedOperation("*", "/users/{id}", "GET")
REQUESTS = (
    ("GET", "http://api.example.com/users/1", ()),
    ("GET", "http://api.example.com/users/jane@example.com", ()),
    ("GET", "http://api.example.com/orders", ()),
    ("DELETE", "http://api.example.com/users/1", ()),
    ("GET", "http://api.example.com/users/2", (("x-http-method-override", b"DELETE"),)),
)


def policy(fallthrough: str, *saved: SavedOperation) -> Policy:
    operations = OperationsPolicy(fallthrough, saved)  # type: ignore[arg-type]
    return replace(DEFAULT, features={**DEFAULT.features, "operations": operations})


def bundle_of(wanted: Policy) -> tuple[bytes, Mapping[str, bytes]]:
    bundle = assemble([ZoneVersion(ZONE, 1, datetime(2026, 11, 21, tzinfo=UTC), wanted)], FEATURES)
    return bundle.manifest, dict(bundle.parts)


def records_of(wanted: Policy, folder: Path) -> list[dict[str, Any]]:
    manifest, parts = bundle_of(wanted)
    (folder / "parts").mkdir(parents=True)
    (folder / "current").write_bytes(manifest)
    for name, content in parts.items():
        (folder / "parts" / name).write_bytes(content)
    engine = native.Engine(folder)
    inspected = (
        engine.inspect(method, url, headers=headers, response=(200, [], b"")) for method, url, headers in REQUESTS
    )
    return [{**each["record"], "gateway": "one"} for each in inspected]


def stream_of(records: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> bytes:
    schema = current_schema().streamed("records")
    table = pa.Table.from_pylist(list(records), schema=schema)
    table = table.select(columns) if columns else table
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def replayed(wanted: Policy, *streams: bytes) -> dict[str, Any]:
    replay = native.Replay(*bundle_of(wanted), ZONE)
    for stream in streams:
        replay.update(stream)
    found: dict[str, Any] = replay.result()
    return found


def test_what_a_new_policy_would_have_done_is_counted_with_whom_and_where(tmp_path: Path) -> None:
    records = records_of(policy("none"), tmp_path)
    found = replayed(policy("block", GET_USER), stream_of(records))
    assert (found["records"], found["skipped"]) == (5, {"refused": 0, "elsewhere": 0})
    assert found["would"] == {"allow": 2, "log": 1, "block": 2, "unknown": 0}
    assert found["was"] == {"allow": 4, "log": 1, "block": 0, "refuse": 0}
    assert (found["newly_blocked"], found["no_longer_blocked"]) == (2, 0)
    assert found["examples"]["newly_blocked"] == [records[2]["id"], records[3]["id"]]
    assert found["sessions"] == {"all": 1, "allow": 1, "log": 1, "block": 1, "unknown": 0}
    first = found["rules"][0]
    assert (first["rule"], first["action"], first["operation"], first["matched"], first["decided"]) == (
        "operations.fallthrough",
        "block",
        None,
        2,
        2,
    )
    assert found["rules"][1]["operation_path"] == "/users/{var1}"


def test_what_the_engine_does_then_is_what_replay_said(tmp_path: Path) -> None:
    new = policy("block", GET_USER)
    records = records_of(policy("none"), tmp_path / "old")
    then = records_of(new, tmp_path / "new")
    said = [replayed(new, stream_of([record]))["would"] for record in records]
    assert [max(would, key=lambda word: would[word]) for would in said] == [record["action"] for record in then]


def test_a_segment_that_was_replaced_is_never_taken_for_a_literal(tmp_path: Path) -> None:
    records = records_of(policy("none"), tmp_path)
    jane = SavedOperation("*", "/users/jane@example.com", "GET")
    found = replayed(policy("block", jane), stream_of(records[1:2]))
    assert found["would"]["unknown"] == 1
    assert found["unknown_facts"] == {"cf.api_gateway.fallthrough_detected": 1}


def test_records_of_older_versions_lack_columns_and_leave_verdicts_open(tmp_path: Path) -> None:
    records = records_of(policy("none"), tmp_path)
    newer = {"request_complete", "session_policy", "preflight", "method_override", "form_override", "tokens"}
    names = [name for name in current_schema().streamed("records").names if name not in newer]
    found = replayed(policy("none"), stream_of(records, names))
    assert (found["would"]["unknown"], found["unknown_facts"]) == (5, {"hoplon.method_override": 5})


def test_parts_of_a_replay_add_up(tmp_path: Path) -> None:
    new = policy("block", GET_USER)
    records = records_of(policy("none"), tmp_path)
    whole = replayed(new, stream_of(records))
    parts = [native.Replay(*bundle_of(new), ZONE) for _ in range(2)]
    parts[0].update(stream_of(records[:2]))
    parts[1].update(stream_of(records[2:]))
    parts[0].merge(parts[1])
    assert parts[0].result() == whole == replayed(new, stream_of(records[:3]), stream_of(records[3:]))
    with pytest.raises(ValueError, match="another policy"):
        parts[0].merge(native.Replay(*bundle_of(policy("none")), ZONE))


def test_programs_are_explained_over_a_record(tmp_path: Path) -> None:
    records = records_of(policy("none"), tmp_path)
    replay = native.Replay(*bundle_of(policy("none")), ZONE)
    known = '{"nodes": [["fact", "http.request.method"], ["str", "GET"], ["eq", 0, 1]]}'
    secret = '{"nodes": [["fact", "http.user_agent"]]}'
    answers = replay.explain(stream_of(records[:1]), [known, secret])
    assert answers[0]["result"] == "true"
    assert [node["state"] for node in answers[0]["nodes"]] == ["value", "value", "value"]
    assert answers[1]["nodes"] == [{"state": "not_recorded", "value": None}]
    assert replay.result()["records"] == 0


@pytest.mark.parametrize(
    ("stream", "reason"),
    [(b"", "no Arrow IPC stream"), (b"nonsense", "no Arrow IPC stream"), (None, "no column `")],
)
def test_what_is_no_stream_of_records_is_refused(stream: bytes | None, reason: str) -> None:
    replay = native.Replay(*bundle_of(DEFAULT), ZONE)
    with pytest.raises(ValueError, match=reason):
        replay.update(stream_of([], ["id", "time"]) if stream is None else stream)


def test_a_zone_that_the_bundle_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        native.Replay(*bundle_of(DEFAULT), "b" * 32)
