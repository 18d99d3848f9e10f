"""Who is let in: the three forms of a token, its time and place, how often, and nothing told to strangers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hoplon.api.auth import client_address, parse_networks
from hoplon.api.routes import ROUTES
from hoplon.model.actor import SYSTEM
from hoplon.model.api_token import ApiToken
from hoplon.model.audit import AuditFilter
from hoplon.service.audit import list_audit
from hoplon.service.token_secret import new_secret
from hoplon.service.token_wishes import TokenWish, spec_of_wish
from hoplon.service.tokens import create_token, get_token, revoke_token
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.service.zones import create_zone
from hoplon.settings.fields import ApiSettings
from support.api_server import Client, Reply, serving

ZONES = "/client/v4/zones"


def make(workspace: Workspace, *permissions: str, **wish: Any) -> tuple[ApiToken, str]:
    return create_token(workspace, SYSTEM, spec_of_wish(workspace, TokenWish("made", permissions, **wish)), None)


@contextmanager
def door(workspace: Workspace, **settings: Any) -> Iterator[Client]:
    """The API with its own gatekeeper."""
    with serving(workspace, authorise=None, settings=ApiSettings(**settings)) as client:
        yield client


def ask(client: Client, secret: str | None, path: str = ZONES, **headers: str) -> Reply:
    return Client(client.host, client.port, secret).get(path, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: {"Authorization": f"Bearer {secret}"},
        lambda secret: {"authorization": f"bearer   {secret} "},
        lambda secret: {"X-Auth-Key": secret, "X-Auth-Email": "me@example.com"},
        lambda secret: {"X-Auth-User-Service-Key": secret},
    ],
)
def test_a_token_is_taken_in_every_form_that_the_sdks_send(workspace: Workspace, headers: Any) -> None:
    _, secret = make(workspace)
    with door(workspace) as client:
        assert ask(client, None, **headers(secret)).status == 200


@pytest.mark.parametrize("sent", [None, "", "nonsense", "hoplon_" + "0" * 49, "\xe9", "a b"])
def test_what_is_no_token_of_ours_is_not_let_in(workspace: Workspace, sent: str | None) -> None:
    with door(workspace) as client:
        reply = ask(client, sent)
    assert (reply.status, reply.error["code"]) in ((401, 9106), (401, 9109))
    assert reply.headers["www-authenticate"] == "Bearer"


def test_unknown_and_revoked_tokens_get_the_same_answer(workspace: Workspace) -> None:
    token, secret = make(workspace)
    with door(workspace) as client:
        assert ask(client, secret).status == 200
        with open_workspace(workspace.state.root) as other:
            revoke_token(other, SYSTEM, token.id)
        assert ask(client, secret).content == ask(client, new_secret()).content
        assert ask(client, secret).status == 401


def test_a_token_is_good_within_its_time_only(workspace: Workspace) -> None:
    _, expired = make(workspace, expires="2020-01-01")
    _, early = make(workspace, not_before="1h")
    with door(workspace) as client:
        for secret, word in ((expired, "expired"), (early, "not be used yet")):
            reply = ask(client, secret)
            assert (reply.status, reply.error["code"]) == (401, 9109)
            assert word in reply.error["message"]


def test_a_token_is_good_from_its_addresses_only(workspace: Workspace) -> None:
    _, here = make(workspace, allowed=("127.0.0.0/8",))
    _, elsewhere = make(workspace, allowed=("192.0.2.0/24",))
    _, not_here = make(workspace, denied=("127.0.0.1",))
    with door(workspace) as client:
        assert ask(client, here).status == 200
        for secret in (elsewhere, not_here):
            reply = ask(client, secret, **{"X-Forwarded-For": "192.0.2.7"})
            assert (reply.status, reply.error["code"]) == (403, 10001)
            assert "127.0.0.1" in reply.error["message"]
    with door(workspace, trusted_proxies=("127.0.0.1",)) as client:
        assert ask(client, elsewhere, **{"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}).status == 200
        assert ask(client, elsewhere, **{"X-Forwarded-For": "192.0.2.7, 203.0.113.9"}).status == 403


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "10.0.0.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_says_who_the_client_is(peer: str, said: str, client: str) -> None:
    assert client_address(peer, {"x-forwarded-for": said}, parse_networks(("10.0.0.0/8",))) == client


def test_a_token_that_asks_too_often_is_told_when_to_come_back(workspace: Workspace) -> None:
    _, secret = make(workspace)
    _, other = make(workspace)
    with door(workspace, requests_per_minute=12) as client:
        replies = [ask(client, secret) for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 429, 429]
        assert replies[-1].error["code"] == 10429
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 10
        assert ask(client, other).status == 200


def test_failures_of_an_address_are_bounded_and_hold_up_nobody_who_has_a_token(workspace: Workspace) -> None:
    _, secret = make(workspace)
    with door(workspace, failures_per_minute=12) as client:
        assert [ask(client, new_secret()).status for _ in range(4)] == [401, 401, 429, 429]
        assert ask(client, secret).status == 200
        metrics = ask(client, None, "/metrics").content.decode()
    assert 'hoplon_api_refusals_total{reason="unknown"} 4' in metrics


def test_a_zone_out_of_sight_answers_like_one_that_does_not_exist(workspace: Workspace) -> None:
    _, everything = make(workspace)
    _, elsewhere = make(workspace, "Audit Logs Read")
    _, seen = make(workspace, "API Gateway Read", zones=("default",))
    with door(workspace) as client:
        zone = ask(client, everything).result[0]["id"]
        missing = "f" * 32
        found = [ask(client, elsewhere, f"{ZONES}/{each}") for each in (zone, missing)]
        assert [reply.status for reply in found] == [404, 404]
        assert found[0].content == found[1].content
        assert ask(client, seen, f"{ZONES}/{zone}").status == 403
        assert ask(client, seen, f"{ZONES}/{missing}").content == found[1].content
        assert ask(client, everything, f"{ZONES}/{missing}").status == 404


def test_a_listing_shows_the_zones_that_the_token_may_read(workspace: Workspace) -> None:
    _, reader = make(workspace, "Zone Read", zones=("default",))
    _, all_zones = make(workspace, "Zone Read")
    _, none = make(workspace, "Audit Logs Read")
    with door(workspace) as client:
        assert [len(ask(client, secret).result) for secret in (reader, all_zones)] == [1, 1]
        reply = ask(client, none)
        assert (reply.status, reply.error["code"]) == (403, 10000)
        assert "Zone Read" in reply.error["message"]


def test_the_last_use_is_written_beside_the_requests(workspace: Workspace) -> None:
    token, secret = make(workspace)
    before = datetime.now(UTC)
    with door(workspace) as client:
        assert ask(client, secret).status == 200
    used = get_token(workspace, token.id).last_used_on
    assert used is not None
    assert before - timedelta(seconds=1) < used < datetime.now(UTC)


def test_no_answer_tells_of_a_zone_out_of_sight(workspace: Workspace) -> None:
    own = create_zone(workspace, SYSTEM, "own.test").id
    foreign = create_zone(workspace, SYSTEM, "planted-foreign.test").id
    _, secret = make(workspace, zones=("own.test",))
    with door(workspace) as client:
        asked = {
            route.path: ask(client, secret, re.sub(r"\{\w+\}", "x", route.path.replace("{zone_id}", own)))
            for route in ROUTES
            if route.method == "GET"
        }
    assert sum(reply.status == 200 for reply in asked.values()) >= 10
    for path, reply in asked.items():
        assert foreign.encode() not in reply.content, path
        assert b"planted-foreign" not in reply.content, path


def test_a_change_is_logged_with_the_token_the_address_and_the_id_of_its_request(workspace: Workspace) -> None:
    token, secret = make(workspace)
    with door(workspace) as client:
        reply = Client(client.host, client.port, secret).ask("POST", ZONES, {"name": "new.test"})
    assert reply.status == 200
    entry = list_audit(workspace, AuditFilter(), per_page=1).items[0]
    assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("token", token.id, "made")
    assert (entry.address, entry.request_id) == ("127.0.0.1", reply.headers["hoplon-request-id"])
