"""Load generators: wrk as fast as it goes (closed loop), h2load at a fixed rate (open loop). They judge nothing."""

import re
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.machine import LOAD_CORE

CONNECTIONS = 64
_UNIT_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Burst(NamedTuple):
    """What one run of a load generator saw; times in milliseconds."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def closed_loop(
    port: int, target: str, seconds: float, connections: int = CONNECTIONS, headers: Sequence[str] = ()
) -> Burst:
    """Each connection sends its next request when the answer to the last one is there."""
    # fmt: off
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--latency",
               "--timeout", "10s", *_sent(headers), f"http://127.0.0.1:{port}{target}"]
    # fmt: on
    return parse_wrk(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def parse_wrk(output: str) -> Burst:
    """Reads what `wrk --latency` prints. A refused answer and a socket error are both failures."""
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    failed = sum(int(count) for count in errors.groups()) if errors else 0
    return Burst(
        requests=int(_found(r"(\d+) requests in", output)),
        requests_per_second=float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        p50_ms=_milliseconds(_found(r"(?m)^\s+50%\s+(\S+)", output)),
        p99_ms=_milliseconds(_found(r"(?m)^\s+99%\s+(\S+)", output)),
        failed=failed + (int(refused.group(1)) if refused else 0),
    )


def _found(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    if match is None:
        raise ValueError(f"wrk's output has no {pattern!r}: {output!r}")
    return match.group(1)


def _milliseconds(text: str) -> float:
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(value) * _UNIT_MILLISECONDS[unit]


def fixed_rate(
    port: int,
    target: str,
    seconds: float,
    rate: float,
    folder: Path,
    connections: int = CONNECTIONS,
    headers: Sequence[str] = (),
) -> Burst:
    """Sends `rate` requests/s whatever the answers do: a stall is not hidden by a generator that waits for it."""
    log = folder / "h2load.tsv"
    log.unlink(missing_ok=True)
    # fmt: off
    command = ["taskset", "-c", str(LOAD_CORE), "h2load", "--h1", "-t1", f"-c{connections}", f"-D{round(seconds)}",
               f"--rps={rate / connections:.3f}", f"--log-file={log}", *_sent(headers), f"http://127.0.0.1:{port}{target}"]
    # fmt: on
    subprocess.run(command, check=True, capture_output=True)
    return parse_h2load_log(log.read_text(), seconds)


def _sent(headers: Sequence[str]) -> list[str]:
    return [argument for header in headers for argument in ("-H", header)]


def parse_h2load_log(text: str, seconds: float) -> Burst:
    """Reads h2load's log: one line per request with its start, status (-1 = failed) and duration in microseconds."""
    rows = [line.split("\t") for line in text.splitlines()]
    durations = sorted(int(duration) for _, _, duration in rows)
    if len(durations) < 2:
        raise ValueError("h2load logged no requests")
    cuts = statistics.quantiles(durations, n=100, method="inclusive")
    failed = sum(1 for _, status, _ in rows if not 200 <= int(status) < 400)
    return Burst(len(rows), len(rows) / seconds, cuts[49] / 1000, cuts[98] / 1000, failed)
