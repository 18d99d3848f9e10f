"""What others wrote reaches a terminal as text only."""

import pytest

from hoplon.cli.errors import report
from hoplon.cli.printable import printable
from hoplon.cli.tables import print_table
from hoplon.errors import Problem

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202emoc"
HARMLESS = r"\x1b]0;title\x07\x1b[2J\x9b31m\u202emoc"


def test_controls_and_changes_of_direction_are_escaped_and_nothing_else() -> None:
    assert printable(HOSTILE) == HARMLESS
    assert printable("żółć 🛡\tx\ny") == "żółć 🛡\tx\ny"


def test_errors_and_tables_show_no_foreign_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    report(HOSTILE, HOSTILE, (Problem(HOSTILE, HOSTILE, HOSTILE),))
    print_table(["name"], [[HOSTILE]])
    shown = capsys.readouterr()
    assert shown.err.count(HARMLESS) == 5
    assert shown.out.count(HARMLESS) == 1
    assert not {"\x07", "\x9b", "\u202e"} & {*shown.err, *shown.out}
    assert "\x1b]" not in shown.err + shown.out
