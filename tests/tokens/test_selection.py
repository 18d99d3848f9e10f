"""At most one token rule applies to an operation: the first that is about it, on each of its hosts."""

from dataclasses import dataclass

import pytest

from hoplon.operations.template import operation_id
from hoplon.tokens.model import TokenRule
from hoplon.tokens.selection import apply_rules, operation_of, select, state_of

FIND = operation_of(operation_id)


@dataclass(frozen=True)
class Operation:
    id: str
    host: str
    method: str = "GET"
    path: str = "/"
    template: str = "/"


def rule(identity: str, *hosts: str, exclude: tuple[str, ...] = (), enabled: bool = True) -> TokenRule:
    return TokenRule(id=identity, title=identity, expression="", hosts=hosts, exclude=exclude, enabled=enabled)


def applied(
    rules: list[TokenRule], *operations: Operation
) -> list[tuple[str, set[str] | None, set[str], tuple[str, ...]]]:
    return [
        (each.rule.id, set(each.hosts) if each.hosts is not None else None, set(each.others), each.operations)
        for each in apply_rules(rules, operations, FIND)
    ]


A, B, ANY = Operation("a", "a.example"), Operation("b", "b.example"), Operation("any", "*")
TENANT = Operation("tenant", "{tenant}.example")


def test_the_first_rule_wins_and_others_get_what_it_leaves() -> None:
    rules = [rule("1", "a.example"), rule("2")]
    assert applied(rules, A, B) == [("1", None, set(), ("a",)), ("2", None, set(), ("b",))]
    assert applied(rules[::-1], A, B) == [("2", None, set(), ("a", "b"))]


def test_what_a_rule_excludes_comes_under_the_next() -> None:
    rules = [rule("1", exclude=("a",)), rule("2")]
    assert applied(rules, A, B) == [("1", None, set(), ("b",)), ("2", None, set(), ("a",))]


def test_a_rule_that_is_off_takes_nothing() -> None:
    assert applied([rule("1", enabled=False), rule("2")], A) == [("2", None, set(), ("a",))]


def test_an_operation_of_any_host_comes_under_one_rule_on_each_host() -> None:
    rules = [rule("1", "a.example"), rule("2", "a.example", "b.example"), rule("3")]
    assert applied(rules, ANY) == [
        ("1", {"a.example"}, set(), ("any",)),
        ("2", {"b.example"}, set(), ("any",)),
        ("3", None, {"a.example", "b.example"}, ("any",)),
    ]


def test_a_pattern_fits_the_hosts_that_it_means() -> None:
    assert applied([rule("1", "a.example", "a.b.example")], TENANT) == [("1", {"a.example"}, set(), ("tenant",))]
    assert applied([rule("1", "{tenant}.example")], TENANT) == [("1", None, set(), ("tenant",))]
    assert select(("a.other",), "{tenant}.example") is None


def test_a_star_is_every_host() -> None:
    assert applied([rule("1", "*")], A, ANY) == [("1", None, set(), ("a", "any"))]


def test_an_operation_is_excluded_by_its_words_too() -> None:
    words = "GET /users/{id} on a.example"
    saved = Operation(str(operation_id("GET", "a.example", "/users/{var1}")), "a.example")
    assert FIND(words) == saved.id
    assert applied([rule("1", exclude=(words,))], saved) == []


@pytest.mark.parametrize(
    ("hosts", "excluded", "state"),
    [
        ((), (), "included"),
        (("a.example",), (), "included"),
        (("b.example",), (), "ignored"),
        ((), ("a",), "excluded"),
        (("b.example",), ("a",), "ignored"),
    ],
)
def test_a_preview_says_what_a_selector_takes(hosts: tuple[str, ...], excluded: tuple[str, ...], state: str) -> None:
    assert state_of(hosts, frozenset(excluded), A) == state
