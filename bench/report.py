"""Turns the JSON of a run into tables, for terminal and documents: measured beside what we set out to reach."""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.proxies import HOPLON, HOPLON_FULL
from tools.marks import table, with_parts

Figures = dict[str, Any]


class Line(NamedTuple):
    """One figure to reach: what it is, what was measured, what was to be reached, and whether it was."""

    what: str
    measured: str
    reach: str
    is_reached: bool


def lines(results: Figures) -> list[Line]:
    """Every figure of issue 3's table that this run measured."""
    return [line for row, judge in _JUDGES.items() if row in results["rows"] for line in judge(results["rows"][row])]


def _throughput(row: Figures) -> Iterator[Line]:
    reach = {HOPLON: ("plain proxying", 0.80, 1.8), HOPLON_FULL: ("the same with everything on", 0.70, 1.3)}
    for name, (what, of_nginx, of_envoy) in reach.items():
        if name not in row:
            continue
        ours = typical(row[name], "requests_per_second")
        for other, factor in (("nginx", of_nginx), ("envoy", of_envoy)):
            if other in row:
                ratio = ours / typical(row[other], "requests_per_second")
                measured = f"{ours / 1000:.1f}k requests/s = {ratio:.2f} × {other}"
                yield Line(what, measured, f"≥ {factor:.2f} × {other}", ratio >= factor)


def _tokens(row: Figures) -> Iterator[Line]:
    reach = {"RS256 verified": 1.7, "ES256 verified": 1.5, "RS256 remembered": 2.8}
    for case, factor in reach.items():
        ours, theirs = (typical(row[case][name], "requests_per_second") for name in (HOPLON, "envoy"))
        measured = f"{ours / 1000:.1f}k requests/s = {ours / theirs:.2f} × Envoy jwt_authn"
        yield Line(
            f"JWT on each request, {case}", measured, f"≥ {factor:.1f} × Envoy jwt_authn", ours >= factor * theirs
        )


def _latency(row: Figures) -> Iterator[Line]:
    for name in (HOPLON, HOPLON_FULL):
        if name in row and "nginx" in row:
            ours, theirs = typical(row[name], "p99_ms"), typical(row["nginx"], "p99_ms")
            rate = row[name][0]["rate"]
            measured = f"{ours:.2f} ms = {ours / theirs:.2f} × nginx"
            yield Line(f"{name}: p99 at {rate / 1000:.1f}k requests/s", measured, "≤ 1.5 × nginx", ours <= 1.5 * theirs)


def _memory(row: Figures) -> Iterator[Line]:
    if ours := row.get(HOPLON):
        rest, idle = ours["rest_megabytes"], ours["idle_connections_megabytes"]
        yield Line("memory at rest", f"{rest:.0f} MB", "≤ 45 MB", rest <= 45)
        yield Line("memory with 9,000 idle connections", f"{idle:.0f} MB", "≤ 300 MB", idle <= 300)


def _matching(row: Figures) -> Iterator[Line]:
    nanoseconds = row["nanoseconds"]
    yield Line("matching among 10,000 operations", f"{nanoseconds:.0f} ns", "≤ 300 ns", nanoseconds <= 300)


def _rules(row: Figures) -> Iterator[Line]:
    for figure, what, reach in (
        ("realistic", "100 realistic rules, none matching", 3.0),
        ("heavy", "100 rules heavy on regular expressions", 15.0),
    ):
        micros = row[f"{figure}_nanoseconds"] / 1000
        yield Line(f"{what}: a request more", f"{micros:.1f} µs", f"≤ {reach:.0f} µs", micros <= reach)


def _limits(row: Figures) -> Iterator[Line]:
    one, three, crowd = row["nanoseconds"], row["three_nanoseconds"], row["crowd_nanoseconds"]
    measured = f"{one} ns (among a million keys: {crowd} ns; three limits together: {three} ns)"
    yield Line("a limiter's decision among 1,000 keys, key hashed", measured, "≤ 200 ns", one <= 200)
    bound, resident = row["bound_mebibytes"], row["resident_mebibytes"]
    what = f"{row['keys'] // 1_000_000} million keys offered to {bound} MiB of counters"
    yield Line(what, f"{resident:.0f} MiB resident", "bound kept", resident <= bound)


