"""The contract of `Local` and `Remote` for tokens and the audit log."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.service.token_wishes import TokenWish

Control = Local | Remote


def raised(call: Callable[[], Any]) -> HoplonError:
    with pytest.raises(HoplonError) as error:
        call()
    return error.value


def test_a_token_is_made_listed_rolled_and_revoked(control: Control) -> None:
    wish = TokenWish(
        "ci",
        permissions=("API Gateway Read", "api gateway write"),
        zones=("default",),
        expires="90d",
        allowed=("192.0.2.7/24", "2001:db8::1"),
    )
    made, secret = control.tokens.create(wish)
    assert [group.name for policy in made.policies for group in policy.groups] == [
        "API Gateway Read",
        "API Gateway Write",
    ]
    assert [str(network) for network in made.condition.allowed] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert made.expires_on is not None
    assert timedelta(days=89) < made.expires_on - datetime.now(UTC) < timedelta(days=91)
    assert [each.name for each in control.tokens.list()] == ["tests", "ci"]
    assert control.tokens.list()[1] == made
    rolled, other = control.tokens.roll("ci")
    assert rolled.id == made.id and other != secret and len(other) == len(secret)
    assert control.tokens.revoke(made.id).name == "ci"
    assert [each.name for each in control.tokens.list()] == ["tests"]


def test_a_gateways_credential_has_its_own_kind(control: Control) -> None:
    made, _ = control.tokens.create(TokenWish("edge-1", is_gateway=True))
    assert made.kind == "gateway"
    assert [group.name for policy in made.policies for group in policy.groups] == ["Hoplon Gateway"]


@pytest.mark.parametrize(
    "wish",
    [
        TokenWish("x", permissions=("API Gatewy Read",)),
        TokenWish("x", zones=("defualt",)),
        TokenWish("x", expires="some day"),
        TokenWish("x", allowed=("nowhere",)),
        TokenWish("x", permissions=("Zone Read",), is_gateway=True),
        TokenWish(""),
    ],
)
def test_a_wish_that_means_nothing_makes_no_token(control: Control, wish: TokenWish) -> None:
    error = raised(lambda: control.tokens.create(wish))
    assert error.code == "token.invalid"
    assert len(error.problems) == 1
    assert [each.name for each in control.tokens.list()] == ["tests"]


def test_a_name_of_no_token_and_of_two(control: Control) -> None:
    assert raised(lambda: control.tokens.revoke("nobody")).code == "token.unknown"
    for _ in range(2):
        control.tokens.create(TokenWish("twin"))
    error = raised(lambda: control.tokens.roll("twin"))
    assert (error.code, error.message) == ("token.ambiguous", "2 tokens are named `twin`")


def test_the_audit_log_is_read_from_either_end_and_in_full(control: Control) -> None:
    control.mode.set(Mode.LOG)
    control.tokens.create(TokenWish("ci"))
    newest = control.audit.newest(limit=2)
    assert [(each.action, each.resource_type) for each in newest] == [("create", "token"), ("update", "mode")]
    assert newest[1].details == {"mode": "log"}
    whole = list(control.audit.export())
    assert [each.sequence for each in whole] == list(range(1, len(whole) + 1))
    assert whole[:-3:-1] == newest
    assert all(after.previous_hash == before.hash for before, after in itertools.pairwise(whole))
    later = datetime.now(UTC) + timedelta(hours=1)
    assert list(control.audit.export(since=later)) == control.audit.newest(since=later) == []
    assert control.audit.newest(before=later, limit=1) == newest[:1]


def test_whether_the_log_is_whole_is_answered_and_what_was_noted_is_looked_for(control: Control, state: Path) -> None:
    report = control.audit.verify()
    assert (report.faults, report.entries) == ((), len(list(control.audit.export())))
    assert control.audit.verify((report.entries, report.hash)) == report
    assert [fault.sequence for fault in control.audit.verify((1, "0" * 64)).faults] == [1]


def test_who_acts_is_in_the_log_by_name_here_and_by_token_elsewhere(control: Control) -> None:
    control.mode.set(Mode.OFF)
    (entry,) = control.audit.newest(limit=1)
    if isinstance(control, Remote):
        assert (entry.actor_kind, entry.actor_name, entry.address) == ("token", "tests", "127.0.0.1")
    else:
        assert (entry.actor_kind, entry.address) == ("user", None)
