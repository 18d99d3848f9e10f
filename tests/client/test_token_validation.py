"""Token configurations, rules and authorization of a Hoplon here and of one elsewhere: the same calls give the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.conftest import Control
from hoplon.errors import HoplonError
from hoplon.service.token_rules import Position
from hoplon.service.workspace import open_workspace
from hoplon.tokens.keys import ALG_DEFAULTED
from hoplon.tokens.model import Authorization
from support.jwks import ec_signer, hmac_signer, rsa_signer
from support.saved_zone import saved_zone

RSA, EC, OCT = dict(rsa_signer().jwk), dict(ec_signer().jwk), dict(hmac_signer().jwk)
WANTED = {
    "id": "main",
    "title": "Users",
    "token_sources": ('http.request.headers["authorization"][0]',),
    "issuers": ("https://issuer.example",),
    "max_age_seconds": 3600,
}
VALID = 'is_jwt_valid("main")'


def raised(call: Callable[[], Any]) -> HoplonError:
    with pytest.raises(HoplonError) as error:
        call()
    return error.value


@pytest.fixture
def operations(state: Path) -> tuple[str, ...]:
    """The ids of the three operations that the zone `default` then has."""
    with open_workspace(state) as workspace:
        return saved_zone(workspace).operations


def test_a_configuration_with_pasted_keys(control: Control) -> None:
    tokens = control.token_validation
    unnamed = {name: value for name, value in RSA.items() if name != "alg"}
    changed = tokens.add(None, WANTED, [unnamed])
    assert [note.code for note in changed.notes] == [ALG_DEFAULTED]
    shown = tokens.get("default", "main")
    assert (shown.jwks, shown.key_set) == ([RSA], None)
    assert (shown.configuration.issuers, shown.configuration.max_age_seconds) == (("https://issuer.example",), 3600)
    assert tokens.list(None) == [shown]
    edited = tokens.edit(None, "main", {"title": "Customers"})
    assert (edited.shown.configuration.title, edited.version) == ("Customers", changed.version + 1)
    assert tokens.set_keys(None, "main", [EC], keeps_secrets=False).shown.jwks == [EC]
    assert tokens.remove(None, "main") == edited.version + 2
    assert raised(lambda: tokens.get(None, "main")).code == "token_configuration.unknown"


def test_a_configuration_with_a_url(control: Control) -> None:
    tokens = control.token_validation
    changed = tokens.add(None, {**WANTED, "jwks_url": "https://issuer.example/jwks.json"}, [])
    key_set = changed.shown.key_set
    assert key_set is not None and (key_set.url, key_set.keys) == ("https://issuer.example/jwks.json", None)
    due_at = key_set.due_at
    tokens.refresh(None, "main")
    again = tokens.get(None, "main").key_set
    assert again is not None and again.due_at > due_at
    refused = raised(lambda: tokens.set_keys(None, "main", [RSA], keeps_secrets=False))
    assert refused.code == "token_configuration.invalid"


def test_secrets_go_in_and_never_come_out(control: Control) -> None:
    tokens = control.token_validation
    shown = tokens.add(None, WANTED, [OCT]).shown
    assert shown.jwks == [{name: value for name, value in OCT.items() if name != "k"}]
    assert tokens.set_keys(None, "main", shown.jwks, keeps_secrets=True).shown.jwks == shown.jwks
    refused = raised(lambda: tokens.set_keys(None, "main", shown.jwks, keeps_secrets=False))
    assert "`k` is missing" in str(refused.problems)


def test_rules_are_made_moved_changed_and_removed(control: Control, operations: tuple[str, ...]) -> None:
    tokens = control.token_validation
    tokens.add(None, WANTED, [RSA])
    first = tokens.add_rule(None, {"title": "first", "expression": VALID})
    second = tokens.add_rule(None, {"title": "second", "expression": VALID, "hosts": ("a.example",)})
    assert (first.action, first.enabled, second.hosts) == ("log", True, ("a.example",))
    tokens.edit_rule(None, second.id, {"action": "block"}, Position("index", 1))
    assert [(rule.title, rule.action) for rule in tokens.rules(None)] == [("second", "block"), ("first", "log")]
    in_use = raised(lambda: tokens.remove(None, "main"))
    assert in_use.code == "token_configuration.in_use" and "token rule first" in in_use.message
    tokens.remove_rule(None, second.id)
    assert [rule.title for rule in tokens.rules(None)] == ["first"]
    assert raised(lambda: tokens.remove_rule(None, second.id)).code == "token_rule.unknown"
    refused = raised(lambda: tokens.add_rule(None, {"title": "x", "expression": 'is_jwt_valid("mian")'}))
    assert refused.code == "token_rule.invalid" and "mian" in str(refused.problems or refused)


def test_a_selector_is_tried_beforehand(control: Control, operations: tuple[str, ...]) -> None:
    found = control.token_validation.preview(None, [], [operations[0]])
    assert {state for each, state in found.shown if each.id == operations[0]} == {"excluded"}
    assert found.counts == {"included": 2, "excluded": 1, "ignored": 0}


def test_authorization_is_replaced_as_a_whole(control: Control, operations: tuple[str, ...]) -> None:
    tokens = control.token_validation
    tokens.add(None, WANTED, [RSA])
    before = tokens.authorization(None)
    new = [Authorization(operation=operations[0], condition='claim("sub") eq "ann"', action="block")]
    version = tokens.set_authorization(None, new, before.version)
    after = tokens.authorization(None)
    assert (after.value, after.version) == (new, version)
    assert raised(lambda: tokens.set_authorization(None, [], before.version)).code == "precondition.failed"
    unknown = [Authorization(operation="GET /nothing", condition='claim("sub") eq "ann"')]
    assert raised(lambda: tokens.set_authorization(None, unknown, version)).code == "token_authorization.invalid"
