"""Labels of a Hoplon here and of one elsewhere: the same calls give the same values and the same errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.conftest import Control
from hoplon.errors import HoplonError
from hoplon.labels.managed import MANAGED
from hoplon.service.labels import LabelSpec
from hoplon.service.workspace import open_workspace
from support.saved_zone import NOBODY, saved_zone


def raised(call: Callable[[], Any]) -> HoplonError:
    with pytest.raises(HoplonError) as error:
        call()
    return error.value


@pytest.fixture
def operations(state: Path) -> tuple[str, ...]:
    """The ids of the three operations that the zone `default` then has."""
    with open_workspace(state) as workspace:
        return saved_zone(workspace).operations


def test_labels_are_made_listed_and_deleted(control: Control, operations: tuple[str, ...]) -> None:
    added = control.labels.add(None, LabelSpec("a", "first", {"x": [1, None]}))
    assert (added.value.name, added.value.metadata, added.version) == ("a", {"x": [1, None]}, 3)
    assert control.labels.list(source="user") == [added.value]
    assert len(control.labels.list("default")) == 1 + len(MANAGED)
    assert [label.name for label in control.labels.list(text="FIRST")] == ["a"]
    removed = control.labels.remove(None, ["a"])
    assert ([label.name for label in removed.value], removed.version) == (["a"], 4)
    assert control.labels.list(source="user") == []


def test_operations_are_labelled(control: Control, operations: tuple[str, ...]) -> None:
    control.labels.add(None, LabelSpec("a"))
    done = control.labels.label(None, "attach", operations[:2], ["a", "cf-llm"])
    assert [[label.name for label in each.labels] for each in done.value] == [["cf-llm", "a"]] * 2
    assert {label.name: label.operation_count for label in control.labels.list(text="a", source="user")} == {"a": 2}
    done = control.labels.label(None, "detach", operations[1:], ["cf-llm"])
    assert [[label.name for label in each.labels] for each in done.value] == [["a"], []]
    done = control.labels.label(None, "replace", operations[:1], [])
    assert [each.operation.id for each in done.value] == [operations[0]]
    assert done.value[0].labels == []


def test_errors(control: Control, operations: tuple[str, ...]) -> None:
    control.labels.add(None, LabelSpec("a"))
    assert raised(lambda: control.labels.add(None, LabelSpec("a"))).code == "label.exists"
    assert raised(lambda: control.labels.add(None, LabelSpec("cf-a"))).code == "label.invalid"
    assert raised(lambda: control.labels.remove(None, ["a", "b"])).problems[0].path == "[1]"
    assert raised(lambda: control.labels.label(None, "attach", [NOBODY], ["a"])).code == "operation.unknown"
    assert raised(lambda: control.labels.label(None, "attach", operations, ["cf-risk-zombie"])).code == "label.invalid"
    assert raised(lambda: control.labels.list("nowhere")).code == "zone.unknown"
