"""Saved operations, here and elsewhere: the same calls give the same values and the same errors."""

import csv
import io
import json

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.errors import HoplonError
from hoplon.operations.importing import plan_import
from hoplon.operations.specification import OperationSpec

Control = Local | Remote
USERS = OperationSpec("GET", "a.example", "/users/{id}")
ANY = OperationSpec("PUT", "*", "/any/{x}/{y}")


def test_operations_are_saved_listed_and_removed(control: Control) -> None:
    saved = control.operations.add([USERS, ANY, USERS])
    assert [(each.method, each.host, each.endpoint) for each in saved[:2]] == [
        ("GET", "a.example", "/users/{var1}"),
        ("PUT", "*", "/any/{var1}/{var2}"),
    ]
    assert saved[2] == saved[0]
    assert control.operations.all() == control.operations.all("default") == [saved[1], saved[0]]
    control.operations.remove([saved[0].id])
    assert control.operations.all() == [saved[1]]


def test_more_than_a_page_is_listed_whole(control: Control) -> None:
    saved = control.operations.add([OperationSpec("GET", "*", f"/{number:03}") for number in range(120)])
    assert control.operations.all() == saved


def test_problems_have_their_place(control: Control) -> None:
    with pytest.raises(HoplonError) as wrong:
        control.operations.add([USERS, OperationSpec("GET", "a b", "/{x}.json")])
    assert wrong.value.code == "operation.invalid"
    assert [problem.path for problem in wrong.value.problems] == ["[1].endpoint", "[1].host"]
    with pytest.raises(HoplonError) as unknown:
        control.operations.remove(["nothing"])
    assert unknown.value.code == "operation.unknown"
    with pytest.raises(HoplonError) as zone:
        control.operations.all("elsewhere")
    assert zone.value.code == "zone.unknown"


def test_exports_hold_the_hosts_that_are_asked_for(control: Control) -> None:
    control.operations.add([USERS, ANY])
    documents = control.operations.openapi()
    assert [each["servers"][0]["url"] for each in documents] == ["/", "https://a.example"]
    assert control.operations.openapi(["a.example"]) == documents[1:]
    found = plan_import([("export", json.dumps(documents[1]).encode())], (), [])
    assert [each.id for each in found.new] == [control.operations.all()[1].id]
    for hosts, count in (((), 2), (("a.example",), 1), (("a.example", "*"), 2), (("b.example",), 0)):
        _, *lines = csv.reader(io.StringIO(control.operations.csv(hosts), newline=""))
        assert len(lines) == count
