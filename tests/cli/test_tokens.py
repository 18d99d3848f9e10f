"""`hoplon tokens` and `hoplon identity`: configurations, keys, rules, authorization, and what identifies a session."""

import json
from pathlib import Path

import pytest

from cli.conftest import Hoplon
from support.jwks import hmac_signer, rsa_signer
from support.saved_zone import POLICY

RSA = dict(rsa_signer("key-1").jwk)


@pytest.fixture
def applied(hoplon: Hoplon) -> Hoplon:
    """A zone with three operations and the token configuration `main`."""
    Path("policy.toml").write_text(POLICY)
    assert hoplon("policy", "apply", "policy.toml", "--create").code == 0
    Path("jwks.json").write_text(json.dumps({"keys": [{**RSA, "use": "sig"}]}))
    said = hoplon("tokens", "add", "--id", "main", "--jwks", "jwks.json", "--title", "Users", "--issuer", "https://i")
    assert said.code == 0
    assert said.err == "note: credentials.keys[0]: left out 'use', which verify nothing\n"
    assert said.out.splitlines() == [
        "Token configuration main Users",
        '  looked for in: http.request.headers["authorization"][0]',
        "  issuers: https://i",
        "  keys: 1 pasted",
        "    RS256 key-1",
    ]
    return hoplon


def test_configurations(applied: Hoplon) -> None:
    assert [each["id"] for each in json.loads(applied("tokens", "--json").out)] == ["main"]
    assert "main" in applied("tokens", "list").out
    edited = applied("tokens", "edit", "main", "--cookie", "sid", "--max-age", "60", "--json")
    shown = json.loads(edited.out)
    assert (shown["token_sources"], shown["max_age_seconds"], shown["title"]) == (
        ['http.request.cookies["sid"][0]'],
        60,
        "Users",
    )
    Path("jwks.json").write_text(json.dumps(dict(hmac_signer("shared").jwk)))
    assert "HS256 shared" in applied("tokens", "keys", "set", "main", "jwks.json").out
    assert applied("tokens", "rm", "main").out == "Token configuration main is removed; the zone is at version 5.\n"
    assert applied("tokens", "show", "main").code == 1


def test_keys_come_from_one_place(applied: Hoplon) -> None:
    assert applied("tokens", "add").code == 2
    assert applied("tokens", "add", "--jwks", "jwks.json", "--jwks-url", "https://a.example/").code == 2
    assert applied("tokens", "add", "--jwks", "missing.json").code == 2
    said = applied("tokens", "add", "--id", "url", "--jwks-url", "https://a.example/jwks.json")
    assert "keys: none yet from https://a.example/jwks.json" in said.out
    assert "pasted" in applied("tokens", "keys", "refresh", "main").err


def test_rules(applied: Hoplon) -> None:
    made = json.loads(applied("tokens", "rules", "add", "All", 'is_jwt_valid("main")', "--json").out)
    assert (made["action"], made["enabled"], made["hosts"]) == ("log", True, [])
    other = json.loads(
        applied("tokens", "rules", "add", "Some", 'is_jwt_valid("main")', "--host", "a.example", "--json").out
    )
    edited = applied("tokens", "rules", "edit", other["id"], "--index", "1", "--action", "block", "--exclude", "GET /a")
    assert "(Some) blocks what does not meet" in edited.out
    listed = json.loads(applied("tokens", "rules", "--json").out)
    assert [(each["title"], each["hosts"], each["exclude"]) for each in listed] == [
        ("Some", ["a.example"], ["GET /a"]),
        ("All", [], []),
    ]
    assert applied("tokens", "rules", "edit", other["id"], "--before", "x", "--after", "y").code == 2
    assert applied("tokens", "rules", "edit", other["id"], "--off").out.startswith("Token rule ")
    assert applied("tokens", "rules", "rm", other["id"]).code == 0
    wrong = applied("tokens", "rules", "add", "Wrong", "is_jwt_valid(")
    assert wrong.code == 1 and "line 1, column" in wrong.err


def test_a_preview_says_which_operations_a_rule_takes(applied: Hoplon) -> None:
    shown = json.loads(applied("tokens", "rules", "preview", "--host", "none.example", "--json").out)
    assert len(shown["operations"]) == 3
    assert shown["included"] + shown["ignored"] == 3


def test_authorization(applied: Hoplon) -> None:
    said = applied("tokens", "authorization", "add", "POST /login on api.example.com", 'claim("sub") eq "ann"')
    assert said.code == 0, said.err
    assert json.loads(applied("tokens", "authorization", "--json").out)[0]["action"] == "log"
    assert "POST /login" in applied("tokens", "authorization").out
    assert applied("tokens", "authorization", "add", "GET /nothing", 'claim("sub") eq "ann"').code == 1
    assert applied("tokens", "authorization", "rm", "POST /login on api.example.com").out.startswith("Removed 1;")
    assert applied("tokens", "authorization", "rm", "POST /login on api.example.com").code == 2


def test_identity(applied: Hoplon) -> None:
    assert applied("identity").out.startswith("none: the Authorization header is the session")
    assert applied("identity", "set", "jwt:main:$.sub", "header:X-User").out.startswith("2 session identifiers;")
    assert applied("identity").out == "jwt:main:$.sub\nheader:X-User\n"
    assert json.loads(applied("identity", "--json").out)["identifiers"][1] == {"type": "header", "name": "X-User"}
    assert applied("identity", "set", "X-User").code == 2
    assert applied("identity", "set", "jwt:other:$.sub").code == 1
    assert "in use" in applied("tokens", "rm", "main").err
