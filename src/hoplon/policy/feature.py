"""What a feature brings to policy: its table in the document, its checks, and what it compiles to.

The ordered list of features is made by `hoplon.service.features` and handed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy


class Table(BaseModel):
    """A table of the policy document: unknown keys are errors, values are not changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one feature gives to a zone's bundle: parts by kind, rules in the order in which they decide, and the names
    of the lists that its programs use."""

    parts: Mapping[str, Any]
    rules: tuple[Mapping[str, Any], ...] = ()
    lists: frozenset[str] = frozenset()


class Saved(Protocol):
    """A saved operation as every feature may know it. `path` has the user's names of variables, `template` the
    engine's (`{var1}` …); `host` is a name, a pattern or `*`."""

    @property
    def id(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def template(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a feature may know of its zone besides its own table when it compiles: features do not import each other.

    `lists` are the account's lists by name, as the engine takes them: `{"name", "kind", "items"}`; each is read when
    it is asked for.
    """

    zone: ZonePolicy
    operations: Sequence[Saved] = ()
    token_configurations: tuple[str, ...] = ()
    lists: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Feature(Protocol):
    """One feature's side of policy. Its policy value is a frozen dataclass that only the feature looks into."""

    name: str
    """The feature's word: the name of its table."""

    table: type[Table]
    """The table as it stands in the document. It must be complete by default."""

    def read(self, table: Any) -> Any:
        """The policy value that a checked table means."""

    def write(self, policy: Any) -> dict[str, Any]:
        """The canonical table of a policy value, such that `read` gives it back."""

    def check(self, policy: Any, zone: ZonePolicy) -> Sequence[Problem]:
        """Everything wrong with it, each with its path in the document."""

    def compile(self, policy: Any, around: Surroundings) -> Compiled:
        """What the engine needs. Only called when `check`, and what checks the tables together, found nothing."""

    def describe(self, old: Any, new: Any) -> Sequence[str]:
        """What changes from `old` to `new`, in words; empty when nothing does."""
