"""Session identifiers of a Hoplon here and of one elsewhere: read, replaced, proposed from traffic."""

from datetime import timedelta
from pathlib import Path

import pytest

from client.conftest import Control
from hoplon.errors import HoplonError
from hoplon.identity.policy import Identifier
from hoplon.service.policy import find_zone
from hoplon.service.workspace import open_workspace
from support.decided import Decided, write_decided
from support.jwks import rsa_signer

CLAIM, HEADER = Identifier("jwt", "main:$.sub"), Identifier("header", "authorization")


def traffic(state: Path, authorized: int, anonymous: int, status: int = 200) -> None:
    """So many requests within the last minutes."""
    sources = ["authorization"] * authorized + ["client_address"] * anonymous
    with open_workspace(state) as workspace:
        requests = [Decided(timedelta(seconds=9), {"session_source": each, "status": status}) for each in sources]
        write_decided(workspace.state, find_zone(workspace, None).zone_id, requests)


def test_identifiers_are_replaced_as_a_whole(control: Control) -> None:
    assert control.identity.get(None) == ()
    version = control.identity.set("default", [HEADER, Identifier("cookie", "sid")])
    assert control.identity.get(None) == (HEADER, Identifier("cookie", "sid"))
    assert control.identity.set(None, []) == version + 1
    with pytest.raises(HoplonError) as raised:
        control.identity.set(None, [CLAIM])
    assert raised.value.code == "identity.invalid"


@pytest.mark.parametrize(
    ("authorized", "anonymous", "status", "is_proposed"),
    [(2, 98, 200, True), (1, 99, 200, False), (50, 49, 200, False), (100, 0, 401, False), (100, 0, 204, True)],
    ids=["above 1 %", "1 %", "too few requests", "failures", "any success"],
)
def test_authorization_is_proposed_when_more_than_one_percent_of_successes_carry_it(
    control: Control, state: Path, authorized: int, anonymous: int, status: int, is_proposed: bool
) -> None:
    traffic(state, authorized, anonymous, status)
    found = control.identity.proposals(None)
    assert [each.identifier for each in found] == ([HEADER] if is_proposed else [])
    if found:
        assert (found[0].requests, found[0].share) == (100, authorized / 100)


def test_a_claim_is_proposed_where_tokens_are_verified_and_nothing_where_something_is_set(
    control: Control, state: Path
) -> None:
    traffic(state, 100, 0)
    wanted = {"id": "main", "token_sources": ('http.request.headers["authorization"][0]',)}
    control.token_validation.add(None, wanted, [dict(rsa_signer().jwk)])
    assert [each.identifier for each in control.identity.proposals(None)] == [CLAIM]
    control.identity.set(None, [CLAIM])
    assert control.identity.proposals(None) == []
