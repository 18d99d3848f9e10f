"""Policy: what the operator wants, per zone and feature, as frozen values. Knows neither TOML nor the bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a zone's traffic goes. `ca_file` and `server_name` are for https; what drains gets no new requests."""

    url: str
    protocol: str = "http1"
    ca_file: str | None = None
    server_name: str | None = None
    drain: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the gateway waits for an upstream."""

    connect_seconds: float = 5.0
    read_seconds: float = 60.0
    idle_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """How much of a body is held back to be judged."""

    limit_bytes: int = 1048576


@dataclass(frozen=True, slots=True)
class Observe:
    """How many transactions give Observations, and how much of each."""

    probability: float = 0.02
    full_per_minute: int = 60
    per_session_per_minute: int = 30
    max_leaves: int = 200
    body_copy_bytes: int = 65536
    literal_sessions: int = 5


@dataclass(frozen=True, slots=True)
class Block:
    """What a blocked caller gets to see."""

    status: int = 403
    show_violations: bool = False


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Whether requests are answered 503 instead of being sent upstream. An empty message: none is shown."""

    enabled: bool = False
    retry_after_seconds: int = 60
    message: str = ""


@dataclass(frozen=True, slots=True)
class Balancing:
    """How requests are spread over the upstreams; with fewer healthy ones than `panic_percent`, health is ignored."""

    method: str = "least_requests"
    panic_percent: int = 50


@dataclass(frozen=True, slots=True)
class Retries:
    """How many retries there may be: a share of the requests, and so many each second whatever their number."""

    budget_percent: int = 20
    min_per_second: int = 3


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """How each upstream is asked whether it is well. Without a path nobody asks."""

    path: str | None = None
    interval_seconds: float = 5.0
    timeout_seconds: float = 2.0
    status: int = 200
    failures: int = 3
    successes: int = 2


@dataclass(frozen=True, slots=True)
class ZonePolicy:
    """The part of a policy that belongs to no feature. No hosts means any host; no upstreams: it waits for some."""

    name: str
    upstreams: tuple[Upstream, ...]
    hosts: tuple[str, ...] = ()
    merge_slashes: bool = False
    timeouts: Timeouts = Timeouts()
    inspection: Inspection = Inspection()
    observe: Observe = Observe()
    block: Block = Block()
    maintenance: Maintenance = Maintenance()
    balancing: Balancing = Balancing()
    retries: Retries = Retries()
    health: HealthChecks = HealthChecks()

    @property
    def is_active(self) -> bool:
        """Whether the gateway serves it. A zone that has no upstream yet is kept, but is in no bundle."""
        return bool(self.upstreams)


@dataclass(frozen=True, slots=True)
class Policy:
    """One zone's policy: the zone itself and, by feature name, what each feature's own table says."""

    zone: ZonePolicy
    features: Mapping[str, Any] = field(default_factory=dict)
