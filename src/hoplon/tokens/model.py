"""What tokens are about, as frozen values: configurations, rules and authorization. No TOML, no bundle, no store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

from hoplon.tokens.keys import Key

Action = Literal["log", "block"]
MAX_CONFIGURATIONS = 32
MAX_RULES = 1_000
MAX_AUTHORIZATION = 10_000
MAX_TITLE = 50
MAX_DESCRIPTION = 500
ANY_HOST = "*"
NEVER = datetime.fromtimestamp(0, UTC)
"""The moment of what is not stored yet."""
_NAMESPACE = UUID("0d0b8f5e-1f0b-5b0f-8a5c-6c1d7b0f2e64")
"""Of ids that a policy document leaves out. It never changes: such ids are the same everywhere."""


def derived_id(kind: str, words: str) -> str:
    """The id of something that has none of its own, from the words by which it is known."""
    return str(uuid5(_NAMESPACE, f"{kind}\n{words}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfiguration:
    """Tokens of one kind: where they are looked for, in this order, whose keys verify them, what they must say.

    Empty lists demand nothing. Either `keys` or `jwks_url`. The moments are the store's.
    """

    id: str
    token_sources: tuple[str, ...]
    title: str = ""
    description: str = ""
    keys: tuple[Key, ...] = ()
    jwks_url: str | None = None
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    required_claims: tuple[str, ...] = ()
    max_age_seconds: int | None = None
    clock_skew_seconds: int = 60
    created_at: datetime = field(default=NEVER, compare=False)
    last_updated: datetime = field(default=NEVER, compare=False)

    @property
    def secrets(self) -> frozenset[str]:
        """The ids of the secrets that its HMAC keys name."""
        return frozenset(key.secret for key in self.keys if key.secret is not None)

    def __str__(self) -> str:
        return self.title or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """What the operations of `hosts` (none: all), without those of `exclude`, demand: an expression over tokens.

    The action is taken when the expression is false. `exclude` names operations by id, or as `GET /path`.
    """

    id: str
    title: str
    expression: str
    description: str = ""
    action: Action = "log"
    enabled: bool = True
    hosts: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    created_at: datetime = field(default=NEVER, compare=False)
    last_updated: datetime = field(default=NEVER, compare=False)

    def __str__(self) -> str:
        return self.title or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """Who may use one operation: those for whom the condition is true. `operation` is an id, or `GET /users/{user}`,
    whose variables have the names that the condition uses."""

    operation: str
    condition: str
    action: Action = "log"
    enabled: bool = True
    description: str = ""

    @property
    def id(self) -> str:
        """The id of its rule in the engine."""
        return derived_id("authorization", f"{self.operation}\n{self.condition}")

    def __str__(self) -> str:
        return f"{self.operation}: {self.condition}"


@dataclass(frozen=True, slots=True)
class TokensPolicy:
    """The feature's policy."""

    configurations: tuple[TokenConfiguration, ...] = ()
    rules: tuple[TokenRule, ...] = ()
    authorization: tuple[Authorization, ...] = ()

    @property
    def configuration_ids(self) -> tuple[str, ...]:
        return tuple(each.id for each in self.configurations)

    @property
    def blocks(self) -> bool:
        """Whether some rule or condition that is on blocks."""
        acting = [each.action for each in self.rules if each.enabled]
        acting += [each.action for each in self.authorization if each.enabled]
        return "block" in acting

    @property
    def secrets(self) -> frozenset[str]:
        """The ids of every secret that it names."""
        return frozenset[str]().union(*(each.secrets for each in self.configurations))


def find_configuration(configurations: Sequence[TokenConfiguration], identity: str) -> TokenConfiguration | None:
    """The one with this id."""
    return next((each for each in configurations if each.id == identity), None)
