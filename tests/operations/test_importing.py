"""What importing descriptions means for a zone: new, known already, on hosts that are none of it."""

import json

import pytest

from hoplon.errors import HoplonError
from hoplon.operations.importing import Import, plan_import
from hoplon.operations.policy import SavedOperation

TWO_HOSTS = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://api.example.com/v1"}, {"url": "https://api.example.net/v1"}],
    "paths": {"/users/{id}": {"get": {}, "put": {}}},
}


def planned(
    *documents: object, hosts: tuple[str, ...] = (), saved: tuple[str, ...] = (), host: str | None = None
) -> Import:
    files = [(f"{number}.json", json.dumps(each).encode()) for number, each in enumerate(documents)]
    return plan_import(files, hosts, saved, host)


def test_a_zone_for_any_host_takes_the_operations_of_every_server() -> None:
    found = planned(TWO_HOSTS, TWO_HOSTS)
    assert [str(each) for each in found.new] == [
        "GET /v1/users/{id} on api.example.com",
        "PUT /v1/users/{id} on api.example.com",
        "GET /v1/users/{id} on api.example.net",
        "PUT /v1/users/{id} on api.example.net",
    ]
    assert (found.known, found.notes) == ((), ())


def test_hosts_of_others_are_left_out_and_said() -> None:
    found = planned(TWO_HOSTS, hosts=("{sub}.example.com",))
    assert {each.host for each in found.new} == {"api.example.com"}
    assert found.notes == ("2 operations on `api.example.net` left out: no host of this zone",)


def test_what_is_saved_already_is_told_apart_whatever_its_variables_are_called() -> None:
    saved = SavedOperation("api.example.com", "/v1/users/{uid}", "GET").id
    found = planned(TWO_HOSTS, hosts=("api.example.com",), saved=(saved,))
    assert [each.method for each in found.new] == ["PUT"]
    assert [each.method for each in found.known] == ["GET"]
    assert len(found.specs) == 2


def test_a_given_host_stands_in_for_all_servers() -> None:
    assert {each.host for each in planned(TWO_HOSTS, hosts=("local",), host="local").new} == {"local"}
    assert {each.host for each in planned(TWO_HOSTS, hosts=("local",), host="*").new} == {"*"}


@pytest.mark.parametrize(
    ("hosts", "host", "code", "says"),
    [
        (("shop.example",), None, "description.empty", "none of this zone: `api.example.com`, `api.example.net`"),
        (("shop.example",), "other.example", "description.empty", "`other.example`"),
        ((), "https://x", "usage", "is no host name"),
    ],
)
def test_nothing_for_this_zone_is_an_error(hosts: tuple[str, ...], host: str | None, code: str, says: str) -> None:
    with pytest.raises(HoplonError, match=says) as raised:
        planned(TWO_HOSTS, hosts=hosts, host=host)
    assert raised.value.code == code


def test_a_description_of_nothing_is_an_error() -> None:
    with pytest.raises(HoplonError, match="no operation is described"):
        planned({"openapi": "3.1.0", "webhooks": {"x": {"post": {}}}})
