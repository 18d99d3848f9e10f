"""Seen operations: takes a connection with a view `records`, gives (method, host, template) and what their traffic was.

An operation is seen once a request to it was answered successfully: 2xx, 101, 304, or a redirect of another method than
GET and HEAD, and neither blocked nor refused. Requests that belong to none (a scanner's) are counted, not listed. Knows
no policy and no files: what is saved is handed in.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from hoplon.catalog.templates import SuccessfulForm, TemplateTree, form_of

FORMS_LIMIT = 100_000
"""The most path forms that are looked at, the busiest first: a scanner's random paths must not grow the answer."""

_SUCCESS = (
    "action NOT IN ('block', 'refuse') AND (status BETWEEN 200 AND 299 OR status IN (101, 304)"
    " OR (status BETWEEN 300 AND 399 AND method NOT IN ('GET', 'HEAD')))"
)
_MEASURES = f"""
    count(*) AS requests,
    count(*) FILTER ({_SUCCESS}) AS successes,
    approx_count_distinct(session) FILTER ({_SUCCESS}) AS sessions,
    approx_count_distinct(CASE WHEN session_verified THEN session ELSE client END) FILTER ({_SUCCESS}) AS callers,
    quantile_cont(duration_us, [0.5, 0.99]) AS quantiles_us,
    count(*) FILTER (status BETWEEN 400 AND 499) AS client_errors,
    count(*) FILTER (status >= 500) AS server_errors,
    count(*) FILTER (action IN ('block', 'refuse')) AS blocked,
    count(*) FILTER (action = 'log') AS logged,
    min(time) AS first_seen,
    max(time) AS last_seen
"""
_KEY = "method, host, coalesce(operation_path, path_form)"
_FORMS = f"""
    SELECT method, host, coalesce(operation_path, path_form) AS form, {_MEASURES}
    FROM records GROUP BY {_KEY} ORDER BY successes DESC, requests DESC LIMIT {FORMS_LIMIT}
"""
_MERGED = f"""
    SELECT m.to_method AS method, host, m.template AS form, {_MEASURES}
    FROM (
        SELECT records.method, host, session, session_verified, client, duration_us, status, action, time,
            coalesce(operation_path, path_form) AS form FROM records
    ) AS records JOIN merged AS m USING (method, host, form)
    GROUP BY m.to_method, host, m.template
"""
_TOTALS = "SELECT host, count(*) AS requests, approx_count_distinct(session) AS sessions FROM records GROUP BY host"

Key = tuple[str, str, str]
"""(method, host, path form or template)"""


@dataclass(frozen=True, slots=True)
class SavedTemplate:
    """A saved operation as the engine matches it: `host` a name, a pattern or `*`; `path` a template."""

    method: str
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class SeenOperation:
    """One operation and its traffic. Durations in milliseconds; `sessions` and `callers` (approximate, as HyperLogLog
    counts) only those that were answered successfully. `callers` are the sessions that learning counts as distinct:
    those that nobody verified only as far as their addresses differ."""

    method: str
    host: str
    path: str
    is_saved: bool
    requests: int
    successes: int
    sessions: int
    callers: int
    p50_ms: float | None
    p99_ms: float | None
    client_errors: int
    server_errors: int
    blocked: int
    logged: int
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the traffic shows: operations by requests, and what belongs to none of them."""

    operations: tuple[SeenOperation, ...]
    requests: int
    preflights: int
    """OPTIONS requests to no saved operation: browsers asking whether they may."""
    unsuccessful: int
    """Requests to paths that nothing ever answered successfully."""
    hosts: tuple[str, ...]
    """Hosts with at least one successful answer."""


def seen_operations(connection: duckdb.DuckDBPyConnection, saved: Sequence[SavedTemplate] = ()) -> Catalogue:
    """The operations that the view `records` of `connection` shows; `saved` are the zone's saved operations now."""
    totals = {row["host"]: row for row in _rows(connection, _TOTALS)}
    forms = {(row["method"], row["host"], row["form"]): row for row in _rows(connection, _FORMS)}
    known = {host: _saved_tree(host, saved) for host in totals}
    owners = _owners(forms, known, {host: row["sessions"] for host, row in totals.items()})
    measured = _measure(connection, forms, owners)
    seen = [
        SeenOperation(*key, is_saved=known[key[1]].resolve(key[0], form_of(key[2])) is not None, **_measures(row))
        for key, row in measured.items()
        if row["successes"]
    ]
    requests = sum(row["requests"] for row in totals.values())
    preflights = sum(row["requests"] for key, row in forms.items() if key[0] == "OPTIONS" and key not in owners)
    return Catalogue(
        operations=tuple(sorted(seen, key=lambda each: (-each.requests, each.host, each.path, each.method))),
        requests=requests,
        preflights=preflights,
        unsuccessful=requests - preflights - sum(operation.requests for operation in seen),
        hosts=tuple(sorted({operation.host for operation in seen})),
    )


