"""The exceptions to other people's tests: read from the tables of docs/conformance.md, held against what happened.

An unexplained failure is a failure, and so is an explanation that nothing needs any more.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

FORMS = r"test_(?:method|raw_response|streaming_response|path_params)_(?P<call>.+)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of the SDK's tests: its file, the SDK call it makes, and what it complained about (`None`: it passed)."""

    file: str
    call: str
    name: str
    complaint: str | None

    @classmethod
    def of(cls, node: str, outcome: str, message: str) -> "Outcome":
        """From pytest's name of it: `…/test_x.py::TestX::test_raw_response_list[strict]` is a `list` in `test_x.py`."""
        file, function = node.partition("::")[0], node.rpartition("::")[2]
        bare = function.partition("[")[0]
        form = re.fullmatch(FORMS, bare)
        call = bare if form is None or bare.startswith("test_path_params") else form["call"]
        return cls(file.removeprefix("tests/api_resources/"), call, node, None if outcome == "passed" else message)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A row of the table: every test of this call (or of all like `create_*`) in this file gets this answer, and why
    that is right."""

    file: str
    call: str
    answer: str
    why: str

    def covers(self, outcome: Outcome) -> bool:
        return self.file == outcome.file and fnmatchcase(outcome.call, self.call)


def complaints(outcomes: Iterable[Outcome], explanations: Iterable[Explanation]) -> Iterator[str]:
    """What is wrong: failures without a row, rows without a failure, failures for another reason than the row's."""
    rows = list(explanations)
    needed = set()
    for outcome in outcomes:
        row = next((row for row in rows if row.covers(outcome)), None)
        if row is not None:
            needed.add(row)
        if trouble := _trouble(outcome, row):
            yield trouble
    yield from (f"nothing in {row.file} calls {row.call}: the row goes" for row in rows if row not in needed)


def _trouble(outcome: Outcome, row: Explanation | None) -> str | None:
    if row is None:
        return f"{outcome.name} failed: {outcome.complaint}" if outcome.complaint is not None else None
    if outcome.complaint is None:
        return f"{outcome.name} passes: its row in docs/conformance.md goes"
    if row.answer not in outcome.complaint:
        return f"{outcome.name} failed for another reason than explained ({row.answer}): {outcome.complaint}"
    return None


def table(section: str, page: Path = PAGE) -> list[list[str]]:
    """The cells of the table in the section of this name, without its head; backquotes taken off."""
    text = page.read_text()
    found = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{page} has no section {section!r}")
    rows = [line.strip().strip("|").split("|") for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows[2:]]


def explanations(section: str) -> list[Explanation]:
    """The rows of a table of four columns: file, call, answer, why."""
    return [Explanation(*row) for row in table(section)]
