"""The rows of the published table: each takes the arena, measures one thing, and gives figures as plain JSON data."""

import http.client
import itertools
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, NamedTuple

from bench import control_plane, tokens
from bench.bundle import Manifest, Options, load, write_bundle, write_state
from bench.deciding import Variant
from bench.deciding import variants as deciding_variants
from bench.load import Burst, closed_loop, fixed_rate
from bench.machine import PROXY_CORE, core_busy_seconds, cpu_seconds, resident_megabytes
from bench.proxies import CANDIDATES, HOPLON, TARGET, Candidate, Started, envoy, hoplon_full, hoplon_with

Figures = dict[str, Any]
IDLE_CONNECTIONS = 9000
SWAPS = 1000
RECORD_RATE = 30_000


class Arena(NamedTuple):
    """What every row needs: a scratch folder, the upstream, and how long and how often to measure."""

    folder: Path
    upstream_port: int
    seconds: float
    rounds: int
    candidates: tuple[Candidate, ...] = CANDIDATES

    def start(self, candidate: Candidate) -> Any:
        """Starts a candidate before this arena's upstream."""
        return candidate.start(self.folder, self.upstream_port)

    def turns(self) -> Iterator[Candidate]:
        """Every candidate once per round, each round in the other direction, with a line of progress."""
        for number in range(self.rounds):
            for candidate in self.candidates[:: -1 if number % 2 else 1]:
                print(f"    round {number + 1} of {self.rounds}: {candidate.name}", file=sys.stderr, flush=True)
                yield candidate

    def named(self, *names: str) -> "Arena":
        """The same arena with fewer candidates."""
        return self._replace(candidates=tuple(each for each in self.candidates if each.name in names))


def throughput(arena: Arena) -> Figures:
    """Requests/s per core as fast as 64 connections can ask, with what they cost."""
    figures: Figures = {}
    for candidate in arena.turns():
        with arena.start(candidate) as started:
            closed_loop(started.port, TARGET, 1)
            figures.setdefault(candidate.name, []).append(_costed_burst(started, arena.seconds))
    return figures


def deciding(arena: Arena) -> Figures:
    """Requests/s per core with each feature that decides, alone and together, beside bare Hoplon and bare Envoy."""
    variants = {each.name: each for each in deciding_variants()}
    candidates = [Candidate("envoy", envoy)]
    for name, variant in variants.items():
        candidates.append(Candidate(name, partial(hoplon_with, name="deciding", options=variant.options)))
    figures: Figures = {}
    for candidate in arena._replace(candidates=tuple(candidates)).turns():
        headers = variants.get(candidate.name, variants["bare"]).headers
        with arena.start(candidate) as started:
            closed_loop(started.port, TARGET, 1, headers=headers)
            figures.setdefault(candidate.name, []).append(_costed_burst(started, arena.seconds, headers))
    return figures


def verdict(arena: Arena) -> Figures:
    """Nanoseconds of the verdict on a GET, from its head to the decision: the engine's own benchmark."""
    bare, *_, everything = deciding_variants()
    return {each.name: _verdict_nanos(arena.folder / "verdict" / each.name, each) for each in (bare, everything)}


def _verdict_nanos(state: Path, variant: Variant) -> Figures:
    write_state(state, "http://127.0.0.1:9", variant.options, 0, 0)
    [authorization] = variant.headers
    told = {
        "HOPLON_BENCH_BUNDLES": str(state / "bundles"),
        "HOPLON_BENCH_AUTHORIZATION": authorization.partition(" ")[2],
    }
    found: Figures = json.loads(_own_benchmark("engine", "verdict", told))
    return found


