"""Operations as callers write them (method, host, endpoint) to saved operations, and everything wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy
from hoplon.operations import template
from hoplon.operations.policy import SavedOperation, check_host

MAX_ENDPOINT = 4096


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """What somebody asks to be saved, unread. `*` is any host of the zone."""

    method: str
    host: str
    endpoint: str


def check_specs(specs: Sequence[OperationSpec], zone: ZonePolicy, path: str = "[{}]") -> list[Problem]:
    """Everything wrong with them; `path` says where the one with a number stands."""
    hosts = {host: list(check_host("", host, zone)) for host in {spec.host.lower() for spec in specs} if host != "*"}
    return [problem for index, spec in enumerate(specs) for problem in _check(path.format(index), spec, zone, hosts)]


def read_spec(spec: OperationSpec, zone: ZonePolicy) -> SavedOperation:
    """The operation that a spec without problems means: normalised, so that all its spellings are the same one."""
    host, path = spec.host.lower(), template.canonical_path(_normal(spec.endpoint, zone))
    operation_id = template.operation_id(spec.method, host, path)
    return SavedOperation(host, path, spec.method, (str(operation_id), template.engine_path(path)))


def _check(path: str, spec: OperationSpec, zone: ZonePolicy, hosts: Mapping[str, list[Problem]]) -> Iterator[Problem]:
    if fault := template.method_fault(spec.method):
        yield Problem(f"{path}.method", *fault)
    if fault := _endpoint_fault(spec.endpoint, zone):
        yield Problem(f"{path}.endpoint", *fault)
    for problem in hosts.get(spec.host.lower(), ()):
        yield replace(problem, path=f"{path}.host")


def _endpoint_fault(endpoint: str, zone: ZonePolicy) -> tuple[str, str] | None:
    if not endpoint.startswith("/") or len(endpoint) > MAX_ENDPOINT:
        return template.path_fault(endpoint)
    return template.path_fault(_normal(endpoint, zone))


def _normal(endpoint: str, zone: ZonePolicy) -> str:
    """The path as requests are normalised before they are matched."""
    path = endpoint if "." not in endpoint and "%2" not in endpoint else template.without_dot_segments(endpoint)
    while zone.merge_slashes and "//" in path:
        path = path.replace("//", "/")
    return path
