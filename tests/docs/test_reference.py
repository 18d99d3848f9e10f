"""The reference says what the program does: its generated tables are those that the program gives now."""

import pytest

from tools.reference import NEEDS_ENGINE, PARTS, REFERENCE, rendered


@pytest.mark.parametrize("document", PARTS)
def test_generated_tables_are_those_of_the_program(document: str) -> None:
    if document in NEEDS_ENGINE:
        pytest.importorskip("hoplon._native")
    assert (REFERENCE / document).read_text() == rendered(document), "run: python -m tools.reference"
