"""The `[labels]` table: its canonical text reads back as the same value, and every change has its sentence."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hoplon.labels.managed import MANAGED
from hoplon.labels.names import description_fault, metadata_fault, metadata_text, name_fault
from hoplon.labels.policy import Attached, LabelsFeature, LabelsPolicy, UserLabel
from hoplon.model.policy import Policy
from hoplon.operations.policy import OperationsPolicy, SavedOperation
from hoplon.operations.template import operation_id
from hoplon.policy.document import read_policy, write_policy
from hoplon.service.agreement import disagreements
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy

FEATURE = LabelsFeature(operation_id)
DEFAULT = default_policy("http://127.0.0.1:9")
SAVED = tuple(SavedOperation("*", path, method) for method in ("GET", "PUT") for path in ("/", "/a/{x}", "/b"))
USES = [name for name, label in MANAGED.items() if label.is_attachable]

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda name: name_fault(name) is None
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: description_fault(text) is None
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
).filter(lambda value: metadata_fault(value) is None)


@st.composite
def policies(draw: st.DrawFn) -> LabelsPolicy:
    names = sorted(draw(st.sets(NAMES, max_size=4)))
    user = tuple(UserLabel(name, draw(TEXTS), metadata_text(draw(JSON))) for name in names)
    which = draw(st.sets(st.sampled_from(SAVED), max_size=4))
    marks = st.sets(st.sampled_from([*names, *USES]), min_size=1, max_size=4)
    return LabelsPolicy(user, tuple(attached(each, sorted(draw(marks))) for each in sorted(which)))


def attached(saved: SavedOperation, labels: Sequence[str]) -> Attached:
    return Attached(saved.id, tuple(labels), saved.method, saved.host, saved.path)


def with_labels(labels: Any) -> Policy:
    return Policy(DEFAULT.zone, {**DEFAULT.features, "operations": OperationsPolicy("log", SAVED), "labels": labels})


@given(policies())
def test_the_canonical_text_reads_back_as_the_same_labels(labels: LabelsPolicy) -> None:
    text = write_policy(with_labels(labels), FEATURES)
    read = read_policy(text, FEATURES, "a test", disagreements)
    assert read.features["labels"] == labels
    assert write_policy(read, FEATURES) == text


@given(policies(), policies())
def test_what_differs_is_said_and_what_does_not_is_not(old: LabelsPolicy, new: LabelsPolicy) -> None:
    sentences = FEATURE.describe(old, new)
    assert (sentences == []) == (old == new)
    assert len(sentences) == len(set(sentences))
    was = {(each.operation_id, name) for each in old.attached for name in each.labels}
    becomes = {(each.operation_id, name) for each in new.attached for name in each.labels}
    assert sum(sentence.startswith("attaches") for sentence in sentences) == len(becomes - was)
    assert sum(sentence.startswith("detaches") for sentence in sentences) == len(was - becomes)


def test_an_operation_is_the_same_under_any_names_of_variables() -> None:
    table = FEATURE.table.model_validate({"attached": [{"method": "GET", "path": "/a/{other}", "labels": ["cf-llm"]}]})
    assert FEATURE.read(table).attached == (attached(SAVED[1], ["cf-llm"]),)  # type: ignore[arg-type]
