"""What the pages of rules and limits show is taken: policies load, characteristics are values, commands are there."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hoplon.cli.limits import limits
from hoplon.cli.rules import rules
from hoplon.policy.document import read_policy
from hoplon.rules.compile import compile_value
from hoplon.rules.dialects import LIMITS
from hoplon.service.features import FEATURES

pytest.importorskip("hoplon._native")

FEATURE_PAGES = Path(__file__).parents[2] / "docs" / "features"
MINIMAL = 'format = 1\n[[zone.upstreams]]\nurl = "http://127.0.0.1:9000"\n'


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (FEATURE_PAGES / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", ["rules.md", "limits.md"])
def test_policies_load(page: str) -> None:
    shown = blocks(page, "toml")
    assert shown
    for text in shown:
        policy = read_policy(MINIMAL + text, FEATURES)
        assert len(policy.features[page.removesuffix(".md")].rules) == 2


def test_characteristics_are_values() -> None:
    table = (FEATURE_PAGES / "limits.md").read_text().partition("| per…")[2].partition("\n\n")[0]
    shown = [text for row in table.splitlines() if row.startswith("| ") for text in re.findall(r"`(.*?)`", row)]
    expressions = [text for text in shown if text != "Authorization"]
    assert len(expressions) == 12
    for expression in expressions:
        assert compile_value(expression, LIMITS).type


@pytest.mark.parametrize(("page", "group"), [("rules.md", rules), ("limits.md", limits)])
def test_commands_are_there(page: str, group: object) -> None:
    word = page.removesuffix(".md")
    named = {line.split()[2] for line in blocks(page, "console")[0].splitlines() if len(line.split("#")[0].split()) > 2}
    told = CliRunner().invoke(group, ["--help"]).output  # type: ignore[arg-type]
    assert named and all(re.search(rf"^  {name} ", told, re.MULTILINE) for name in named), (word, named)
