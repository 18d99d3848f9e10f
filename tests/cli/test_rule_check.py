"""`hoplon rules check` and `hoplon rules explain` as they are typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("hoplon._native")

from hoplon.cli.rule_check import check
from hoplon.cli.rule_explain import explain
from hoplon.service.policy import apply_policy
from hoplon.service.workspace import open_workspace
from support.rules import POLICY


def checked(text: bytes, *options: str) -> Result:
    return CliRunner().invoke(check, ["-", *options], input=text)


def test_each_line_is_an_expression() -> None:
    found = checked(b'ssl\nhttp.hots eq "a"\r\n\nhttp.host eq "\xff"\n', "--json")
    assert found.exit_code == 1
    assert json.loads(found.output) == [
        {"ok": True, "error": None},
        {
            "ok": False,
            "error": {
                "message": "unknown field `http.hots`",
                "line": 2,
                "column": 1,
                "hint": "did you mean `http.host`?",
            },
        },
        {
            "ok": False,
            "error": {
                "message": "the expression is empty",
                "line": 3,
                "column": 1,
                "hint": "`true` is an expression that always holds",
            },
        },
        {"ok": False, "error": {"message": "this is no UTF-8 text", "line": 4, "column": 15, "hint": None}},
    ]


def test_what_is_fine_is_said_in_one_line() -> None:
    found = checked(b"ssl\nnot ssl")
    assert (found.exit_code, found.output) == (0, "2 of 2 expressions are fine\n")
    assert json.loads(checked(b"", "--json").output) == []


def test_people_get_the_place_and_a_hint() -> None:
    found = checked(b"http.host EQ \x1b[2J")
    assert found.output == (
        "line 1, column 11: operators are written in lower case, not `EQ`\n"
        "  hint: write `eq`\n"
        "0 of 1 expressions are fine\n"
    )


@pytest.mark.parametrize(
    ("dialect", "code"), [("custom", 1), ("limits", 1), ("counting", 0), ("tokens", 1), ("authorization", 1)]
)
def test_each_place_has_its_dialect(dialect: str, code: int) -> None:
    assert checked(b"http.response.code eq 401", "--dialect", dialect).exit_code == code


def test_explain_shows_the_parts_over_each_other(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "state", create=True) as workspace:
        apply_policy(workspace, POLICY, create=True)
    sent = b"GET /admin/ HTTP/1.1\nHost: api.test\n\n"
    arguments = ["--request", "-", "--client", "10.1.2.3", "--state", str(tmp_path / "state")]
    found = CliRunner().invoke(explain, arguments, input=sent)
    lines = found.output.splitlines()
    assert lines[0].startswith("allow; ") and lines[2].startswith("custom rule `Admins come from the office`: false (")
    assert lines[3:9] == [
        '  http.request.uri.path matches r"^/admin/" and not ip.src in {10.0.0.0/8}  → false',
        '    http.request.uri.path matches r"^/admin/"  → true',
        '      http.request.uri.path  → "/admin/"',
        "    not ip.src in {10.0.0.0/8}  → false",
        "      ip.src in {10.0.0.0/8}  → true",
        '        ip.src  → "10.1.2.3"',
    ]
    told = json.loads(CliRunner().invoke(explain, [*arguments, "--json"], input=sent).output)
    assert (told["action"], told["rule"], told["violations"]) == ("allow", None, [])
