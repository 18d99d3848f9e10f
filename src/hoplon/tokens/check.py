"""What the types of the `[tokens]` table cannot say. Paths are those of the policy document."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from hoplon.catalog.selector import read_spelled
from hoplon.errors import Problem
from hoplon.policy.zone import host_hint, is_host_pattern
from hoplon.rules.refusal import ExpressionError
from hoplon.spelling import did_you_mean
from hoplon.tokens.keys import written_problems
from hoplon.tokens.model import (
    ANY_HOST,
    MAX_AUTHORIZATION,
    MAX_CONFIGURATIONS,
    MAX_DESCRIPTION,
    MAX_RULES,
    MAX_TITLE,
    Authorization,
    TokenConfiguration,
    TokenRule,
    TokensPolicy,
)
from hoplon.tokens.programs import compile_condition, compile_rule
from hoplon.tokens.sources import FORMS, MAX_SOURCES, parse_source

MAX_VALUES = 50
MAX_VALUE = 1_000
MAX_URL = 2_048
MAX_EXCLUDED = 10_000
MAX_HOSTS = 1_000
_ID = re.compile(r"[a-z0-9-]{1,36}")
_OPERATION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAY = 86400


def configuration_problems(configurations: Sequence[TokenConfiguration]) -> list[Problem]:
    """Everything wrong with the configurations."""
    problems = [
        problem
        for index, each in enumerate(configurations)
        for problem in one_configuration_problems(each, f"tokens.configurations[{index}]")
    ]
    if len(configurations) > MAX_CONFIGURATIONS:
        problems.append(Problem("tokens.configurations", f"a zone has at most {MAX_CONFIGURATIONS}"))
    return problems + list(_twice("tokens.configurations", "id", [each.id for each in configurations]))


def one_configuration_problems(each: TokenConfiguration, path: str) -> list[Problem]:
    """Everything wrong with one configuration; `path` is where it stands."""
    return [
        *_id_problems(each.id, path),
        *text_problems(each.title, each.description, path),
        *source_problems(each.token_sources, path),
        *_key_problems(each, path),
        *_demand_problems(each, path),
    ]


def text_problems(title: str, description: str, path: str) -> Iterator[Problem]:
    """What is wrong with a title and a description."""
    for name, text, most in (("title", title, MAX_TITLE), ("description", description, MAX_DESCRIPTION)):
        if len(text) > most:
            yield Problem(_below(path, name), f"it has at most {most} characters, not {len(text)}", "shorten it")


def source_problems(sources: Sequence[str], path: str) -> Iterator[Problem]:
    """What is wrong with the places where tokens are looked for."""
    if not 1 <= len(sources) <= MAX_SOURCES:
        message = f"a configuration has 1 to {MAX_SOURCES} sources, not {len(sources)}"
        yield Problem(_below(path, "token_sources"), message, f"for example {FORMS}")
    found = []
    for index, text in enumerate(sources):
        try:
            found.append(parse_source(text))
        except ValueError as error:
            yield Problem(_below(path, f"token_sources[{index}]"), str(error), f"write {FORMS}")
    if len(set(found)) < len(found):
        yield Problem(_below(path, "token_sources"), "the same place is listed twice", "remove one")


def rule_problems(policy: TokensPolicy) -> list[Problem]:
    """Everything wrong with the token rules."""
    problems = [
        problem
        for index, rule in enumerate(policy.rules)
        for problem in one_rule_problems(rule, policy, f"tokens.rules[{index}]")
    ]
    if len(policy.rules) > MAX_RULES:
        problems.append(Problem("tokens.rules", f"a zone has at most {MAX_RULES} token rules"))
    return problems + list(_twice("tokens.rules", "id", [rule.id for rule in policy.rules]))


def one_rule_problems(rule: TokenRule, policy: TokensPolicy, path: str) -> list[Problem]:
    """Everything wrong with one rule; `path` is where it stands."""
    return [
        *_id_problems(rule.id, path),
        *text_problems(rule.title, rule.description, path),
        *_selector_problems(rule, path),
        *expression_problems(lambda: compile_rule(rule.expression, policy), _below(path, "expression")),
    ]


def authorization_problems(policy: TokensPolicy) -> list[Problem]:
    """Everything wrong with the authorization of operations, but whether they are saved."""
    problems = [
        problem
        for index, each in enumerate(policy.authorization)
        for problem in _authorization_problems(each, policy, f"tokens.authorization[{index}]")
    ]
    if len(policy.authorization) > MAX_AUTHORIZATION:
        problems.append(Problem("tokens.authorization", f"a zone has at most {MAX_AUTHORIZATION} of them"))
    keys = [each.id for each in policy.authorization]
    return problems + list(_twice("tokens.authorization", None, keys))


def expression_problems(compiled: Callable[[], Any], path: str) -> Iterator[Problem]:
    """What is wrong with an expression: whatever compiling it says."""
    try:
        compiled()
    except ExpressionError as error:
        yield Problem(path, f"line {error.line}, column {error.column}: {error.message}", error.hint)


def _authorization_problems(each: Authorization, policy: TokensPolicy, path: str) -> Iterator[Problem]:
    if not policy.configurations:
        yield Problem(
            f"{path}.condition",
            "there is no token configuration, so no token is verified, and only the claims of verified ones are read",
            "add one to [[tokens.configurations]]",
        )
        return
    if fault := _operation_fault(each.operation):
        yield Problem(f"{path}.operation", *fault)
    if len(each.description) > MAX_DESCRIPTION:
        yield Problem(f"{path}.description", f"it has at most {MAX_DESCRIPTION} characters", "shorten it")
    yield from expression_problems(lambda: compile_condition(each, policy), f"{path}.condition")


def _operation_fault(text: str) -> tuple[str, str] | None:
    if read_spelled(text) is not None or _OPERATION_ID.fullmatch(text):
        return None
    return f"`{text[:100]}` names no operation", "write `GET /users/{user}/orders`, with ` on HOST` where it has one"


def _id_problems(identity: str, path: str) -> Iterator[Problem]:
    if not _ID.fullmatch(identity):
        message = f"`{identity[:80]}` is no id: 1 to 36 of a-z, 0-9 and -"
        yield Problem(_below(path, "id"), message, "it never changes, and expressions name it")


def _key_problems(each: TokenConfiguration, path: str) -> Iterator[Problem]:
    if each.jwks_url is not None:
        if each.keys:
            yield Problem(
                _below(path, "keys"), "keys are either written here or fetched from `jwks_url`", "leave one out"
            )
        if fault := url_fault(each.jwks_url):
            yield Problem(_below(path, "jwks_url"), *fault)
        return
    yield from written_problems(each.keys, _below(path, "keys"))


def url_fault(url: str) -> tuple[str, str] | None:
    """(what is wrong, hint) with the URL of a key set. Whether its address may be asked is found out when it is."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole or len(url) > MAX_URL or not url.isascii() or any(character <= " " for character in url):
        return f"`{url[:100]}` is no https:// URL", "for example https://issuer.example/.well-known/jwks.json"
    if parts.username is not None or parts.fragment:
        return "a key set's URL has neither a user nor a fragment", "leave them out"
    return None


