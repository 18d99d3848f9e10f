"""Labels against a plain model: whatever is attached, detached, replaced, deleted and rolled back, both agree."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hoplon.errors import HoplonError
from hoplon.model.actor import SYSTEM
from hoplon.model.labels import Source
from hoplon.service.attachments import How, NamedLabels, Selection, label_operations, set_operations
from hoplon.service.labels import LabelFilter, LabelSpec, add_labels, list_labels, remove_labels
from hoplon.service.policy import apply_policy, export_policy, rollback_policy
from hoplon.service.workspace import open_workspace
from hoplon.storage import labels as store
from hoplon.storage.database import reading
from support.saved_zone import saved_zone

OPERATIONS = st.lists(st.integers(0, 2), max_size=4)
USER = st.lists(st.sampled_from("abc"), max_size=3)
MANAGED = st.lists(st.sampled_from(["cf-log-in", "cf-llm"]), max_size=2)
HOWS: st.SearchStrategy[How] = st.sampled_from(["attach", "detach", "replace"])


class Labelling(RuleBasedStateMachine):
    """The model: which labels there are, the set of labels of each operation, and all of it in every version."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.workspace = self.stack.enter_context(open_workspace(Path(directory) / "state", create=True))
        self.zone = saved_zone(self.workspace)
        self.labels: set[str] = set()
        self.carried: list[set[tuple[Source, str]]] = [set(), set(), set()]
        self.history: list[tuple[set[str], list[set[tuple[Source, str]]]]] = []
        self.keep(1)

    def keep(self, version: int) -> None:
        """What changes something makes one version; what changes nothing makes none."""
        now = (set(self.labels), [set(marks) for marks in self.carried])
        if not self.history or self.history[-1] != now:
            self.history.append(now)
        assert version == len(self.history)

    @rule(names=st.sets(st.sampled_from("abc"), min_size=1))
    def add(self, names: set[str]) -> None:
        specs = [LabelSpec(name) for name in sorted(names)]
        if names & self.labels:
            with pytest.raises(HoplonError, match="exist already"):
                add_labels(self.workspace, SYSTEM, self.zone.id, specs)
            return
        version = add_labels(self.workspace, SYSTEM, self.zone.id, specs).version
        self.labels |= names
        self.keep(version)

    @rule(names=st.sets(st.sampled_from("abc"), min_size=1))
    def remove(self, names: set[str]) -> None:
        if names - self.labels:
            with pytest.raises(HoplonError, match="do not exist"):
                remove_labels(self.workspace, SYSTEM, self.zone.id, sorted(names))
            return
        version = remove_labels(self.workspace, SYSTEM, self.zone.id, sorted(names)).version
        self.labels -= names
        self.carried = [
            {mark for mark in marks if mark[0] == "managed" or mark[1] not in names} for marks in self.carried
        ]
        self.keep(version)

    @rule(how=HOWS, which=OPERATIONS, user=USER, managed=MANAGED)
    def label(self, how: How, which: list[int], user: list[str], managed: list[str]) -> None:
        selection = Selection([self.zone.operations[each] for each in which], "ids")
        named = [NamedLabels("user", user, "user"), NamedLabels("managed", managed, "managed")]
        if set(user) - self.labels:
            with pytest.raises(HoplonError, match="cannot be attached"):
                label_operations(self.workspace, SYSTEM, self.zone.id, how, selection, named)
            return
        done = label_operations(self.workspace, SYSTEM, self.zone.id, how, selection, named)
        marks: set[tuple[Source, str]] = {("user", name) for name in user}
        marks |= {("managed", name) for name in managed}
        for each in which:
            old = self.carried[each]
            self.carried[each] = old | marks if how == "attach" else old - marks if how == "detach" else set(marks)
        for labelled in done.value:
            index = self.zone.operations.index(labelled.operation.id)
            assert {(label.source, label.name) for label in labelled.labels} == self.carried[index]
        self.keep(done.version)

    @rule(which=OPERATIONS, source=st.sampled_from(["user", "managed"]), name=st.sampled_from("abc"))
    def set_one(self, which: list[int], source: Source, name: str) -> None:
        label = name if source == "user" else "cf-log-in"
        selection = Selection([self.zone.operations[each] for each in which], "ids")
        named = NamedLabels(source, [label], "")
        if source == "user" and name not in self.labels:
            with pytest.raises(HoplonError, match="there is no label"):
                set_operations(self.workspace, SYSTEM, self.zone.id, named, selection)
            return
        done = set_operations(self.workspace, SYSTEM, self.zone.id, named, selection)
        for index, marks in enumerate(self.carried):
            marks.discard((source, label))
            if index in which:
                marks.add((source, label))
        assert done.value.operation_count == len(set(which))
        self.keep(done.version)

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(1, len(self.history)))
        version = rollback_policy(self.workspace, to_version=to).version
        labels, carried = self.history[to - 1]
        self.labels, self.carried = set(labels), [set(marks) for marks in carried]
        self.keep(version)

    @rule()
    def apply_what_is_exported(self) -> None:
        assert apply_policy(self.workspace, export_policy(self.workspace)).changes == ()

    @invariant()
    def both_agree(self) -> None:
        with reading(self.workspace.database) as connection:
            found = {
                (each.operation_id, each.source, each.label) for each in store.attachments_at(connection, self.zone.id)
            }
        expected = {(self.zone.operations[index], *mark) for index, marks in enumerate(self.carried) for mark in marks}
        assert found == expected
        listed = list_labels(self.workspace, self.zone.id, LabelFilter(source="user"), 1, 50).value.items
        counts = {name: sum(("user", name) in marks for marks in self.carried) for name in self.labels}
        assert {label.name: label.operation_count for label in listed} == counts

    def teardown(self) -> None:
        self.stack.close()


TestLabelling = Labelling.TestCase
TestLabelling.settings = settings(max_examples=settings().max_examples // 7, stateful_step_count=20)
