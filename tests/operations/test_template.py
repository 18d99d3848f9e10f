"""Path templates: one canonical form, stable ids, and a sentence for whatever can never match."""

import re
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.operations import template
from hoplon.operations.template import canonical_path, engine_host, engine_path, method_fault, operation_id, path_fault


@pytest.mark.parametrize(
    ("path", "engine"),
    [
        ("/", "/"),
        ("/users/{id}", "/users/{var1}"),
        ("/users/{id}/orders/{order}", "/users/{var1}/orders/{var2}"),
        ("/%7euser/caf\u00e9", "/~user/caf%C3%A9"),
        ("/a%2fb/c%5cd", "/a%2Fb/c%5Cd"),
        ("/a b/<c>|d", "/a%20b/%3Cc%3E%7Cd"),
        ("/files/v1;x=y/", "/files/v1;x=y/"),
        ("//double", "//double"),
        ("/100%25", "/100%25"),
    ],
)
def test_the_form_that_the_engine_compares(path: str, engine: str) -> None:
    assert path_fault(path) is None
    assert engine_path(path) == engine
    assert canonical_path(canonical_path(path)) == canonical_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "users",
        "/a?b",
        "/a#b",
        "/{id}.json",
        "/{}",
        "/{a b}",
        "/a/./b",
        "/a/../b",
        "/a/%2E%2e/b",
        "/..;x/b",
        "/.;x",
        "/a\\b",
        "/a\x00b",
        "/a\tb",
        "/100%",
        "/%zz",
        "/%00",
        "/" + "a" * 4096,
        "/a" * 65,
    ],
)
def test_what_can_never_match_has_a_fault(path: str) -> None:
    assert path_fault(path) is not None


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "M-SEARCH", "MY_METHOD"])
def test_methods_are_upper_case_tokens(method: str) -> None:
    assert method_fault(method) is None


@pytest.mark.parametrize("method", ["get", "CONNECT", "", "GE T", "G\u00c9T", "X1", "A" * 33])
def test_other_methods_have_a_fault(method: str) -> None:
    assert method_fault(method) is not None


def test_an_id_never_changes() -> None:
    """Ids are in stored records and in other people's scripts: this value is for ever."""
    assert operation_id("GET", "*", "/users/{id}") == UUID("05becce5-867b-57c9-afdb-6330d5b89a40")


def test_the_id_is_of_what_matches_not_of_how_it_is_spelled() -> None:
    assert operation_id("GET", "{a}.x", "/~u/{id}") == operation_id("GET", "{b}.x", "/%7eu/{user}")
    assert operation_id("GET", "*", "/a") != operation_id("GET", "*", "/a/")
    assert operation_id("GET", "*", "/a") != operation_id("POST", "*", "/a")


def test_variable_labels_are_renamed_in_order() -> None:
    assert engine_host("{tenant}.api.{region}.example.com") == "{hostVar1}.api.{hostVar2}.example.com"


@given(st.lists(st.one_of(st.just("{id}"), st.text("ab.;%2eF\u00e9 ~|", max_size=5)), max_size=4))
def test_the_shortcut_for_plain_paths_changes_nothing(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    with_shortcut = (path_fault(path), path_fault(path) or canonical_path(path))
    with patch.object(template, "_PLAIN", re.compile("(?!)")):
        assert (path_fault(path), path_fault(path) or canonical_path(path)) == with_shortcut