def _demand_problems(each: TokenConfiguration, path: str) -> Iterator[Problem]:
    for name in ("issuers", "audiences", "types", "required_claims"):
        values: tuple[str, ...] = getattr(each, name)
        if len(values) > MAX_VALUES or any(not 0 < len(value) <= MAX_VALUE for value in values):
            message = f"at most {MAX_VALUES} texts of 1 to {MAX_VALUE} characters"
            yield Problem(_below(path, name), message, "leave it empty to demand nothing")
    if each.max_age_seconds is not None and not 1 <= each.max_age_seconds <= 3650 * _DAY:
        yield Problem(_below(path, "max_age_seconds"), "it is 1 second to 10 years", "leave it out for no bound")
    if not 0 <= each.clock_skew_seconds <= 600:
        yield Problem(_below(path, "clock_skew_seconds"), "it is 0 to 600 seconds", "60 is usual")


def _selector_problems(rule: TokenRule, path: str) -> Iterator[Problem]:
    if len(rule.hosts) > MAX_HOSTS or len(rule.exclude) > MAX_EXCLUDED:
        yield Problem(path, f"a selector has at most {MAX_HOSTS} hosts and {MAX_EXCLUDED} exclusions")
    for index, host in enumerate(rule.hosts):
        if host != ANY_HOST and not is_host_pattern(host):
            yield Problem(_below(path, f"hosts[{index}]"), f"`{host[:100]}` is no host name", host_hint(host))
    for index, text in enumerate(rule.exclude):
        if fault := _operation_fault(text):
            yield Problem(_below(path, f"exclude[{index}]"), *fault)


def _twice(path: str, member: str | None, keys: Sequence[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        earlier = first.setdefault(key, index)
        if earlier != index:
            place = f"{path}[{index}].{member}" if member else f"{path}[{index}]"
            yield Problem(place, f"the same as {path}[{earlier}]", "remove one, or give it another title or id")


def _below(path: str, member: str) -> str:
    return f"{path}.{member}" if path else member


def unknown_configuration(identity: str, known: Sequence[str]) -> tuple[str, str]:
    """(what is wrong, hint) where a configuration is named that does not exist."""
    return f"there is no token configuration `{identity[:80]}`", (did_you_mean(identity, known) if known else None) or (
        "`hoplon tokens` lists them; add one first"
    )
