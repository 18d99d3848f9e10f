"""Session identifiers proposed from traffic: a zone without any, whose successful requests often carry `Authorization`.

More than 1 % is where Cloudflare sets it by itself; here it is proposed, and people decide. Where a token configuration
reads that header a claim is proposed instead: tokens change, who they are about does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hoplon.errors import HoplonError
from hoplon.identity.policy import Identifier
from hoplon.service.policy import all_zones
from hoplon.service.record_errors import explained
from hoplon.service.workspace import Workspace
from hoplon.storage.records import Layout, Selection
from hoplon.storage.records.query import QueryLimits, run_query
from hoplon.tokens.model import TokensPolicy
from hoplon.tokens.sources import parse_source

PERIOD = timedelta(hours=24)
LEAST_REQUESTS = 100
"""Fewer say nothing."""
LEAST_SHARE = 0.01
_LIMITS = QueryLimits(seconds=10.0, memory_bytes=512 * 1024**2)
_SQL = """
    SELECT zone, count(*) AS requests, count(*) FILTER (session_source = 'authorization') AS authorized
    FROM records WHERE status BETWEEN 200 AND 299 GROUP BY zone
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An identifier for a zone that has none: of so many successful requests that share carries `Authorization`."""

    zone_id: str
    zone_name: str
    identifier: Identifier
    requests: int
    share: float


def propose_identifiers(workspace: Workspace, now: datetime) -> list[Proposal]:
    """What is proposed for each zone from the records of the last day; nothing where they cannot be asked."""
    zones = [
        (version.zone_id, version.zone_name, policy.features["tokens"])
        for version, policy in all_zones(workspace)
        if not policy.features["identity"].identifiers
    ]
    counts = _counts(workspace, now) if zones else {}
    found = []
    for zone_id, name, tokens in zones:
        requests, authorized = counts.get(zone_id, (0, 0))
        if requests >= LEAST_REQUESTS and authorized > LEAST_SHARE * requests:
            found.append(Proposal(zone_id, name, _identifier(tokens), requests, authorized / requests))
    return found


def _counts(workspace: Workspace, now: datetime) -> Mapping[str, tuple[int, int]]:
    """By zone, the successful requests and how many of them carried `Authorization`."""
    selection = Selection(since=now - PERIOD)
    try:
        with explained(_LIMITS), run_query(Layout.of_state(workspace.state.root), _SQL, selection, _LIMITS) as answer:
            rows = answer.batches.read_all().to_pylist()
    except HoplonError:
        return {}
    return {row["zone"]: (row["requests"], row["authorized"]) for row in rows}


def _identifier(tokens: TokensPolicy) -> Identifier:
    for each in tokens.configurations:
        if any(parse_source(text).name == "authorization" for text in each.token_sources):
            return Identifier("jwt", f"{each.id}:$.sub")
    return Identifier("header", "authorization")
