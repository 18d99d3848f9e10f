"""What no feature can check alone: whether the tables of one policy fit each other, and the account's lists."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from hoplon.errors import Problem
from hoplon.identity.policy import claim_problems
from hoplon.model.policy import Policy
from hoplon.operations.template import operation_id
from hoplon.policy.assembly import surroundings
from hoplon.rules.around import Around, ListKind
from hoplon.rules.faults import operation_faults, operation_index
from hoplon.service.ruleset_store import RULESET_FEATURES
from hoplon.tokens.model import TokensPolicy
from hoplon.tokens.selection import operation_of


def disagreements(policy: Policy) -> list[Problem]:
    """Where one table of a policy names what another does not have."""
    return [*_label_disagreements(policy), *_token_disagreements(policy), *_rule_disagreements(policy, None)]


def disagreements_beside(lists: Mapping[str, ListKind]) -> Callable[[Policy], list[Problem]]:
    """The same, and where rules name lists of the account that there are not, or that hold something else."""

    def found(policy: Policy) -> list[Problem]:
        return [*_label_disagreements(policy), *_token_disagreements(policy), *_rule_disagreements(policy, lists)]

    return found


def _label_disagreements(policy: Policy) -> Iterator[Problem]:
    saved = {operation.id for operation in policy.features["operations"].saved}
    for index, each in enumerate(policy.features["labels"].attached):
        if each.operation_id not in saved:
            hint = "save it in `operations.saved`, or leave this out"
            yield Problem(f"labels.attached[{index}]", f"{each} is no saved operation", hint)


def _rule_disagreements(policy: Policy, lists: Mapping[str, ListKind] | None) -> Iterator[Problem]:
    known = surroundings(policy)
    saved = operation_index(known.operations)
    around = Around(lists, known.token_configurations)
    for name, feature in RULESET_FEATURES.items():
        for index, rule in enumerate(policy.features[name].rules):
            for problem in (*operation_faults(rule, saved), *feature.naming_faults(rule, around)):
                yield replace(problem, path=f"{feature.path}[{index}]{problem.path}")


def _token_disagreements(policy: Policy) -> Iterator[Problem]:
    tokens: TokensPolicy = policy.features["tokens"]
    yield from claim_problems(policy.features["identity"].identifiers, tokens.configuration_ids, "identity.identifiers")
    yield from authorization_problems(tokens, {operation.id for operation in policy.features["operations"].saved})


def authorization_problems(tokens: TokensPolicy, saved: set[str]) -> Iterator[Problem]:
    """Conditions for operations that are not saved."""
    find = operation_of(operation_id)
    for index, each in enumerate(tokens.authorization):
        if find(each.operation) not in saved:
            hint = "save it in `operations.saved`, or leave this out"
            yield Problem(f"tokens.authorization[{index}].operation", f"`{each.operation}` is no saved operation", hint)
