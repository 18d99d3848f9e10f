"""Why a request is judged as it is: each rule's answer, each part's value over the text that was written."""

from datetime import timedelta

import pytest

pytest.importorskip("hoplon._native")

from hoplon.errors import HoplonError
from hoplon.service.explain import Explained, explain_record, explain_request
from hoplon.service.policy import apply_policy, find_zone
from hoplon.service.request_file import SentRequest
from hoplon.service.workspace import Workspace
from support.decided import Decided, write_decided
from support.rules import POLICY


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    apply_policy(workspace, POLICY, create=True)
    return workspace


def explained(workspace: Workspace, path: str, client: str = "192.0.2.1", body: bytes = b"") -> Explained:
    headers = (("authorization", b"Bearer secret"), ("content-type", b"application/json"))
    return explain_request(workspace, SentRequest("POST", f"http://api.test{path}", headers, body), client)


def parts_of(found: Explained, name: str) -> dict[str, object]:
    rule = next(rule for rule in found.rules if rule.name == name)
    return {part.text: part.value if part.state == "value" else part.state for part in rule.expressions[0].parts}


def test_the_rule_that_decided_and_its_parts(applied: Workspace) -> None:
    found = explained(applied, "/admin/x", body=b'{"n": 4}')
    assert (found.action, found.rule_name) == ("block", "Admins come from the office")
    whole = 'http.request.uri.path matches r"^/admin/"\nand not ip.src in {10.0.0.0/8}'
    assert parts_of(found, "Admins come from the office") == {
        whole: True,
        'http.request.uri.path matches r"^/admin/"': True,
        "http.request.uri.path": "/admin/x",
        "not ip.src in {10.0.0.0/8}": True,
        "ip.src in {10.0.0.0/8}": False,
        "ip.src": "192.0.2.1",
    }
    rule = found.rules[0]
    assert (rule.result, rule.stage, rule.nanoseconds and rule.nanoseconds > 0) == ("true", "custom", True)
    assert found.nanoseconds >= (rule.nanoseconds or 0)


def test_parts_nest_as_they_are_written(applied: Workspace) -> None:
    rule = explained(applied, "/").rules[0]
    assert [part.depth for part in rule.expressions[0].parts] == [0, 1, 2, 1, 2, 3]
    for part in rule.expressions[0].parts:
        assert rule.expressions[0].text[part.start : part.end] == part.text


def test_what_is_missing_is_told_from_what_is_false(applied: Workspace) -> None:
    found = explained(applied, "/", body=b'{"n": 1.5}')
    assert found.action == "allow"
    assert parts_of(found, "big") == {
        'lookup_json_integer(http.request.body.raw, "n") gt 3': False,
        'lookup_json_integer(http.request.body.raw, "n")': "missing",
        "http.request.body.raw": '{"n": 1.5}',
    }


def test_rules_that_are_off_are_not_asked(applied: Workspace) -> None:
    assert "off" not in {rule.name for rule in explained(applied, "/").rules}


def test_no_bundle_and_no_request_say_so(workspace: Workspace) -> None:
    with pytest.raises(HoplonError, match="there is no bundle yet"):
        explained(workspace, "/")
    apply_policy(workspace, POLICY, create=True)
    with pytest.raises(HoplonError) as refused:
        explain_request(workspace, SentRequest("GET", "http://", (), b""), "nowhere")
    assert refused.value.code == "request_file.invalid"


def test_a_record_says_what_it_holds_and_what_it_does_not(applied: Workspace) -> None:
    zone_id = find_zone(applied, None).zone_id
    columns: dict[str, object] = {
        "path": "/admin/x",
        "host": "api.test",
        "action": "block",
        "rule": "operations.fallthrough",
    }
    columns |= {"request_complete": None}  # as in records of the release before: the body's size is not known
    violation = ("operations.fallthrough", "operations.fallthrough", "block")
    [record_id] = write_decided(applied.state, zone_id, [Decided(timedelta(minutes=1), columns, (violation,))])
    found = explain_record(applied, record_id)
    assert (found.action, found.rule_name) == ("block", "requests that match no saved operation")
    assert [each["code"] for each in found.violations] == ["operations.fallthrough"]
    assert parts_of(found, "Admins come from the office") == {
        'http.request.uri.path matches r"^/admin/"\nand not ip.src in {10.0.0.0/8}': "not_recorded",
        'http.request.uri.path matches r"^/admin/"': True,
        "http.request.uri.path": "/admin/x",
        "not ip.src in {10.0.0.0/8}": "not_recorded",
        "ip.src in {10.0.0.0/8}": "not_recorded",
        "ip.src": "not_recorded",
    }
    assert next(rule for rule in found.rules if rule.name == "big").expressions[0].result == "unknown"


def test_a_record_of_a_zone_that_is_gone(applied: Workspace) -> None:
    [record_id] = write_decided(applied.state, "f" * 32, [Decided(timedelta(minutes=1), {})])
    with pytest.raises(HoplonError) as refused:
        explain_record(applied, record_id)
    assert refused.value.code == "zone.unserved"


TOKENS = """
[[tokens.configurations]]
id = "51231d16-01f1-48e3-93f8-91c99e81288e"
title = "users"
token_sources = ['http.request.headers["authorization"][0]']
jwks_url = "https://issuer.test/keys"

[[tokens.authorization]]
operation = "GET /users/{user}"
condition = 'not claim("sub") eq path_variable("user")'
action = "block"

[[operations.saved]]
method = "GET"
path = "/users/{user}"
"""


def test_authorization_is_told_as_it_was_written(workspace: Workspace) -> None:
    """What the compiler puts beside `not`, so that a missing claim allows nothing, is no part of the text."""
    apply_policy(workspace, POLICY + TOKENS, create=True)
    found = explain_request(workspace, SentRequest("GET", "http://api.test/users/7", (), b""), "192.0.2.1")
    name = 'GET /users/{user}: not claim("sub") eq path_variable("user")'
    assert (found.action, found.rule_name) == ("block", name)
    assert parts_of(found, name) == {
        'not claim("sub") eq path_variable("user")': False,
        'claim("sub") eq path_variable("user")': False,
        'claim("sub")': "missing",
        'path_variable("user")': "7",
    }