def _costed_burst(started: Started, seconds: float, headers: Sequence[str] = ()) -> Figures:
    pid = started.process.pid
    cpu, busy, begin = cpu_seconds(pid), core_busy_seconds(PROXY_CORE), time.monotonic()
    burst = all_answered(closed_loop(started.port, TARGET, seconds, headers=headers))
    cpu, busy, elapsed = cpu_seconds(pid) - cpu, core_busy_seconds(PROXY_CORE) - busy, time.monotonic() - begin
    return burst._asdict() | {
        "cpu_seconds_per_100k": cpu / burst.requests * 100_000,
        "core_used_by_others": max(0.0, busy - cpu) / elapsed,
        "resident_megabytes": resident_megabytes(pid),
    }


def all_answered(burst: Burst) -> Burst:
    """The burst, if every request was answered with success: refusing is quicker than proxying, and no figure."""
    if burst.failed:
        raise RuntimeError(f"{burst.failed} of {burst.requests} requests failed")
    return burst


def token_rates(arena: Arena) -> Figures:
    """Requests/s with a token on each, by case and proxy: Envoy with jwt_authn, Hoplon with a token rule."""
    figures: Figures = {}
    for number, case in itertools.product(range(arena.rounds), tokens.cases()):
        starters = {"envoy": case.envoy, HOPLON: case.hoplon}
        for name in sorted(starters, reverse=bool(number % 2)):
            print(f"    round {number + 1} of {arena.rounds}: {case.name}, {name}", file=sys.stderr, flush=True)
            sent = (f"Authorization: Bearer {case.signed.token}",)
            with starters[name](arena.folder, arena.upstream_port) as started:
                tokens.check_refusal(started.port, TARGET, case.signed.token)
                closed_loop(started.port, TARGET, 1, headers=sent)
                burst = _costed_burst(started, arena.seconds, sent)
            figures.setdefault(case.name, {}).setdefault(name, []).append(burst)
    return figures


def latency(arena: Arena) -> Figures:
    """p50 and p99 at half of the load that all but Envoy reach; Envoy, which reaches less, at half of its own."""
    rates = {candidate.name: _reached(arena, candidate) / 2 for candidate in arena.candidates}
    shared = min(rate for name, rate in rates.items() if name != "envoy")
    figures: Figures = {}
    for candidate in arena.turns():
        rate = min(shared, rates[candidate.name])
        with arena.start(candidate) as started:
            closed_loop(started.port, TARGET, 1)
            burst = all_answered(fixed_rate(started.port, TARGET, arena.seconds, rate, arena.folder))
        figures.setdefault(candidate.name, []).append(burst._asdict() | {"rate": rate})
    return figures


def _reached(arena: Arena, candidate: Candidate) -> float:
    with arena.start(candidate) as started:
        closed_loop(started.port, TARGET, 1)
        return closed_loop(started.port, TARGET, max(2.0, arena.seconds / 2)).requests_per_second


def memory(arena: Arena) -> Figures:
    """Resident memory at rest, and with 9,000 idle keep-alive connections of which each asked once."""
    figures: Figures = {}
    for candidate in arena.candidates:
        with arena.start(candidate) as started:
            time.sleep(2)
            rest = resident_megabytes(started.process.pid)
            with _idle_connections(started.port, IDLE_CONNECTIONS):
                full = resident_megabytes(started.process.pid)
        figures[candidate.name] = {"rest_megabytes": rest, "idle_connections_megabytes": full}
    return figures


@contextmanager
def _idle_connections(port: int, count: int) -> Iterator[None]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request = f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    connections: list[socket.socket] = []
    try:
        for _ in range(count):
            connections.append(socket.create_connection(("127.0.0.1", port), 10))
            connections[-1].sendall(request)
            _read_answer(connections[-1])
        yield
    finally:
        for connection in connections:
            connection.close()


def _read_answer(connection: socket.socket) -> None:
    answer = http.client.HTTPResponse(connection, method="GET")
    answer.begin()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"an idle connection was answered with {answer.status}")


