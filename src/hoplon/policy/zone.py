"""The `[zone]` table: what belongs to no feature. Takes the table, gives a ZonePolicy and the bundle's zone part.

The bounds are the engine's (crates/engine/src/bundle/check.rs): what is accepted here is accepted there.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from hoplon.errors import Problem
from hoplon.model.policy import (
    Balancing,
    Block,
    HealthChecks,
    Inspection,
    Maintenance,
    Observe,
    Retries,
    Timeouts,
    Upstream,
    ZonePolicy,
)
from hoplon.policy import serving
from hoplon.policy.feature import Table

_LABEL = r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|\{[A-Za-z][A-Za-z0-9_]*\})"
_LATER = {"maintenance": Maintenance(), "balancing": Balancing(), "retries": Retries()}
"""Tables that the first bundles did not have, with their defaults."""

_MAX_SOCKET_PATH_BYTES = 107

_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class UpstreamTable(Table):
    """One upstream; several share the traffic."""

    url: str
    protocol: Literal["http1", "http2"] = "http1"
    ca_file: str | None = None
    server_name: str | None = None
    drain: bool = False


class TimeoutsTable(Table):
    """How long the gateway waits for an upstream."""

    connect_seconds: float = Field(default=5.0, ge=0.001, le=86400, strict=False)
    read_seconds: float = Field(default=60.0, ge=0.001, le=86400, strict=False)
    idle_seconds: float = Field(default=60.0, ge=0.001, le=86400, strict=False)


class InspectionTable(Table):
    """How much of a body is held back to be judged."""

    limit_bytes: int = Field(default=1048576, ge=0, le=67108864)


class ObserveTable(Table):
    """How much is observed, for learning."""

    probability: float = Field(default=0.02, ge=0, le=1, strict=False)
    full_per_minute: int = Field(default=60, ge=0, le=1000000)
    per_session_per_minute: int = Field(default=30, ge=0, le=1000000)
    max_leaves: int = Field(default=200, ge=0, le=10000)
    body_copy_bytes: int = Field(default=65536, ge=0, le=16777216)
    literal_sessions: int = Field(default=5, ge=2, le=1000)


class BlockTable(Table):
    """What a blocked caller gets to see."""

    status: int = Field(default=403, ge=400, le=599)
    show_violations: bool = False


class ZoneTable(Table):
    """The zone."""

    name: str = Field(default="default", pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,252}$")
    hosts: tuple[str, ...] = Field(default=(), max_length=1000, strict=False)
    merge_slashes: bool = False
    upstreams: tuple[UpstreamTable, ...] = Field(max_length=64, strict=False)
    timeouts: TimeoutsTable = TimeoutsTable()
    inspection: InspectionTable = InspectionTable()
    observe: ObserveTable = ObserveTable()
    block: BlockTable = BlockTable()
    maintenance: serving.MaintenanceTable = serving.MaintenanceTable()
    balancing: serving.BalancingTable = serving.BalancingTable()
    retries: serving.RetriesTable = serving.RetriesTable()
    health: serving.HealthTable = serving.HealthTable()


def read_zone(table: ZoneTable) -> ZonePolicy:
    """The ZonePolicy that a checked table means. Host names are lower case and sorted from here on."""
    return ZonePolicy(
        name=table.name,
        hosts=tuple(sorted({host.lower() for host in table.hosts})),
        merge_slashes=table.merge_slashes,
        upstreams=tuple(Upstream(**upstream.model_dump()) for upstream in table.upstreams),
        timeouts=Timeouts(**table.timeouts.model_dump()),
        inspection=Inspection(**table.inspection.model_dump()),
        observe=Observe(**table.observe.model_dump()),
        block=Block(**table.block.model_dump()),
        maintenance=Maintenance(**table.maintenance.model_dump()),
        balancing=Balancing(**table.balancing.model_dump()),
        retries=Retries(**table.retries.model_dump()),
        health=HealthChecks(**table.health.model_dump()),
    )


def write_zone(zone: ZonePolicy) -> dict[str, Any]:
    """The canonical `[zone]` table: every key in a fixed order, nothing that is None."""
    return {
        "name": zone.name,
        "hosts": list(zone.hosts),
        "merge_slashes": zone.merge_slashes,
        "upstreams": [_write_upstream(upstream) for upstream in zone.upstreams],
        "timeouts": asdict(zone.timeouts),
        "inspection": asdict(zone.inspection),
        "observe": asdict(zone.observe),
        "block": asdict(zone.block),
        **{name: asdict(getattr(zone, name)) for name in _LATER},
        "health": _without_none(asdict(zone.health)),
    }


def check_zone(zone: ZonePolicy) -> list[Problem]:
    """What the types of the table cannot say: hosts and upstreams."""
    hosts = [
        Problem("zone.hosts", f"`{host}` is no host name", host_hint(host))
        for host in zone.hosts
        if not is_host_pattern(host)
    ]
    upstreams = [
        problem
        for index, upstream in enumerate(zone.upstreams)
        for problem in _check_upstream(f"zone.upstreams[{index}]", upstream)
    ]
    return hosts + upstreams + _check_double_upstreams(zone.upstreams) + _check_drained(zone.upstreams)


def is_host_pattern(host: str) -> bool:
    """Whether `host` is a lower-case host name or address without port, labels possibly variable (`{tenant}`)."""
    if host.startswith("["):
        return normal_address(host) == host
    return _HOST.fullmatch(host) is not None and len(host) <= 253


def normal_address(text: str) -> str | None:
    """An IPv6 address in brackets in its one normal form (RFC 5952), None when it is none."""
    try:
        return f"[{ipaddress.IPv6Address(text.removeprefix('[').removesuffix(']'))}]"
    except ValueError:
        return None


def compile_zone(zone_id: str, zone: ZonePolicy) -> dict[str, Any]:
    """The bundle's zone part. Later tables that say nothing new are left out, so that an older gateway reads it too."""
    part = write_zone(zone)
    del part["inspection"]
    for name, default in _LATER.items():
        if getattr(zone, name) == default:
            del part[name]
    if zone.health.path is None:
        del part["health"]
    return {
        **part,
        "id": zone_id,
        "upstreams": [_compile_upstream(upstream) for upstream in zone.upstreams],
        "inspection_limit_bytes": zone.inspection.limit_bytes,
    }


