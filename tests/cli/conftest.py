"""Runs commands in this process, as a user would type them, and gives what was said and the exit code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from hoplon.cli import COMMANDS
from hoplon.cli.group import run


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


Hoplon = Callable[..., Said]


@pytest.fixture
def hoplon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hoplon:
    """`hoplon("policy", "export")` in an empty working directory; the state directory is `./hoplon-state`."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOPLON_STATE", "HOPLON_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    if find_spec("hoplon._native") is None:
        monkeypatch.setattr("hoplon.service.workspace.Workspace.check_bundle", accept_anything)

    def call(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as stopped:
            run(COMMANDS, arguments)
        said = capsys.readouterr()
        assert isinstance(stopped.value.code, int)
        return Said(stopped.value.code, said.out, said.err)

    return call


def accept_anything(manifest: bytes, parts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    return []
