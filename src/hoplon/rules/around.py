"""What an expression may name beside fields: lists, token configurations, the variables of an operation's path."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

ListKind = Literal["ip", "string", "int", "hostname"]


@dataclass(frozen=True, slots=True)
class Around:
    """What is there. None: not known here, so that no name is refused for not being in it.

    `path_variables`: the user's names of an operation's variables, in the order of its path; the engine calls them
    `var1`, `var2` ….
    """

    lists: Mapping[str, ListKind] | None = None
    token_configurations: Collection[str] | None = None
    path_variables: Sequence[str] | None = None
