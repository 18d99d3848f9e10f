"""The fields of expressions: the engine's fact table. Names, types, phases and costs stand there and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from hoplon.rules.types import Type, parse_type

PHASES = ("request_head", "request_body", "response_head", "response_body")
"""When a fact can be known, earliest first."""
COSTS = ("free", "count", "parse", "verify", "state")
"""What asking for a fact costs, cheapest first."""
COLO = "HOPLON"
"""The value of `cf.colo.id`: Cloudflare demands it as a characteristic of every rate limit; there is one place here."""
CONSTANTS: Mapping[str, str] = {"cf.colo.id": COLO}
"""Fields that are the same for every request."""


@dataclass(frozen=True, slots=True)
class FieldDef:
    """A field: its type, from which phase on it is known, and what asking for it costs."""

    name: str
    type: Type
    phase: str
    cost: str


@lru_cache
def engine_fields() -> Mapping[str, FieldDef]:
    """Every fact of the engine that is installed."""
    from hoplon import _native

    rows = _native.fact_table()
    return {row["name"]: FieldDef(row["name"], parse_type(row["type"]), row["phase"], row["cost"]) for row in rows}


def later(one: str, other: str) -> str:
    """The later of two phases."""
    return max(one, other, key=PHASES.index)


def dearer(one: str, other: str) -> str:
    """The dearer of two costs."""
    return max(one, other, key=COSTS.index)