def swaps(arena: Arena) -> Figures:
    """1,000 changes of bundle under full load: what failed, and p99 beside that of the same load without them."""
    with hoplon_full(arena.folder, arena.upstream_port) as started:
        assert started.state is not None
        upstream = f"http://127.0.0.1:{arena.upstream_port}"
        bundles = [write_bundle(started.state, upstream, Options(1000, 0.02), version) for version in (2, 3)]
        closed_loop(started.port, TARGET, 1)
        before = closed_loop(started.port, TARGET, arena.seconds * 2)
        during, seconds = _burst_with_swaps(started, bundles)
        after = closed_loop(started.port, TARGET, arena.seconds * 2)
    calm_p99 = (before.p99_ms + after.p99_ms) / 2
    return {
        "swaps": SWAPS,
        "seconds": seconds,
        "failed": during.failed,
        "requests": during.requests,
        "p99_ms": during.p99_ms,
        "calm_p99_ms": calm_p99,
        "p99_ratio": during.p99_ms / calm_p99,
    }


def _burst_with_swaps(started: Started, bundles: list[Manifest]) -> tuple[Burst, float]:
    """Load while the bundles are swapped, and how long that took. A swap ends when the gateway says it serves it."""
    assert started.state is not None
    bursts: list[Burst] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            bursts.append(closed_loop(started.port, TARGET, 5))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    begin = time.monotonic()
    try:
        for number in range(SWAPS):
            bundle = bundles[number % 2]
            load(started.state, bundle)
            _wait_until_served(started.state, bundle.hash)
    finally:
        seconds = time.monotonic() - begin
        done.set()
        asking.join()
    return _together(bursts), seconds


