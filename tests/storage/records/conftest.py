"""A records directory and the schema that this installation writes."""

from pathlib import Path

import pytest

from hoplon.storage.records.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout.of_state(tmp_path)
    found.open.mkdir(parents=True)
    return found
