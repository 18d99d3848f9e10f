"""The types of values in expressions, and the words for them (those of Cloudflare's documentation)."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `of` is what an Array or Map holds."""

    kind: str
    of: "Type | None" = None

    def __str__(self) -> str:
        return self.kind if self.of is None else f"{self.kind}<{self.of}>"


BOOLEAN = Type("Boolean")
INTEGER = Type("Integer")
STRING = Type("String")
ADDRESS = Type("IP address")
SCALARS = (BOOLEAN, INTEGER, STRING, ADDRESS)
"""What one value is; everything else holds several."""


def array(of: Type) -> Type:
    """`Array<of>`."""
    return Type("Array", of)


def map_of(of: Type) -> Type:
    """`Map<of>`: keys are always text."""
    return Type("Map", of)


BOOLEANS = array(BOOLEAN)


@lru_cache
def parse_type(text: str) -> Type:
    """The type that the engine's fact table names. ValueError for a word that is no type."""
    for kind in ("Array", "Map"):
        if text.startswith(f"{kind}<") and text.endswith(">"):
            return Type(kind, parse_type(text[len(kind) + 1 : -1]))
    found = next((known for known in SCALARS if known.kind == text), None)
    if found is None:
        raise ValueError(f"no type: {text}")
    return found
