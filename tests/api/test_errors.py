"""Error codes: every one that can reach a caller has a number, every number has one meaning, and the docs have both."""

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

import hoplon
from hoplon.api.errors import ERRORS, error_form, error_messages, pointer
from hoplon.errors import HoplonError, Problem

NEVER_OVER_HTTP = (
    "backup.",
    "bundle.missing",
    "credential.",
    "delivery.",
    "jwks.",
    "demo.",
    "listen.",
    "output.",
    "part.",
    "policy.unconfirmed",
    "request_file.",
    "restart.",
    "server.",
    "shield.",
    "state.own_policy",
    "tls.",
    "token.ambiguous",
    "up.",
    "zone.unserved",
)
"""Raised at the command line or in a gateway that follows; `delivery.busy` is the API's own."""


def raised(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "HoplonError":
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def test_every_code_that_can_reach_a_caller_has_a_number() -> None:
    files = Path(hoplon.__file__).parent.rglob("*.py")
    codes = {code for file in files for code in raised(ast.parse(file.read_text()))}
    assert {code for code in codes - ERRORS.keys() if not code.startswith(NEVER_OVER_HTTP)} == set()


def test_every_number_has_one_code_and_is_at_least_1000() -> None:
    numbers = [form.number for form in ERRORS.values()]
    assert len(numbers) == len(set(numbers))
    assert min(numbers) >= 1000


def test_an_unlisted_code_is_our_fault() -> None:
    assert error_form("never.heard").status == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("zone.upstreams[2].url", "/zone/upstreams/2/url"),
        ("/a/b", "/a/b"),
        ("", ""),
        ("a/b.c~d", "/a~1b/c~0d"),
        ("[0]", "/0"),
    ],
)
def test_a_dotted_path_becomes_a_json_pointer(path: str, expected: str) -> None:
    assert pointer(path) == expected


def test_each_problem_is_an_entry_with_its_place_and_hint() -> None:
    problems = (Problem("zone.name", "too long", "shorten it"), Problem("", "odd"))
    first, second = error_messages(HoplonError("policy.invalid", "wrong", None, problems))
    assert first["source"] == {"pointer": "/zone/name"}
    assert first["message"] == "too long: shorten it"
    assert "source" not in second
    assert first["documentation_url"] == f"/errors/{first['code']}"
