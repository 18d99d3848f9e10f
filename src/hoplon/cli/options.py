"""Options that several commands share, so that they are spelled and explained alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_STATE = "./hoplon-state"


def state_option(function: Function) -> Function:
    """`--state DIR` as the argument `state_dir: Path`."""
    return click.option(
        "--state",
        "state_dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="HOPLON_STATE",
        default=DEFAULT_STATE,
        show_default=True,
        metavar="DIR",
        help="The state directory (HOPLON_STATE).",
    )(function)


def json_option(function: Function) -> Function:
    """`--json` as the argument `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")(function)
