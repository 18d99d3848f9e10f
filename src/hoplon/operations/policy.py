"""The `[operations]` table: saved operations and what happens to requests that match none. Compiles to the engine's
operations part and, if asked for, one rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Literal

from pydantic import Field

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy
from hoplon.operations import template
from hoplon.policy.feature import Compiled, Surroundings, Table
from hoplon.policy.zone import host_hint, is_host_pattern

Fallthrough = Literal["none", "log", "block"]
MAX_OPERATIONS = 100_000
MAX_BULK = 10_000
"""So many operations are saved or removed in one call."""
FALLTHROUGH_RULE = "operations.fallthrough"


class SavedTable(Table):
    """One saved operation. `*` is any host of the zone."""

    method: str
    path: str
    host: str = "*"


class OperationsTable(Table):
    """Saved operations and the fallthrough action."""

    fallthrough: Fallthrough = "log"
    saved: tuple[SavedTable, ...] = Field(default=(), max_length=MAX_OPERATIONS, strict=False)


@dataclass(frozen=True, slots=True, order=True)
class SavedOperation:
    """One saved operation: path canonical but variables under their own names, `host` lower case or `*`.

    `stored` is (id, template) where the store knows them: computing those of thousands takes a noticeable time.
    """

    host: str
    path: str
    method: str
    stored: tuple[str, str] | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The UUID that the same method, host and template always have."""
        return self.stored[0] if self.stored else str(template.operation_id(self.method, self.host, self.path))

    @property
    def template(self) -> str:
        """The path as the engine writes it: variables are `{var1}`, `{var2}` …"""
        return self.stored[1] if self.stored else template.engine_path(self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + ("" if self.host == "*" else f" on {self.host}")


@dataclass(frozen=True, slots=True)
class OperationsPolicy:
    """The feature's policy. `saved` keeps the order of its document; `OperationsFeature.write` sorts."""

    fallthrough: Fallthrough
    saved: tuple[SavedOperation, ...]


class OperationsFeature:
    """Operations' side of policy (see `hoplon.policy.feature.Feature`)."""

    name = "operations"
    table: type[Table] = OperationsTable

    def read(self, table: OperationsTable) -> OperationsPolicy:
        return OperationsPolicy(table.fallthrough, tuple(_read_saved(saved) for saved in table.saved))

    def write(self, policy: OperationsPolicy) -> dict[str, Any]:
        table: dict[str, Any] = {"fallthrough": policy.fallthrough}
        if policy.saved:
            saved = sorted(policy.saved)
            table["saved"] = [{"method": each.method, "host": each.host, "path": each.path} for each in saved]
        return table

    def check(self, policy: OperationsPolicy, zone: ZonePolicy) -> list[Problem]:
        problems = [problem for index, saved in enumerate(policy.saved) for problem in _check_saved(index, saved, zone)]
        if not problems:
            problems += _check_doubles(policy.saved)
        if policy.fallthrough == "block" and not policy.saved:
            hint = "save operations first: `hoplon operations --seen --as-policy` lists what was seen"
            problems.append(
                Problem("operations.fallthrough", "`block` without saved operations blocks everything", hint)
            )
        return problems

    def compile(self, policy: OperationsPolicy, around: Surroundings) -> Compiled:
        operations = [_compile_saved(saved) for saved in policy.saved]
        part = {"operations": sorted(operations, key=itemgetter("host", "path", "method"))}
        return Compiled({"operations": part}, tuple(_compile_rules(policy)))

    def describe(self, old: OperationsPolicy, new: OperationsPolicy) -> Sequence[str]:
        sentences = []
        if old.fallthrough != new.fallthrough:
            sentences.append(f"operations.fallthrough: {old.fallthrough} → {new.fallthrough}")
        before = {saved.id: saved for saved in old.saved}
        after = {saved.id: saved for saved in new.saved}
        sentences += [f"removes operation {before[key]}" for key in before if key not in after]
        sentences += [f"saves operation {after[key]}" for key in after if key not in before]
        sentences += [
            f"renames the variables of {before[key]} to {after[key]}"
            for key in before
            if key in after and before[key] != after[key]
        ]
        return sentences


def _read_saved(saved: SavedTable) -> SavedOperation:
    """A path with a fault stays as it is spelled, so that the check can quote it."""
    path = saved.path if template.path_fault(saved.path) else template.canonical_path(saved.path)
    return SavedOperation(saved.host.lower(), path, saved.method)


def _check_saved(index: int, saved: SavedOperation, zone: ZonePolicy) -> Iterator[Problem]:
    path = f"operations.saved[{index}]"
    if fault := template.method_fault(saved.method):
        yield Problem(f"{path}.method", *fault)
    if fault := template.path_fault(saved.path):
        yield Problem(f"{path}.path", *fault)
    elif zone.merge_slashes and "//" in saved.path:
        yield Problem(f"{path}.path", f"`{saved.path}`: this zone merges slashes", "write `/` once")
    if saved.host != "*":
        yield from check_host(f"{path}.host", saved.host, zone)


def check_host(path: str, host: str, zone: ZonePolicy) -> Iterator[Problem]:
    """What is wrong with the host of an operation of this zone; `path` is where it stands."""
    if not is_host_pattern(host):
        yield Problem(path, f"`{host}` is no host name", host_hint(host))
    elif not is_zone_host(host, zone.hosts):
        yield Problem(path, f"`{host}` is no host of this zone", "add it to `zone.hosts`, or write `*`")


def is_zone_host(host: str, zone_hosts: Sequence[str]) -> bool:
    """Whether a request to this host (name, pattern or `*`) can be one to a zone with these hosts; none: any host."""
    return host == "*" or not zone_hosts or any(_overlap(pattern, host) for pattern in zone_hosts)


def _overlap(pattern: str, host: str) -> bool:
    """Whether some host name fits both patterns."""
    labels, given = pattern.split("."), host.split(".")
    return len(labels) == len(given) and all(
        label == other or "{" in (label[:1], other[:1]) for label, other in zip(labels, given, strict=True)
    )


def _check_doubles(saved: Sequence[SavedOperation]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, operation in enumerate(saved):
        earlier = first.setdefault(operation.id, index)
        if earlier != index:
            path = f"operations.saved[{index}]"
            yield Problem(path, f"{operation} is the same operation as operations.saved[{earlier}]", "remove one")


def _compile_saved(saved: SavedOperation) -> dict[str, str]:
    return {
        "id": saved.id,
        "method": saved.method,
        "host": template.engine_host(saved.host) if "{" in saved.host else saved.host,
        "path": saved.template,
    }


def _compile_rules(policy: OperationsPolicy) -> Iterator[dict[str, str]]:
    """Without saved operations everything would fall through, which says nothing: then there is no rule."""
    if policy.saved and policy.fallthrough != "none":
        yield {
            "id": FALLTHROUGH_RULE,
            "phase": "request_head",
            "fact": "cf.api_gateway.fallthrough_detected",
            "action": policy.fallthrough,
            "violation": FALLTHROUGH_RULE,
            "fail": "closed" if policy.fallthrough == "block" else "open",
        }
