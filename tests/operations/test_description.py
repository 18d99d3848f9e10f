"""OpenAPI descriptions to operations: servers to hosts and base paths, variables, references, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.errors import HoplonError
from hoplon.operations import template
from hoplon.operations.description import METHODS, Description, read_description
from hoplon.operations.document import Node
from hoplon.operations.servers import Server, Unusable, read_servers

GET: dict[str, Any] = {"get": {"responses": {}}}


def described(paths: dict[str, Any], host: str | None = None, **members: Any) -> Description:
    return read_description(json.dumps({"openapi": "3.1.0", "paths": paths, **members}).encode(), "api.json", host)


def lines(description: Description) -> list[str]:
    return sorted(f"{each.method} {each.host} {each.path}" for each in description.operations)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({"url": "https://api.example.com/v1/"}, [Server("api.example.com", "/v1")]),
        ({"url": "https://API.example.com:8443"}, [Server("api.example.com", "")]),
        ({"url": "/v2"}, [Server("*", "/v2")]),
        ({"url": "v2"}, [Server("*", "/v2")]),
        ({"url": "/"}, [Server("*", "")]),
        ({"url": "//api.example.com"}, [Server("api.example.com", "")]),
        ({"url": "http://[::1]:80/x"}, [Server("[::1]", "/x")]),
        (
            {
                "url": "https://{tenant}.example.com:{port}/{base}",
                "variables": {"port": {"default": "1"}, "base": {"default": "v2"}},
            },
            [Server("{hostVar1}.example.com", "/v2")],
        ),
        (
            {
                "url": "{scheme}://{host}",
                "variables": {"scheme": {"default": "https"}, "host": {"default": "a.example"}},
            },
            [Server("a.example", "")],
        ),
        (
            {"url": "https://{env}.example.com", "variables": {"env": {"enum": ["api", "beta"], "default": "api"}}},
            [Server("api.example.com", ""), Server("beta.example.com", "")],
        ),
    ],
)
def test_servers_give_hosts_and_base_paths(server: Node, expected: list[Server]) -> None:
    assert read_servers([server]) == expected


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ({}, "no `url`"),
        ({"url": "https://{host}/"}, "`host` has no default"),
        ({"url": "mqtt://a.example"}, "not HTTP"),
        ({"url": "https://a_b!.example"}, "no host name"),
        ({"url": "https://[::1"}, "no URL"),
        ({"url": "/{a}", "variables": {"a": {"enum": [str(number) for number in range(200)]}}}, "more than 100"),
    ],
)
def test_a_server_without_a_host_says_why(server: Node, reason: str) -> None:
    unusable = [each for each in read_servers([server]) if isinstance(each, Unusable)]
    assert len(unusable) == 1
    assert reason in unusable[0].reason


def test_the_nearest_servers_count_and_each_of_them_gives_the_operation() -> None:
    paths = {
        "/a": {**GET, "servers": [{"url": "https://path.example"}]},
        "/b": {"get": {"servers": [{"url": "https://one.example"}, {"url": "https://two.example/x"}]}, "put": {}},
    }
    description = described(paths, servers=[{"url": "https://api.example"}])
    assert lines(description) == [
        "GET one.example /b",
        "GET path.example /a",
        "GET two.example /x/b",
        "PUT api.example /b",
    ]


def test_without_servers_operations_are_for_any_host_and_a_given_host_stands_in_for_all() -> None:
    assert lines(described({"/a": GET})) == ["GET * /a"]
    servers = [{"url": "https://one.example/v1"}, {"url": "https://two.example/v1"}]
    assert lines(described({"/a": GET}, host="api.local", servers=servers)) == ["GET api.local /v1/a"]


@pytest.mark.parametrize(
    ("path", "saved", "note"),
    [
        ("/users/{id}", "/users/{id}", None),
        ("/users/{user id}/x", "/users/{segment2}/x", None),
        ("/docs/{id}.json", "/docs/{segment2}", "a variable is a whole segment"),
        ("/v1/{name}:cancel", "/v1/{segment2}", "a variable is a whole segment"),
        ("/a/./b/../c", "/a/c", None),
        ("/#X-Amz-Target=Thing", "/", "by its path alone"),
        ("/find?q={q}", "/find", "by its path alone"),
        ("/%7ea", "/~a", None),
    ],
)
def test_paths_become_templates(path: str, saved: str, note: str | None) -> None:
    description = described({path: GET})
    assert lines(description) == [f"GET * {saved}"]
    assert [note is not None and note in each for each in description.notes] == [True] * (note is not None)


@pytest.mark.parametrize("path", ["/a{b", "/\\x", "/100%", "/\ud800", "no-slash"])
def test_what_no_request_can_match_is_left_out_and_said(path: str) -> None:
    description = described({path: GET, "/fine": GET})
    assert lines(description) == ["GET * /fine"]
    assert len(description.notes) == 1
    assert "left out" in description.notes[0]


def test_extensions_webhooks_and_members_that_are_no_methods_are_passed_over() -> None:
    paths = {"/a": {**GET, "parameters": [], "summary": "x", "query": {}}, "x-paths": GET}
    assert described(paths, webhooks={"new": {"post": {}}}) == described({"/a": GET})


def test_path_items_may_be_references_within_the_document() -> None:
    components = {"pathItems": {"a/b": {"$ref": "#/components/pathItems/put"}, "put": {"put": {}}}}
    paths = {
        "/one": {"$ref": "#/components/pathItems/a~1b", "get": {}},
        "/two": {"$ref": "other.yaml#/x"},
        "/three": {"$ref": "#/paths/~1three"},
    }
    description = described(paths, components=components)
    assert lines(description) == ["GET * /one", "PUT * /one"]
    assert description.notes == (
        "`/two`: `other.yaml#/x` is not in this document and was not followed",
        "`/three`: left out, its references have no end",
    )


def test_yaml_may_merge_path_items_and_leave_an_operation_empty() -> None:
    shared = "openapi: 3.1.0\nx-read: &read {get: {}, head: {}}\n"
    text = f"{shared}paths:\n  /a: {{<<: *read, put: {{}}}}\n  /b:\n    <<: [*read]\n    post:\n".encode()
    assert lines(read_description(text, "api.yaml")) == [
        "GET * /a",
        "GET * /b",
        "HEAD * /a",
        "HEAD * /b",
        "POST * /b",
        "PUT * /a",
    ]


def test_what_would_describe_without_end_is_refused() -> None:
    servers = [{"url": f"https://{number}.example"} for number in range(100)]
    item: dict[str, Any] = {method: {} for method in METHODS}
    with pytest.raises(HoplonError, match="more than 100000 operations"):
        described({f"/{number}": item for number in range(200)}, servers=servers)


@pytest.mark.parametrize(
    ("document", "code", "says"),
    [
        ({"swagger": "2.0", "paths": {}}, "description.unsupported", "Swagger 2.0"),
        ({"openapi": "4.0.0"}, "description.unsupported", "OpenAPI 4.0.0"),
        ({"paths": {}}, "description.unreadable", "no OpenAPI description"),
        ({"openapi": ["3.0.0"]}, "description.unreadable", "no OpenAPI description"),
        ("text", "description.unreadable", "no OpenAPI description"),
    ],
)
def test_other_documents_are_refused_with_a_sentence(document: object, code: str, says: str) -> None:
    with pytest.raises(HoplonError, match=says) as raised:
        read_description(json.dumps(document).encode(), "api.json")
    assert raised.value.code == code


WORDS = ["/a", "/{b}", "get", "servers", "url", "variables", "a", "enum", "default", "$ref"]
TEXTS = st.text("/{}a.:", max_size=6) | st.sampled_from(["#/paths/~1a", "https://{a}.b/{c}"])
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=25,
)


@given(SHAPES, SHAPES)
def test_whatever_a_document_holds_gives_operations_that_the_engine_takes(paths: object, servers: object) -> None:
    text = json.dumps({"openapi": "3.0.3", "paths": paths, "servers": servers})
    for operation in read_description(text.encode(), "api.json").operations:
        assert template.path_fault(operation.path) is None
        assert operation.method.lower() in METHODS
