"""The command line as a whole: what it lists, what it says about a wrong command, which codes it exits with."""

import importlib
import subprocess
import sys
import time

import click
import pytest

from hoplon.cli import COMMANDS, Command
from hoplon.cli.group import run
from hoplon.errors import HoplonError, Problem


@click.command()
def failing() -> None:
    problem = Problem("zone.name", "wrong", "write it", 3)
    raise HoplonError("part.in_use", "a gateway is already running", "stop it", (problem,))


@click.command()
def broken() -> None:
    raise RuntimeError("ouch")


HERE = (Command("failing", f"{__name__}:failing", "Fails."), Command("broken", f"{__name__}:broken", "Breaks."))


def run_here(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        run(HERE, arguments)
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_listed_command_exists(command: Command) -> None:
    module, _, attribute = command.target.partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("faling") == 2
    assert capsys.readouterr().err == (
        "error: no command `faling`; did you mean `failing`?\nhint: `hoplon --help` shows how it is used\n"
    )


def test_an_error_lists_its_problems_and_exits_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("failing") == 4
    assert capsys.readouterr().err == (
        "error: a gateway is already running\n  line 3, zone.name: wrong\n    hint: write it\nhint: stop it\n"
    )


def test_a_failure_of_our_own_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("broken") == 5
    assert "Hoplon itself failed: RuntimeError: ouch" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    heavy = {"pydantic", "sqlalchemy", "alembic", "rich", "duckdb", "pyarrow", "polars", "asyncio", "hoplon._native"}
    code = "import sys; sys.argv = ['hoplon', '--help']\nfrom hoplon.cli import main\n"
    code += "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "hoplon.cli.group" in done.stderr.split()
    assert heavy.isdisjoint(done.stderr.split())


def test_help_is_quick() -> None:
    """At most 150 ms where a bare interpreter takes 8.4; as a ratio, so that a slow machine may be slow."""
    bare = min(_seconds("-c", "pass") for _ in range(5))
    assert min(_seconds("-m", "hoplon", "--help") for _ in range(5)) < bare * 18


def _seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - began
