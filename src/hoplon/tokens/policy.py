"""The `[tokens]` table: token configurations, token rules and authorization on claims. Compiles to the engine's parts
`tokens` and `token_keys`, and to rules of the stage `features`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy
from hoplon.policy.feature import Compiled, Surroundings, Table
from hoplon.tokens import check
from hoplon.tokens.keys import key_table, written_keys
from hoplon.tokens.model import (
    MAX_AUTHORIZATION,
    MAX_CONFIGURATIONS,
    MAX_RULES,
    Action,
    Authorization,
    TokenConfiguration,
    TokenRule,
    TokensPolicy,
    derived_id,
)
from hoplon.tokens.programs import compile_authorization, compile_rules
from hoplon.tokens.selection import OperationId
from hoplon.tokens.sources import parse_source


class ConfigurationTable(Table):
    """Which tokens of one kind are accepted, and where they are looked for. Keys are pasted or fetched."""

    id: str
    title: str = ""
    description: str = ""
    token_type: Literal["JWT"] = "JWT"  # noqa: S105 - a kind of token, none
    token_sources: tuple[str, ...] = Field(strict=False)
    keys: tuple[dict[str, str], ...] = Field(default=(), strict=False)
    jwks_url: str | None = None
    issuers: tuple[str, ...] = Field(default=(), strict=False)
    audiences: tuple[str, ...] = Field(default=(), strict=False)
    types: tuple[str, ...] = Field(default=(), strict=False)
    required_claims: tuple[str, ...] = Field(default=(), strict=False)
    max_age_seconds: int | None = None
    clock_skew_seconds: int = 60


class RuleTable(Table):
    """What operations demand of tokens. The action is taken when the expression is false."""

    id: str | None = None
    title: str
    description: str = ""
    action: Action = "log"
    enabled: bool = True
    expression: str
    hosts: tuple[str, ...] = Field(default=(), strict=False)
    exclude: tuple[str, ...] = Field(default=(), strict=False)


class AuthorizationTable(Table):
    """Who may use one operation. The action is taken when the condition is not true."""

    operation: str
    condition: str
    action: Action = "log"
    enabled: bool = True
    description: str = ""


class TokensTable(Table):
    """Token configurations, rules (the first one that is about an operation applies), and authorization."""

    configurations: tuple[ConfigurationTable, ...] = Field(default=(), max_length=MAX_CONFIGURATIONS, strict=False)
    rules: tuple[RuleTable, ...] = Field(default=(), max_length=MAX_RULES, strict=False)
    authorization: tuple[AuthorizationTable, ...] = Field(default=(), max_length=MAX_AUTHORIZATION, strict=False)


class TokensFeature:
    """Tokens' side of policy (see `hoplon.policy.feature.Feature`). How an operation gets its id is handed in."""

    name = "tokens"
    table: type[Table] = TokensTable

    def __init__(self, operation_id: OperationId) -> None:
        self._operation_id = operation_id

    def read(self, table: TokensTable) -> TokensPolicy:
        return TokensPolicy(
            tuple(_read_configuration(each) for each in table.configurations),
            tuple(_read_rule(each) for each in table.rules),
            tuple(Authorization(**each.model_dump()) for each in table.authorization),
        )

    def write(self, policy: TokensPolicy) -> dict[str, Any]:
        return {
            "configurations": [_write_configuration(each) for each in policy.configurations],
            "rules": [_write_rule(each) for each in policy.rules],
            "authorization": [_write_authorization(each) for each in policy.authorization],
        }

    def check(self, policy: TokensPolicy, zone: ZonePolicy) -> list[Problem]:
        return [
            *check.configuration_problems(policy.configurations),
            *check.rule_problems(policy),
            *check.authorization_problems(policy),
        ]

    def compile(self, policy: TokensPolicy, around: Surroundings) -> Compiled:
        if not policy.configurations:
            return Compiled({})
        parts = {
            "tokens": {"configurations": [_compile_configuration(each) for each in policy.configurations]},
            "token_keys": {"configurations": {each.id: compile_keys(each) for each in policy.configurations}},
        }
        rules = [
            *compile_rules(policy, around, self._operation_id),
            *compile_authorization(policy, around, self._operation_id),
        ]
        return Compiled(parts, tuple(rules))

    def describe(self, old: TokensPolicy, new: TokensPolicy) -> Sequence[str]:
        return [
            *_describe("token configuration", old.configurations, new.configurations),
            *_describe("token rule", old.rules, new.rules),
            *_describe("authorization of", old.authorization, new.authorization),
        ]


def compile_keys(configuration: TokenConfiguration) -> list[dict[str, str]]:
    """The pasted keys as the engine takes them; those of a URL are added when the bundle is assembled."""
    return [key_table(key) for key in configuration.keys]


def _read_configuration(table: ConfigurationTable) -> TokenConfiguration:
    values = table.model_dump(exclude={"keys", "token_type"})
    return TokenConfiguration(**values, keys=written_keys(table.keys))


def _read_rule(table: RuleTable) -> TokenRule:
    values = table.model_dump(exclude={"id", "hosts"})
    return TokenRule(
        id=table.id or derived_id("rule", table.title),
        hosts=tuple(host.lower() for host in table.hosts),
        **values,
    )


def _write_configuration(each: TokenConfiguration) -> dict[str, Any]:
    table: dict[str, Any] = {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "token_type": "JWT",
        "token_sources": list(each.token_sources),
    }
    if each.jwks_url is not None:
        table["jwks_url"] = each.jwks_url
    else:
        table["keys"] = [key_table(key) for key in each.keys]
    table |= {name: list(getattr(each, name)) for name in ("issuers", "audiences", "types", "required_claims")}
    if each.max_age_seconds is not None:
        table["max_age_seconds"] = each.max_age_seconds
    return {**table, "clock_skew_seconds": each.clock_skew_seconds}


def _write_rule(each: TokenRule) -> dict[str, Any]:
    names = ("id", "title", "description", "action", "enabled", "expression")
    lists = {name: list(getattr(each, name)) for name in ("hosts", "exclude")}
    return {**{name: getattr(each, name) for name in names}, **{name: items for name, items in lists.items() if items}}


def _write_authorization(each: Authorization) -> dict[str, Any]:
    names = ("operation", "condition", "action", "enabled", "description")
    return {name: getattr(each, name) for name in names}


def _compile_configuration(each: TokenConfiguration) -> dict[str, Any]:
    return {
        "id": each.id,
        "sources": [parse_source(text).as_part() for text in each.token_sources],
        "issuers": list(each.issuers),
        "audiences": list(each.audiences),
        "types": list(each.types),
        "required_claims": list(each.required_claims),
        "max_age_seconds": each.max_age_seconds,
        "clock_skew_seconds": each.clock_skew_seconds,
    }


def _describe(
    what: str,
    old: Sequence[TokenConfiguration] | Sequence[TokenRule] | Sequence[Authorization],
    new: Sequence[TokenConfiguration] | Sequence[TokenRule] | Sequence[Authorization],
) -> list[str]:
    before: Mapping[str, Any] = {each.id: each for each in old}
    after: Mapping[str, Any] = {each.id: each for each in new}
    sentences = [f"removes {what} {before[key]}" for key in before if key not in after]
    sentences += [f"adds {what} {after[key]}" for key in after if key not in before]
    sentences += [f"changes {what} {after[key]}" for key in after if key in before and before[key] != after[key]]
    kept = [key for key in before if key in after]
    if kept != [key for key in after if key in before]:
        sentences.append(f"changes the order of every {what}")
    return sentences
