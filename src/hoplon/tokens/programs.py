"""Token rules and authorization to rules of the engine (stage `features`). Both act on what is not true, and neither
acts on a CORS preflight: a browser sends it without the token."""

from collections.abc import Iterator, Sequence
from typing import Any

from hoplon.catalog.selector import read_spelled
from hoplon.policy.feature import Saved, Surroundings
from hoplon.rules.around import Around
from hoplon.rules.compile import Compiled, compile_expression
from hoplon.rules.dialects import AUTHORIZATION, TOKENS
from hoplon.tokens.model import Action, Authorization, TokensPolicy
from hoplon.tokens.selection import OperationId, apply_rules, operation_of

PREFLIGHT = "hoplon.cors.preflight"
RULE, NOT_AUTHORIZED = "tokens.rule", "tokens.authorization"
"""The violations."""


def compile_rules(policy: TokensPolicy, around: Surroundings, operation_id: OperationId) -> Iterator[dict[str, Any]]:
    """One rule of the engine for each token rule, several of one id where it takes some operations on some hosts only;
    what takes no operation gives none."""
    programs = {rule.id: compile_rule(rule.expression, policy) for rule in policy.rules if rule.enabled}
    for applied in apply_rules(policy.rules, around.operations, operation_of(operation_id)):
        rule = applied.rule
        when = _unless(programs[rule.id].program, applied.hosts, applied.others)
        yield _entry(rule.id, rule.action, RULE, when, applied.operations)


def compile_authorization(
    policy: TokensPolicy, around: Surroundings, operation_id: OperationId
) -> Iterator[dict[str, Any]]:
    """One rule of the engine for each condition; one for an operation that is not saved (any more) gives none."""
    saved = {operation.id: operation for operation in around.operations}
    find = operation_of(operation_id)
    for each in policy.authorization:
        operation = saved.get(find(each.operation))
        if each.enabled and operation is not None:
            when = _unless(compile_condition(each, policy, operation).program)
            yield _entry(each.id, each.action, NOT_AUTHORIZED, when, (operation.id,))


def compile_rule(expression: str, policy: TokensPolicy) -> Compiled:
    """A token rule's expression, as written. Raises `ExpressionError`."""
    return compile_expression(expression, TOKENS, Around(token_configurations=policy.configuration_ids))


def compile_condition(each: Authorization, policy: TokensPolicy, operation: Saved | None = None) -> Compiled:
    """The condition of an authorization, as written, with the names that the operation's variables have. Raises
    `ExpressionError`."""
    variables = _variables(each.operation, operation)
    around = Around(token_configurations=policy.configuration_ids, path_variables=variables)
    return compile_expression(each.condition, AUTHORIZATION, around)


def _variables(spelled: str, operation: Saved | None) -> list[str] | None:
    """The names of an operation's variables in their order: those in the words that name it, else the saved ones."""
    words = read_spelled(spelled)
    path = words.path if words is not None else operation.path if operation is not None else None
    if path is None:
        return None
    return [segment[1:-1] for segment in path.split("/") if segment.startswith("{") and segment.endswith("}")]


def _unless(
    program: dict[str, Any], hosts: frozenset[str] | None = None, others: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The program that is true when `program` is not: on these hosts, not on the others, and not for a preflight."""
    nodes = [list(node) for node in program["nodes"]]

    def add(*node: Any) -> int:
        nodes.append(list(node))
        return len(nodes) - 1

    conditions = [add("not", len(nodes) - 1)]
    conditions.insert(0, add("not", add("fact", PREFLIGHT)))
    if hosts is not None:
        conditions.insert(0, add("in", add("fact", "http.host"), {"strs": sorted(hosts)}))
    if others:
        conditions.insert(0, add("not", add("in", add("fact", "http.host"), {"strs": sorted(others)})))
    add("and", *conditions)
    return {"nodes": nodes}


def _entry(
    identity: str, action: Action, violation: str, when: dict[str, Any], operations: Sequence[str]
) -> dict[str, Any]:
    return {
        "id": identity,
        "stage": "features",
        "when": when,
        "action": action,
        "violation": violation,
        "fail": "closed" if action == "block" else "open",
        "operations": list(operations),
    }