def _wait_until_served(state: Path, bundle_hash: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if gateway_status(state).get("bundle") == bundle_hash:
            return
        time.sleep(0.002)
    raise RuntimeError(f"the gateway does not serve bundle {bundle_hash}: {gateway_status(state)}")


def gateway_status(state: Path) -> Figures:
    """What the gateway says about itself in its status file."""
    found: Figures = json.loads((state / "run" / "gateway.status.json").read_text())
    return found


def _together(bursts: list[Burst]) -> Burst:
    return Burst(
        requests=sum(burst.requests for burst in bursts),
        requests_per_second=median(burst.requests_per_second for burst in bursts),
        p50_ms=median(burst.p50_ms for burst in bursts),
        p99_ms=median(burst.p99_ms for burst in bursts),
        failed=sum(burst.failed for burst in bursts),
    )


def records(arena: Arena) -> Figures:
    """30,000 requests/s for a while, all recorded with Observations: what was written, what was dropped."""
    with hoplon_full(arena.folder, arena.upstream_port) as started:
        assert started.state is not None
        closed_loop(started.port, TARGET, 1)
        time.sleep(2)
        before = gateway_status(started.state)["records"]
        burst = fixed_rate(started.port, TARGET, arena.seconds * 2, RECORD_RATE, arena.folder)
        time.sleep(3)
        after = gateway_status(started.state)["records"]
    return {
        "requests": burst.requests,
        "requests_per_second": burst.requests_per_second,
        "failed": burst.failed,
        "p99_ms": burst.p99_ms,
        "written": after["written"] - before["written"],
        "dropped": after["dropped"] - before["dropped"],
    }


def _own_benchmark(crate: str, name: str, told: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a benchmark of ours in Rust prints, run on the proxy's core; `told`: what its environment says more."""
    # fmt: off
    command = ["taskset", "-c", str(PROXY_CORE), "cargo", "bench", "--quiet", "--locked", "-p", f"hoplon-{crate}",
               "--bench", name]
    # fmt: on
    environment = {**os.environ, **told}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def matching(arena: Arena) -> Figures:
    """Nanoseconds to match one request among 10,000 operations."""
    del arena
    return parse_engine_bench(_own_benchmark("engine", "engine"))


def parse_engine_bench(output: str) -> Figures:
    """Reads what the engine's benchmark prints; its lines are kept for whoever wants the other figures."""
    found = re.search(r"matching among +10000 operations: +(\d+) ns", output)
    if found is None:
        raise ValueError(f"the engine's benchmark gave no figure for 10,000 operations: {output!r}")
    return {"nanoseconds": int(found.group(1)), "output": output.splitlines()}


def limits(arena: Arena) -> Figures:
    """Nanoseconds of a limiter's decision, and ten million keys offered to its bound."""
    del arena
    return parse_limits_bench(_own_benchmark("engine", "limits"))


def parse_limits_bench(output: str) -> Figures:
    """Reads what the benchmark of limits prints; its lines are kept for whoever wants the other figures."""
    decision = re.search(r"key hashed, +1000 sessions: +(\d+) ns; three limits together: +(\d+) ns", output)
    crowd = re.search(r"key hashed, +1000000 sessions: +(\d+) ns", output)
    bound = re.search(r"(\d+) keys offered to (\d+) MiB: .* ([0-9.]+) MiB resident more", output)
    if decision is None or crowd is None or bound is None:
        raise ValueError(f"the benchmark of limits gave no figures: {output!r}")
    return {
        "nanoseconds": int(decision[1]),
        "three_nanoseconds": int(decision[2]),
        "crowd_nanoseconds": int(crowd[1]),
        "keys": int(bound[1]),
        "bound_mebibytes": int(bound[2]),
        "resident_mebibytes": float(bound[3]),
        "output": output.splitlines(),
    }


def rules(arena: Arena) -> Figures:
    """Nanoseconds that rules add to a request: a hundred realistic ones, and such that are heavy on expressions."""
    del arena
    return parse_rules_bench(_own_benchmark("engine", "rules"))


def parse_rules_bench(output: str) -> Figures:
    """Reads what the benchmark of rules prints; its lines are kept for whoever wants the other figures."""
    realistic = re.search(r"100 realistic rules, none matching: +(\d+) ns", output)
    heavy = re.search(r"100 rules heavy on regular expressions: +(\d+) ns", output)
    if realistic is None or heavy is None:
        raise ValueError(f"the benchmark of rules gave no figures: {output!r}")
    figures = {"realistic_nanoseconds": int(realistic[1]), "heavy_nanoseconds": int(heavy[1])}
    return {**figures, "output": output.splitlines()}


def guard(arena: Arena) -> Figures:
    """Nanoseconds that the strict scanner of HTTP/1 adds to a request."""
    del arena
    return {"rows": json.loads(_own_benchmark("gateway", "h1_guard"))}


def sql(arena: Arena) -> Figures:
    """Seconds for a group-by over 10 million stored records."""
    command = [sys.executable, "-m", "bench.records_query", "--json", "--folder", str(arena.folder / "query")]
    found: Figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def replay(arena: Arena) -> Figures:
    """Records/s of a core that judges stored records by another policy."""
    del arena
    command = ["taskset", "-c", str(PROXY_CORE), sys.executable, "-m", "bench.replay", "--json"]
    found: Figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def listing(arena: Arena) -> Figures:
    """A page of a long listing of the control plane."""
    return control_plane.listing(arena.folder, arena.upstream_port, arena.seconds)


def bulk(arena: Arena) -> Figures:
    """A bulk create through the control plane, and when it acts."""
    return control_plane.bulk(arena.folder, arena.upstream_port)


def acting(arena: Arena) -> Figures:
    """How soon a change through the control plane acts in the gateway."""
    return control_plane.acting(arena.folder, arena.upstream_port)


ROWS = {
    "throughput": throughput,
    "tokens": token_rates,
    "latency": latency,
    "memory": memory,
    "swaps": swaps,
    "records": records,
    "matching": matching,
    "limits": limits,
    "rules": rules,
    "guard": guard,
    "sql": sql,
    "replay": replay,
    "listing": listing,
    "bulk": bulk,
    "acting": acting,
    "deciding": deciding,
    "verdict": verdict,
}
