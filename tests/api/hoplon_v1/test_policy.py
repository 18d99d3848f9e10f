"""The policy document over the API: what a token of one zone can do to the others."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hoplon.model.actor import Actor
from hoplon.service.token_wishes import TokenWish, spec_of_wish
from hoplon.service.tokens import create_token
from hoplon.service.workspace import Workspace
from hoplon.service.zones import create_zone
from support.api_server import Client, Reply, serving

ACTOR = Actor("user", "test", "test")


def token_for(workspace: Workspace, *zones: str) -> str:
    """The secret of a token that may do everything on these zones."""
    wish = TokenWish(name=f"of {zones}", permissions=(), zones=zones)
    return create_token(workspace, ACTOR, spec_of_wish(workspace, wish, holder=None), None)[1]


@pytest.fixture
def shop(workspace: Workspace) -> str:
    create_zone(workspace, ACTOR, "bank.example")
    return create_zone(workspace, ACTOR, "shop.example").id


@pytest.fixture
def narrow(workspace: Workspace, shop: str) -> Iterator[Client]:
    with serving(workspace, authorise=None) as client:
        yield replace(client, token=token_for(workspace, "shop.example"))


def with_host(client: Client, zone_id: str, host: str) -> Reply:
    """The answer to giving the zone this host in the place of its second one."""
    path = f"/hoplon/v1/zones/{zone_id}/policy"
    text = client.get(path).content.decode().replace("{hostvar1}.shop.example", host)
    return client.ask("PUT", f"{path}?wait=0", content=text.encode(), headers={"Content-Type": "application/toml"})


@pytest.mark.parametrize("host", ["www.bank.example", "{x}.bank.example", "{x}.example", "elsewhere.test"])
def test_a_token_of_one_zone_takes_no_host_that_another_zone_answers(narrow: Client, shop: str, host: str) -> None:
    """`bank.example` answers the names below it; the zone `default` answers whatever nobody else does."""
    refused = with_host(narrow, shop, host)
    assert (refused.status, refused.error["source"]["pointer"]) == (409, "/zone/hosts")


@pytest.mark.parametrize("host", ["www.shop.example", "{x}.shop.example"])
def test_what_the_hosts_of_a_zone_cover_is_its_own(narrow: Client, shop: str, host: str) -> None:
    assert with_host(narrow, shop, host).status == 200


def test_a_host_that_was_given_up_is_not_rolled_back_to_either(workspace: Workspace, narrow: Client, shop: str) -> None:
    everything = replace(narrow, token=token_for(workspace))
    assert with_host(everything, shop, "www.bank.example").status == 200
    path = f"/hoplon/v1/zones/{shop}/policy"
    given_up = narrow.get(path).content.replace(b'    "www.bank.example",\n', b"")
    headers = {"Content-Type": "application/toml"}
    assert narrow.ask("PUT", f"{path}?wait=0", content=given_up, headers=headers).status == 200
    assert narrow.ask("POST", f"{path}/rollback?wait=0", {"version": 2}).status == 409
    assert everything.ask("POST", f"{path}/rollback?wait=0", {"version": 2}).status == 200


def test_who_may_write_both_zones_moves_hosts_between_them(workspace: Workspace, narrow: Client, shop: str) -> None:
    both = replace(narrow, token=token_for(workspace, "shop.example", "bank.example", "default"))
    assert with_host(both, shop, "www.bank.example").status == 200
