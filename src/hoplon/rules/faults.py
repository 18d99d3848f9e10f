"""What can be wrong with a rule by itself, as Problems with paths relative to it (`.response.content`)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hoplon.errors import Problem
from hoplon.model.rules import OwnResponse, Rule, RulesetPolicy, Skip, is_rule_id
from hoplon.policy.feature import Saved
from hoplon.spelling import did_you_mean

CONTENT_TYPES = ("application/json", "text/html", "text/xml", "text/plain")
MAX_CONTENT_BYTES = 30 * 1024
MAX_NAME = 255
MAX_REF = 255
MAX_DESCRIPTION = 500
MAX_OPERATIONS = 1_000
MAX_SKIPPED_RULES = 1_000

LIMITS_STAGE = "limits"
FEATURES_STAGE = "features"
SKIPPED_PHASES: Mapping[str, str | None] = {
    "http_ratelimit": LIMITS_STAGE,
    "http_request_firewall_managed": None,
    "http_request_sbfm": None,
}
"""The phases that Cloudflare lets a rule skip, and the stage that each is here; None: nothing here to skip."""
SKIPPED_PRODUCTS: Mapping[str, str | None] = {
    "rateLimit": LIMITS_STAGE,
    "bic": None,
    "hot": None,
    "securityLevel": None,
    "uaBlock": None,
    "waf": None,
    "zoneLockdown": None,
}
_REF = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NAMED = re.compile(r"(?P<method>[!-~]+) (?P<path>/[!-~]*)(?: on (?P<host>[!-~]+))?")
_VARIABLE = re.compile(r"\{[^{}]*\}")


def rule_faults(rule: Rule) -> Iterator[Problem]:
    """What every rule can have wrong, besides its expression."""
    if not _REF.fullmatch(rule.ref) or len(rule.ref) > MAX_REF:
        yield Problem(".ref", f"is 1 to {MAX_REF} visible ASCII characters")
    if not is_rule_id(rule.id):
        yield Problem(".id", "is 32 hexadecimal digits in lower case", "leave it out: it follows from `ref`")
    if len(rule.description) > MAX_DESCRIPTION:
        yield Problem(".description", f"has at most {MAX_DESCRIPTION} characters")
    yield from _name_faults(rule.operations)
    yield from _response_faults(rule)


def skip_faults(rule: Rule) -> Iterator[Problem]:
    """What can be wrong with what a custom rule skips."""
    if rule.action != "skip":
        if rule.skip is not None:
            yield Problem(".skip", f"a rule that says `{rule.action}` skips nothing", 'write action = "skip"')
        return
    skip = rule.skip or Skip()
    yield from _unknown(".skip.phases", skip.phases, SKIPPED_PHASES)
    yield from _unknown(".skip.products", skip.products, SKIPPED_PRODUCTS)
    if len(skip.rules) > MAX_SKIPPED_RULES:
        yield Problem(".skip.rules", f"at most {MAX_SKIPPED_RULES:,} rules")
    for index, each in enumerate(skip.rules):
        if not is_rule_id(each):
            yield Problem(
                f".skip.rules[{index}]", f"no custom rule has the ref `{each}`", "write a ref, or a rule's id"
            )
    if not (skip.is_rest or skip.rules or skipped_stages(skip)):
        hint = 'for example ruleset = "current", or phases = ["http_ratelimit"]'
        yield Problem(".skip", "skips nothing that there is here", hint)


def skipped_stages(skip: Skip) -> list[str]:
    """The stages of the engine that it turns off."""
    found = {SKIPPED_PHASES.get(each) for each in skip.phases} | {SKIPPED_PRODUCTS.get(each) for each in skip.products}
    if skip.is_features:
        found.add(FEATURES_STAGE)
    return sorted(each for each in found if each)


def ruleset_faults(rules: Sequence[Rule]) -> Iterator[Problem]:
    """Rules that cannot be told apart: paths `[3].ref`."""
    refs: dict[str, int] = {}
    ids: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if (earlier := refs.setdefault(rule.ref, index)) != index:
            yield Problem(f"[{index}].ref", f"`{rule.ref}` is the ref of rule {earlier} as well", "choose another")
        elif (earlier := ids.setdefault(rule.id, index)) != index:
            yield Problem(f"[{index}].id", f"is the id of rule {earlier} as well", "leave it out")


def header_faults(policy: RulesetPolicy) -> Iterator[Problem]:
    """What is wrong with a ruleset's name and description: paths `name`, `description`."""
    if not 1 <= len(policy.name) <= MAX_NAME:
        yield Problem("name", f"has 1 to {MAX_NAME} characters")
    if len(policy.description) > MAX_DESCRIPTION:
        yield Problem("description", f"has at most {MAX_DESCRIPTION} characters")