def _check_upstream(path: str, upstream: Upstream) -> list[Problem]:
    fault = url_fault(upstream.url)
    if fault:
        return [Problem(f"{path}.url", fault, "for example http://127.0.0.1:9000")]
    if not upstream.url.startswith("https://") and (upstream.ca_file or upstream.server_name):
        return [
            Problem(path, "`ca_file` and `server_name` are for an https:// upstream", "leave them out or use https")
        ]
    if upstream.server_name is not None and not _is_url_host(upstream.server_name.lower()):
        return [Problem(f"{path}.server_name", f"`{upstream.server_name}` is no host name", "only the name")]
    return []


def url_fault(url: str) -> str | None:
    """What is wrong with an upstream URL, None when it is scheme, host and port and nothing else, or a Unix socket."""
    if url.startswith("unix:"):
        return _socket_fault(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"`{url}` is no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"`{url}` is no http:// or https:// URL with a host"
    if not _is_url_host(parts.hostname) or parts.netloc.endswith(":"):
        return f"`{url}` has no valid host and port"
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        return f"`{url}`: an upstream is scheme, host and port; paths go through unchanged"
    return None


def _socket_fault(url: str) -> str | None:
    """What is wrong with `unix:/run/api.sock`. A longer path does not fit into the system's structure, see unix(7)."""
    path = url.removeprefix("unix:")
    if not path.startswith("/") or path.startswith("//"):
        return f"`{url}` has no absolute path of a socket; it is written unix:/run/api.sock"
    if not serving.is_one_line(path, _MAX_SOCKET_PATH_BYTES):
        return f"`{url}` has a path that is not at most {_MAX_SOCKET_PATH_BYTES} bytes without control characters"
    return None


def _is_url_host(host: str) -> bool:
    return normal_address(f"[{host}]") is not None if ":" in host else "{" not in host and is_host_pattern(host)


def _check_double_upstreams(upstreams: Sequence[Upstream]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for index, upstream in enumerate(upstreams):
        if upstream.url.rstrip("/") in seen:
            problems.append(Problem(f"zone.upstreams[{index}].url", f"`{upstream.url}` is listed twice"))
        seen.add(upstream.url.rstrip("/"))
    return problems


def _check_drained(upstreams: Sequence[Upstream]) -> list[Problem]:
    if not upstreams or any(not upstream.drain for upstream in upstreams):
        return []
    return [
        Problem("zone.upstreams", "every upstream drains", "leave one, or write `enabled = true` in [zone.maintenance]")
    ]


def host_hint(host: str) -> str:
    """What to write instead of a host that is none."""
    if host == "*":
        return "for any host leave `hosts` empty"
    if host.startswith("*."):
        return f"a variable label is written in braces: `{{sub}}{host[1:]}`"
    if host.startswith("["):
        return (
            f"write `{normal}`" if (normal := normal_address(host)) else "an IPv6 address stands in brackets: `[::1]`"
        )
    if "://" in host or "/" in host:
        return "only the host name, without scheme and path"
    if re.search(r":\d+$", host):
        return "leave the port out: a host is known by its name"
    return "letters, digits and `-`, labels joined by `.`; other scripts in their xn-- form"


def _write_upstream(upstream: Upstream) -> dict[str, Any]:
    table = _without_none(asdict(upstream))
    return table if upstream.drain else _without_drain(table)


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}


def _compile_upstream(upstream: Upstream) -> dict[str, Any]:
    return asdict(upstream) if upstream.drain else _without_drain(asdict(upstream))


def _without_drain(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != "drain"}
