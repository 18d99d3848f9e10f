"""From paths to routes."""

import pytest

from hoplon.api.routing import Found, Router

ROUTER = Router(
    [
        ("GET", "/a/{id}", "one"),
        ("PUT", "/a/{id}", "put"),
        ("GET", "/a/fixed", "fixed"),
        ("GET", "/a/{id}/b/{name}", "deep"),
        ("POST", "/a/fixed/c", "post"),
    ]
)


@pytest.mark.parametrize(
    ("path", "target", "ids"),
    [
        ("/a/7", "one", {"id": "7"}),
        ("/a/7/", "one", {"id": "7"}),
        ("/a/fixed", "fixed", {}),
        ("/a/fixed/b/x", "deep", {"id": "fixed", "name": "x"}),
        ("/a/7/b/x%2Fy%20z", "deep", {"id": "7", "name": "x/y z"}),
    ],
)
def test_a_literal_wins_over_a_variable_but_does_not_hide_it(path: str, target: str, ids: dict[str, str]) -> None:
    assert ROUTER.find("GET", path) == Found(target, ids)


@pytest.mark.parametrize("path", ["/", "/a", "/a//", "/a/7/b", "/a/7/b/%FF", "/a/%00", "/a/" + "x" * 2000, "//a/7"])
def test_what_is_no_path_of_ours_has_no_methods(path: str) -> None:
    assert ROUTER.find("GET", path) == ()


def test_a_known_path_says_its_methods() -> None:
    assert ROUTER.find("DELETE", "/a/7") == ("GET", "PUT")


def test_one_route_cannot_be_there_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        Router([("GET", "/a/{id}", 1), ("GET", "/a/{name}", 2)])
