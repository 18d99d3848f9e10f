"""The systemd unit as systemd reads it, and the least exposure that it promises."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "hoplon.service"
MOST_EXPOSED = 2.0


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists, so that only the unit itself can be wrong."""
    copy = tmp_path / "hoplon.service"
    copy.write_text(UNIT.read_text().replace("/opt/hoplon/bin/hoplon", "/bin/true"))
    return copy


def analyze(*arguments: str) -> str:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_systemd_finds_nothing_wrong(unit: Path) -> None:
    assert analyze("verify", str(unit)) == ""


def test_it_is_as_closed_as_the_documentation_says(unit: Path) -> None:
    said = analyze("security", "--offline=true", str(unit))
    found = re.search(r"Overall exposure level for hoplon.service: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= MOST_EXPOSED