def _owners(
    forms: Mapping[Key, Mapping[str, Any]], known: Mapping[str, TemplateTree], sessions: Mapping[str, int]
) -> dict[Key, Key]:
    """For every form that belongs to an operation, that operation: a saved one first, else a guessed one."""
    owners: dict[Key, Key] = {}
    by_host: dict[str, list[Key]] = defaultdict(list)
    for key in forms:
        _assign(owners, key, known[key[1]])
        if key not in owners and key[0] != "OPTIONS":
            by_host[key[1]].append(key)
    for host, keys in by_host.items():
        successful = [key for key in keys if forms[key]["successes"]]
        guesses = [SuccessfulForm(key[0], form_of(key[2]), forms[key]["sessions"]) for key in successful]
        guessed = TemplateTree.guess(guesses, sessions[host])
        for key in keys:
            _assign(owners, key, guessed)
    return owners


def _assign(owners: dict[Key, Key], key: Key, tree: TemplateTree) -> None:
    found = tree.resolve(key[0], form_of(key[2]))
    if found is not None:
        owners[key] = (found[0], key[1], found[1])


def _saved_tree(host: str, saved: Iterable[SavedTemplate]) -> TemplateTree:
    fitting = (each for each in saved if _host_matches(each.host, host))
    return TemplateTree.exact(SuccessfulForm(each.method, form_of(each.path), 0) for each in fitting)


def _host_matches(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    labels = (r"[^.]+" if label.startswith("{") else re.escape(label) for label in pattern.split("."))
    return re.fullmatch(r"\.".join(labels), host) is not None


def _measure(
    connection: duckdb.DuckDBPyConnection, forms: Mapping[Key, Mapping[str, Any]], owners: Mapping[Key, Key]
) -> dict[Key, Mapping[str, Any]]:
    """Every operation's measures: its form's own, or, where several forms are one operation, taken together."""
    counts = Counter(owners.values())
    measured = {owner: forms[key] for key, owner in owners.items() if counts[owner] == 1}
    together = [(*key, owner[0], owner[2]) for key, owner in owners.items() if counts[owner] > 1]
    if together:
        columns = zip(*together, strict=True)
        names = ("method", "host", "form", "to_method", "template")
        connection.register(
            "merged", pa.table({name: list(column) for name, column in zip(names, columns, strict=True)})
        )
        rows = _rows(connection, _MERGED)
        connection.unregister("merged")
        measured |= {(row["method"], row["host"], row["form"]): row for row in rows}
    return measured


def _measures(row: Mapping[str, Any]) -> dict[str, Any]:
    p50_us, p99_us = row["quantiles_us"] or (None, None)
    kept = {name: value for name, value in row.items() if name not in ("method", "host", "form", "quantiles_us")}
    kept["callers"] = min(kept["callers"], kept["sessions"])
    return {**kept, "p50_ms": _milliseconds(p50_us), "p99_ms": _milliseconds(p99_us)}


def _milliseconds(micros: float | None) -> float | None:
    return None if micros is None else micros / 1000


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    return found
