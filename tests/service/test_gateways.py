"""Which gateways are known, how they are, and how few of them are kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from hoplon.client.local import Local
from hoplon.model.gateway import RemoteGateway
from hoplon.service.gateways import list_gateways, note_gateway, state_of
from hoplon.service.token_wishes import TokenWish
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage import gateways

BUNDLE, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "state", create=True) as workspace:
        yield workspace


@pytest.fixture
def token_id(workspace: Workspace) -> str:
    with Local(workspace.state.root) as local:
        return local.tokens.create(TokenWish("edge", is_gateway=True))[0].id


def seen(token_id: str, name: str = "gw-1", ago_seconds: float = 0.0, bundle: str | None = BUNDLE) -> RemoteGateway:
    moment = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    return RemoteGateway(name, "edge", token_id, moment, "192.0.2.1", bundle, "enforce")


def test_what_was_heard_last_is_known_by_credential_and_name(workspace: Workspace, token_id: str) -> None:
    first, second = seen(token_id, "gw-1", bundle=OTHER), seen(token_id, "gw-2")
    for each in (first, second, newer := seen(token_id, "gw-1")):
        note_gateway(workspace, each)
    assert list_gateways(workspace) == [newer, second]


def test_who_says_the_same_again_is_not_written_each_time(workspace: Workspace, token_id: str) -> None:
    begun: list[str] = []

    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        begun.append(statement)

    note_gateway(workspace, seen(token_id))
    event.listen(workspace.database, "before_cursor_execute", count)
    note_gateway(workspace, seen(token_id))
    assert not any("UPDATE" in statement or "IMMEDIATE" in statement for statement in begun)
    note_gateway(workspace, seen(token_id, bundle=OTHER))
    assert any("UPDATE gateways" in statement for statement in begun)


def test_how_a_gateway_is() -> None:
    now = datetime.now(UTC)
    assert state_of(seen("t"), BUNDLE, now) == "current"
    assert state_of(seen("t"), OTHER, now) == "behind"
    assert state_of(seen("t", bundle=None), BUNDLE, now) == "behind"
    assert state_of(seen("t", ago_seconds=91), BUNDLE, now) == "away"


def test_who_is_silent_for_a_month_or_whose_credential_is_revoked_is_not_listed(
    workspace: Workspace, token_id: str
) -> None:
    note_gateway(workspace, seen(token_id, "old", ago_seconds=31 * 86400))
    note_gateway(workspace, seen(token_id, "new"))
    assert [each.name for each in list_gateways(workspace)] == ["new"]
    with Local(workspace.state.root) as local:
        local.tokens.revoke(token_id)
    assert list_gateways(workspace) == []


def test_names_without_end_push_out_the_oldest(
    workspace: Workspace, token_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "KEPT_PER_CREDENTIAL", 3)
    for number in range(6):
        note_gateway(workspace, seen(token_id, f"gw-{number}", ago_seconds=60 - number))
    assert [each.name for each in list_gateways(workspace)] == ["gw-3", "gw-4", "gw-5"]