def _guard(row: Figures) -> Iterator[Line]:
    for request in row["rows"]:
        ours, parser = request["guard_nanos"], request["httparse_nanos"]
        what = f"strict scan of HTTP/1: {request['what']}, {request['bytes']:,} bytes"
        yield Line(what, f"{ours:.0f} ns (hyper's own parser, head alone: {parser:.0f} ns)", "≤ 500 ns", ours <= 500)


def _swaps(row: Figures) -> Iterator[Line]:
    measured = f"{row['failed']} of {row['requests']:,}"
    yield Line(f"{row['swaps']:,} bundle swaps under full load: failed requests", measured, "0", row["failed"] == 0)
    ratio = row["p99_ratio"]
    yield Line("the same: p99 beside the calm load", f"{ratio:.2f} ×", "≤ 1.2 ×", ratio <= 1.2)


def _records(row: Figures) -> Iterator[Line]:
    measured = f"{row['written']:,} of {row['requests']:,} written, {row['dropped']} dropped"
    is_reached = row["dropped"] == 0 and row["written"] >= row["requests"]
    yield Line(f"records at {row['requests_per_second'] / 1000:.0f}k/s beside traffic", measured, "no loss", is_reached)


def _sql(row: Figures) -> Iterator[Line]:
    seconds = row["seconds"]
    yield Line(f"SQL group-by over {row['records']:,} records", f"{seconds:.2f} s", "≤ 2 s", seconds <= 2)


def _replay(row: Figures) -> Iterator[Line]:
    rate, asked = row["records_per_second"], row["engine_from_python_per_second"]
    what = f"replay of stored records: {row['rules']} rules, {row['limits']} limits, one core"
    measured = f"{rate / 1000:,.0f}k records/s (the engine asked one by one: {asked / 1000:,.0f}k)"
    yield Line(what, measured, "≥ 100k records/s", rate >= 100_000)


def _listing(row: Figures) -> Iterator[Line]:
    ours, bare = row["hoplon"], row["bare FastAPI and SQLite"]
    for page in ("first", "last"):
        rate, beside = ours[page]["requests_per_second"], bare[page]["requests_per_second"]
        what = f"{page} page of 50 of {row['operations']:,} operations, one core"
        yield Line(what, f"{rate:,.0f} requests/s (bare FastAPI: {beside:,.0f})", "≥ 500 requests/s", rate >= 500)
        steady = ours[f"{page} steady"]
        is_reached = steady["p99_ms"] <= 20 and steady["failed"] == 0
        yield Line(f"{page} page: p99 at 500 requests/s", f"{steady['p99_ms']:.1f} ms", "≤ 20 ms", is_reached)


def _bulk(row: Figures) -> Iterator[Line]:
    seconds, live, alone = row["seconds"], row["live_seconds"], row["sqlite_alone_seconds"]
    measured = f"{seconds:.1f} s (SQLite alone: {alone:.1f} s)"
    yield Line(f"bulk create of {row['operations']:,} operations", measured, "≤ 10 s", seconds <= 10)
    yield Line("the same: acting in the gateway after", f"{live:.1f} s", "≤ 2 s", live <= 2)


def _acting(row: Figures) -> Iterator[Line]:
    what = f"a change among {row['operations']:,} operations, until the gateway acts by it: p99"
    yield Line(what, f"{row['p99_ms']:.0f} ms", "≤ 1 s", row["p99_ms"] <= 1000)


def _deciding(row: Figures) -> Iterator[Line]:
    ours = typical(row["everything"], "requests_per_second")
    for other, name, factor in (("bare", "bare Hoplon", 0.75), ("envoy", "bare Envoy", 1.2)):
        ratio = ours / typical(row[other], "requests_per_second")
        measured = f"{ours / 1000:.1f}k requests/s = {ratio:.2f} × {name}"
        what = "session, match, cached token, 20 rules, 3 limits, record"
        yield Line(what, measured, f"≥ {factor:.2f} × {name}", ratio >= factor)


def _verdict(row: Figures) -> Iterator[Line]:
    everything, bare = row["everything"], row["bare"]
    for figure, reach in (("p50", 4.0), ("p95", 10.0)):
        ours, alone = everything[f"{figure}_nanos"] / 1000, bare[f"{figure}_nanos"] / 1000
        what = f"the verdict on a GET with all of that, alone: {figure}"
        yield Line(what, f"{ours:.1f} µs (bare: {alone:.1f} µs)", f"≤ {reach:.0f} µs", ours <= reach)


