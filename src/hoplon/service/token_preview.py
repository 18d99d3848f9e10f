"""What a token rule's selector would take: every saved operation with its state, before the rule is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hoplon.model.operation import Operation
from hoplon.operations.template import operation_id
from hoplon.service.changes import known_zone
from hoplon.service.workspace import Workspace
from hoplon.storage import operations
from hoplon.storage.database import reading
from hoplon.tokens.selection import STATES, State, operation_of, state_of

find_operation = operation_of(operation_id)
"""What names an operation (its id, or words) to its id."""


@dataclass(frozen=True, slots=True)
class PreviewFilter:
    """Which operations are shown: of these states, hosts, methods (none: all), with one of these texts in the path."""

    states: tuple[State, ...] = ()
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """The operations that are shown, each with its state; how many of all have which state; the hosts with an included
    operation, and all hosts that operations have."""

    shown: tuple[tuple[Operation, State], ...]
    counts: Mapping[State, int]
    selected_hosts: tuple[str, ...]
    available_hosts: tuple[str, ...]


def preview(
    workspace: Workspace, zone_id: str, hosts: Sequence[str], exclude: Sequence[str], wanted: PreviewFilter
) -> Preview:
    """What a rule for these hosts (none: all), without these operations, would take. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        known_zone(connection, zone_id)
        saved = operations.at_version(connection, zone_id)
    lower, excluded = tuple(host.lower() for host in hosts), frozenset(map(find_operation, exclude))
    judged = [(each, state_of(lower, excluded, each)) for each in saved]
    return Preview(
        tuple(pair for pair in judged if _is_wanted(*pair, wanted)),
        {state: sum(found == state for _, found in judged) for state in STATES},
        tuple(sorted({each.host for each, state in judged if state == "included"})),
        tuple(sorted({each.host for each in saved})),
    )


def _is_wanted(operation: Operation, state: State, wanted: PreviewFilter) -> bool:
    return (
        (not wanted.states or state in wanted.states)
        and (not wanted.hosts or operation.host in {host.lower() for host in wanted.hosts})
        and (not wanted.methods or operation.method in {method.upper() for method in wanted.methods})
        and (not wanted.endpoints or any(text in operation.template for text in wanted.endpoints))
    )
