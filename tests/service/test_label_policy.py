"""Labels in the policy document: exported, compared, applied, rolled back; what carries them must be saved."""

from typing import Any

import pytest

from hoplon.errors import HoplonError
from hoplon.service.policy import apply_policy, diff_policy, export_policy, rollback_policy
from hoplon.service.workspace import Workspace

BASE = """format = 1
zone = { upstreams = [{ url = "http://127.0.0.1:9" }] }
operations.saved = [
    { method = "GET", path = "/users/{id}" },
    { method = "POST", path = "/login" },
]
"""
LABELS = """
[labels]
user = [
    { name = "payments", description = "What moves money.", metadata = '{"team": "billing", "pager": null}' },
    { name = "old" },
]
attached = [
    { method = "POST", path = "/login", labels = ["payments", "cf-log-in"] },
    { method = "GET", path = "/users/{number}", labels = ["old"] },
]
"""


def problems_of(workspace: Workspace, text: str) -> list[str]:
    with pytest.raises(HoplonError) as caught:
        apply_policy(workspace, text)
    assert caught.value.code == "policy.invalid"
    return [str(problem) for problem in caught.value.problems]


def test_labels_are_exported_as_they_were_applied(workspace: Workspace) -> None:
    apply_policy(workspace, BASE + LABELS, create=True)
    text = export_policy(workspace)
    assert (
        """[labels]
user = [
    { name = "old", description = "" },
    { name = "payments", description = "What moves money.", metadata = "{\\"pager\\":null,\\"team\\":\\"billing\\"}" },
]
attached = [
    { method = "POST", host = "*", path = "/login", labels = ["cf-log-in", "payments"] },
    { method = "GET", host = "*", path = "/users/{id}", labels = ["old"] },
]
"""
        in text
    )
    assert diff_policy(workspace, text).changes == ()
    assert apply_policy(workspace, text).version == 1


def test_every_change_is_said_and_rolled_back(workspace: Workspace) -> None:
    apply_policy(workspace, BASE + LABELS, create=True)
    before = export_policy(workspace)
    changed = (
        (BASE + LABELS)
        .replace("What moves money.", "Money.")
        .replace('"old"', '"new"')
        .replace('"cf-log-in"', '"cf-llm"')
    )
    assert apply_policy(workspace, changed).changes == (
        "removes label old",
        "adds label new",
        "changes label payments",
        "detaches label cf-log-in from POST /login",
        "attaches label cf-llm to POST /login",
        "detaches label old from GET /users/{number}",
        "attaches label new to GET /users/{number}",
    )
    rolled_back = rollback_policy(workspace)
    assert rolled_back.version == 3
    assert export_policy(workspace) == export_policy(workspace, version=1) == before
    assert 'labels = ["cf-llm"' in export_policy(workspace, version=2)


def test_an_operation_that_goes_takes_its_labels_along_and_brings_them_back(workspace: Workspace) -> None:
    apply_policy(workspace, BASE + LABELS, create=True)
    before = export_policy(workspace)
    apply_policy(workspace, BASE.replace('    { method = "POST", path = "/login" },\n', ""))
    assert "login" not in export_policy(workspace)
    rollback_policy(workspace, to_version=1)
    assert export_policy(workspace) == before


def test_only_saved_operations_carry_labels(workspace: Workspace) -> None:
    assert problems_of(workspace, BASE + LABELS.replace('"/login"', '"/log-in"')) == [
        "line 14, labels.attached[0]: POST /log-in is no saved operation"
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('["old"]', '["odl"]', "line 15, labels.attached[1].labels: there is no label `odl`"),
        ('["old"]', '["cf-risk-zombie"]', "line 15, labels.attached[1].labels: `cf-risk-zombie` follows from traffic"),
        ('["old"]', "[]", "line 15, labels.attached[1].labels: Tuple should have at least 1 item"),
        ('name = "old"', 'name = "o l d"', "line 11, labels.user[1].name: `o l d` is no name for a label"),
        ('name = "old"', 'name = "payments"', "line 11, labels.user[1]: the same label as labels.user[0]"),
        ("'{\"team\"", "'{\"team", "line 10, labels.user[0].metadata: not JSON: "),
        ('GET", path = "/users/{number}', 'POST", path = "/login', "line 15, labels.attached[1]: the same operation"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(workspace: Workspace, old: str, new: str, problem: Any) -> None:
    assert old in LABELS
    assert problems_of(workspace, BASE + LABELS.replace(old, new))[0].startswith(problem)