_JUDGES: dict[str, Callable[[Figures], Iterator[Line]]] = {
    "throughput": _throughput,
    "tokens": _tokens,
    "latency": _latency,
    "memory": _memory,
    "matching": _matching,
    "limits": _limits,
    "rules": _rules,
    "guard": _guard,
    "swaps": _swaps,
    "records": _records,
    "sql": _sql,
    "replay": _replay,
    "listing": _listing,
    "bulk": _bulk,
    "acting": _acting,
    "deciding": _deciding,
    "verdict": _verdict,
}


def typical(bursts: list[Figures], figure: str) -> float:
    """The median of a figure over the rounds."""
    return float(median(burst[figure] for burst in bursts))


def summary(results: Figures) -> str:
    """The run as plain text for a terminal."""
    parts = [_plain(rows) for rows in (_proxies(results), _reached(results)) if len(rows) > 1]
    parts += [f"not measured: {row}: {reason}" for row, reason in results["errors"].items()]
    return "\n\n".join(parts)


def _plain(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _proxies(results: Figures) -> list[list[str]]:
    """Every proxy's own figures; requests/s with the slowest and fastest round."""
    throughput = results["rows"].get("throughput", {})
    latency, memory = results["rows"].get("latency", {}), results["rows"].get("memory", {})
    head = ["one core", "requests/s", "CPU s per 100k", "p50 ms", "p99 ms", "MB at rest", "MB, 9,000 idle"]
    return [head, *(_proxy(name, throughput, latency, memory) for name in throughput)]


def _proxy(name: str, throughput: Figures, latency: Figures, memory: Figures) -> list[str]:
    rates = [burst["requests_per_second"] / 1000 for burst in throughput[name]]
    rest = memory.get(name, {})
    timed = latency.get(name)
    return [
        name,
        f"{median(rates):.1f}k ({min(rates):.1f}-{max(rates):.1f})",
        f"{typical(throughput[name], 'cpu_seconds_per_100k'):.2f}",
        *([f"{typical(timed, 'p50_ms'):.2f}", f"{typical(timed, 'p99_ms'):.2f}"] if timed else ["-", "-"]),
        *([f"{rest[key]:.0f}" for key in ("rest_megabytes", "idle_connections_megabytes")] if rest else ["-", "-"]),
    ]


def _reached(results: Figures) -> list[list[str]]:
    head = ["figure", "measured", "to reach", "reached"]
    return [head, *([*line[:3], "yes" if line.is_reached else "no"] for line in lines(results))]


def publish(results: Figures, documents: list[Path]) -> None:
    """Replaces the tables between the marks of each document. Raises ValueError when a document has no mark."""
    parts = {"proxies": _markdown(_proxies(results)), "reached": _markdown(_reached(results)), "run": _run(results)}
    parts["costs"] = _markdown(_costs(results))
    for document in documents:
        document.write_text(with_parts(document.read_text(), parts, document.name))


def _costs(results: Figures) -> list[list[str]]:
    """What each feature takes of a core: the time between two answers, beside bare proxying in the same run."""
    row = results["rows"].get("deciding", {})
    head = ["with", "requests/s", "of bare", "µs per request", "more than bare"]
    if "bare" not in row:
        return [head]
    bare = 1e6 / typical(row["bare"], "requests_per_second")
    times = {name: 1e6 / typical(bursts, "requests_per_second") for name, bursts in row.items()}
    return [
        head,
        *([n, f"{1e6 / t:,.0f}", f"{bare / t:.2f}", f"{t:.1f}", f"{t - bare:+.1f}"] for n, t in times.items()),
    ]


def _markdown(rows: list[list[str]]) -> str:
    return table(rows[0], rows[1:])


def _run(results: Figures) -> str:
    machine = results["machine"]
    others = [
        burst["core_used_by_others"] for bursts in results["rows"].get("throughput", {}).values() for burst in bursts
    ]
    noise = f"; the proxy's core was used by others {median(others) * 100:.0f} % of the time" if others else ""
    return (
        f"Measured {results['time'][:10]} on {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; "
        f"{results['rounds']} rounds of {results['seconds']:g} s{noise}."
    )