def ruleset_problems(
    policy: RulesetPolicy, table: str, path: str, faults: Callable[[Rule], Iterator[Problem]]
) -> list[Problem]:
    """Everything wrong with a whole ruleset, placed in the document: `table` is its table there, `path` the list of its
    rules, `faults` what its kind of rule can have wrong."""
    problems = [
        replace(problem, path=f"{path}[{index}]{problem.path}")
        for index, rule in enumerate(policy.rules)
        for problem in faults(rule)
    ]
    problems += [replace(each, path=f"{path}{each.path}") for each in ruleset_faults(policy.rules)]
    return problems + [replace(each, path=f"{table}.{each.path}") for each in header_faults(policy)]


def operation_index(saved: Sequence[Saved]) -> Mapping[str, str]:
    """The ids of saved operations by everything that a rule may call them: made once for many rules."""
    names = {_name_key(each.method, each.path, each.host): each.id for each in saved}
    return names | {each.id: each.id for each in saved}


def operation_ids(rule: Rule, index: Mapping[str, str]) -> tuple[list[str], list[int]]:
    """The ids of the operations that a rule names, and the indexes of its names that no saved operation has."""
    found = [index.get(_key_of(each), "") for each in rule.operations]
    return sorted({each for each in found if each}), [at for at, each in enumerate(found) if not each]


def operation_faults(rule: Rule, index: Mapping[str, str]) -> Iterator[Problem]:
    """The operations that a rule names and that are not saved."""
    for at in operation_ids(rule, index)[1]:
        name = rule.operations[at]
        yield Problem(f".operations[{at}]", f"`{name}` is no saved operation", "save it first")


def _name_faults(operations: Sequence[str]) -> Iterator[Problem]:
    if len(operations) > MAX_OPERATIONS:
        yield Problem(".operations", f"at most {MAX_OPERATIONS:,} operations")
    for index, each in enumerate(operations):
        if not _UUID.fullmatch(each) and not _NAMED.fullmatch(each):
            hint = 'its id, or "GET /users/{id}", or "GET /users/{id} on api.example.com"'
            yield Problem(f".operations[{index}]", f"`{each[:80]}` names no operation", hint)


def _key_of(name: str) -> str:
    match = _NAMED.fullmatch(name)
    return _name_key(match["method"], match["path"], match["host"] or "*") if match else name


def _name_key(method: str, path: str, host: str) -> str:
    """The names of variables tell no operations apart."""
    return _VARIABLE.sub("{}", f"{method} {path} on {host.lower()}")


def _response_faults(rule: Rule) -> Iterator[Problem]:
    response = rule.response
    if response is None:
        return
    if rule.action != "block":
        yield Problem(".response", f"a rule that says `{rule.action}` answers nobody", 'write action = "block"')
    yield from own_response_faults(response)


def own_response_faults(response: OwnResponse) -> Iterator[Problem]:
    """What can be wrong with an answer of one's own, relative to the rule."""
    if not 400 <= response.status_code <= 499:
        yield Problem(".response.status_code", f"is 400 to 499, not {response.status_code}")
    if response.content_type not in CONTENT_TYPES:
        yield Problem(".response.content_type", f"`{response.content_type}`: one of {', '.join(CONTENT_TYPES)}")
    if len(response.content.encode()) > MAX_CONTENT_BYTES:
        yield Problem(".response.content", f"is longer than {MAX_CONTENT_BYTES // 1024} KB")


def _unknown(path: str, given: Sequence[str], known: Mapping[str, str | None]) -> Iterator[Problem]:
    for index, each in enumerate(given):
        if each not in known:
            yield Problem(f"{path}[{index}]", f"`{each[:80]}` cannot be skipped", did_you_mean(each, known))
