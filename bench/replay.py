"""Replay: records/s of one core under 20 custom rules, 3 limits and the saved operations of the records' shop.

`python -m bench.replay [--records 500000] [--json]`, with `PYTHONPATH=tests`. Beside it, in the same run: the engine
asked from Python with each request made anew from its record (how one would do it without a replay), and what DuckDB
takes to answer four such questions over the same table in SQL, on one thread: a floor, for it judges nothing.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from hoplon import _native
from hoplon.policy.assembly import ZoneVersion, assemble
from hoplon.policy.document import read_policy
from hoplon.service.features import FEATURES
from support.records import SHOP, ZONE, Traffic, generate

Figures = dict[str, Any]
RECORDS = 500_000
INSPECTED = 5_000
BATCH_ROWS = 8192
REPEATS = 3
EXPRESSIONS = (
    'http.request.uri.path wildcard "/admin/*"',
    'http.request.method in {"PUT" "DELETE"} and not ssl',
    'http.host eq "internal.example.com"',
    "http.request.body.size gt 1000000",
    'any(hoplon.path.anomalies[*] eq "dot_segments")',
    'http.request.uri.path matches "^/(wp-|[.]env|[.]git)"',
    'starts_with(http.request.uri.path, "/internal/") and http.request.method ne "GET"',
    "hoplon.path.normalised or hoplon.method_override",
    'http.request.version eq "HTTP/1.0" and not cf.api_gateway.auth_id_present',
    'lower(http.request.uri.path.extension) in {"php" "asp" "bak"}',
)
SQL = """
SELECT count(*) FILTER (path LIKE '/admin/%'), count(*) FILTER (method IN ('PUT', 'DELETE') AND scheme <> 'https'),
    count(*) FILTER (upstream_status >= 500), count(*) FILTER (regexp_matches(path, '^/(wp-|[.]env|[.]git)'))
FROM records
"""


def main() -> None:
    """Measure and print, as a table or as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    figures = measure(options.records)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value}")


def measure(records: int) -> Figures:
    """Records per second of processor time, the best of three, and what was found."""
    table = generate(Traffic(records, seconds=records / 500, sessions=5_000))["records"]
    streams = [_stream(batch) for batch in table.to_batches(max_chunksize=BATCH_ROWS)]
    manifest, parts = _bundle()
    found: Figures = {}

    def replay() -> None:
        replay = _native.Replay(manifest, parts, ZONE)
        for stream in streams:
            replay.update(stream)
        found.update(replay.result())

    rates = {
        "records_per_second": records / _best(replay),
        "engine_from_python_per_second": INSPECTED / _best(_inspecting(table.slice(0, INSPECTED), manifest, parts)),
        "sql_of_four_rules_per_second": records / _best(_asking(table)),
    }
    would = {f"would_{word}": count for word, count in found["would"].items()}
    return {
        "records": records,
        "rules": 2 * len(EXPRESSIONS),
        "limits": 3,
        **{k: round(v) for k, v in rates.items()},
        **would,
    }


def _best(work: Callable[[], object]) -> float:
    """Seconds of processor time, of all threads: what waits costs nothing."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _bundle() -> tuple[bytes, dict[str, bytes]]:
    policy = read_policy(_document(), FEATURES)
    bundle = assemble([ZoneVersion(ZONE, 1, datetime(2026, 11, 21, tzinfo=UTC), policy)], FEATURES)
    return bundle.manifest, dict(bundle.parts)


def _document() -> str:
    saved = sorted({(call.method, call.template) for call in SHOP})
    operations = [f"[[operations.saved]]\nmethod = {_text(method)}\npath = {_text(path)}" for method, path in saved]
    rules = [
        f"[[rules.custom]]\nref = {_text(f'rule{number}')}\naction = {_text(action)}\nexpression = {_text(expression)}"
        for number, (action, expression) in enumerate(
            (action, expression) for action in ("log", "block") for expression in EXPRESSIONS
        )
    ]
    upstream = '[[zone.upstreams]]\nurl = "http://127.0.0.1:1"'
    return "\n".join(["format = 1", upstream, *operations, *rules, *_limits()])


def _limits() -> list[str]:
    """Per session, per client on one path, and what fails, counted by its response."""
    return [
        _limit("session", 'http.request.uri.path ne "/v1/health"', "hoplon.session", 120),
        _limit("login", 'http.request.uri.path eq "/login"', "ip.src", 10),
        _limit("errors", 'http.request.method eq "GET"', "hoplon.session", 20)
        + '\ncounting_expression = "http.response.code ge 400"',
    ]


def _limit(ref: str, expression: str, characteristic: str, requests: int) -> str:
    said = (
        f"ref = {_text(ref)}\naction = 'log'\nexpression = {_text(expression)}\ncharacteristics = ['{characteristic}']"
    )
    return f"[[limits.rules]]\n{said}\nperiod = 60\nrequests_per_period = {requests}\nmitigation_timeout = 60"


def _text(value: str) -> str:
    return json.dumps(value)


def _inspecting(table: pa.Table, manifest: bytes, parts: dict[str, bytes]) -> Callable[[], object]:
    with tempfile.TemporaryDirectory(prefix="hoplon-replay-") as name:
        folder = Path(name)
        (folder / "parts").mkdir()
        (folder / "current").write_bytes(manifest)
        for part, content in parts.items():
            (folder / "parts" / part).write_bytes(content)
        engine = _native.Engine(folder)
    rows = table.select(["method", "host", "path", "status"]).to_pylist()

    def inspect() -> None:
        for row in rows:
            url = f"http://{row['host']}{row['path']}"
            engine.inspect(row["method"], url, response=(row["status"], [], b""))

    return inspect


def _asking(table: pa.Table) -> Callable[[], object]:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.register("records", table)
    return lambda: connection.execute(SQL).fetchall()


if __name__ == "__main__":
    main()
