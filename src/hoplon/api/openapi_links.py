"""Which answer gives the ids that other routes ask for: OpenAPI links, for people who read and tools that walk the API.

Takes routes, gives the `links` of one of them. Operation ids are made by the caller.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from hoplon.api.routes import Route


class Source(NamedTuple):
    """The answer of `handler` has at `pointer` what belongs at `place`: a variable of paths with what precedes it."""

    handler: str
    pointer: str
    place: str


# Answers of a write: they always hold what was made. A listing may be empty.
SOURCES: tuple[Source, ...] = (
    Source("zones:create_zone", "/result/account/id", "accounts/{account_id}"),
    Source("zones:create_zone", "/result/id", "zones/{zone_id}"),
    Source("operations:save_operation", "/result/operation_id", "operations/{operation_id}"),
    Source("lists:create_list", "/result/id", "lists/{list_id}"),
    Source("list_items:append_items", "/result/operation_id", "bulk_operations/{operation_id}"),
    Source("list_items:replace_items", "/result/operation_id", "bulk_operations/{operation_id}"),
    Source("tokens:create_token", "/result/id", "tokens/{token_id}"),
)


def links_of(route: Route, routes: Sequence[Route], operation_id: Callable[[Route], str]) -> dict[str, Any]:
    """The links of the answer of `route`: by the id of the operation that each leads to."""
    return {
        operation_id(target): {"operationId": operation_id(target), "parameters": parameters}
        for source in SOURCES
        if source.handler == route.handler
        for target, parameters in _targets(source, route, routes)
    }


def _targets(source: Source, route: Route, routes: Sequence[Route]) -> Iterator[tuple[Route, dict[str, str]]]:
    """Routes whose path asks for what the source gives, and for nothing else that the request did not have."""
    given = source.place.partition("{")[2].rstrip("}")
    known = {name: f"$request.path.{name}" for name in variables(route.path)}
    parameters = known | {given: f"$response.body#{source.pointer}"}
    for target in routes:
        wanted = variables(target.path)
        if target.handler is not None and f"/{source.place}" in target.path and set(wanted) <= parameters.keys():
            yield target, {name: parameters[name] for name in wanted}


def variables(path: str) -> tuple[str, ...]:
    """The names of the variables of a path template."""
    return tuple(segment[1:-1] for segment in path.split("/") if segment.startswith("{"))
