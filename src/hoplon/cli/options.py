"""Options that several commands share, so that they are spelled and explained alike."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from hoplon.settings.fields import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_STATE = "./hoplon-state"


def state_option(function: Function) -> Function:
    """`--state DIR` as the argument `state_dir: Path`, for commands that read no other setting."""
    return click.option(
        "--state",
        "state_dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="HOPLON_STATE",
        default=_configured_state,
        show_default=DEFAULT_STATE,
        metavar="DIR",
        help="The state directory (HOPLON_STATE).",
    )(function)


def json_option(function: Function) -> Function:
    """`--json` as the argument `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")(function)


def process_options(function: Function) -> Function:
    """The options of commands that start parts, as the arguments of `settings_of`."""
    options = (
        click.option("--upstream", metavar="URL", help="Your API. Only creates the first zone."),
        click.option("--listen", multiple=True, metavar="ADDRESS", help="Take traffic here. [default: 127.0.0.1:8080]"),
        click.option("--admin", metavar="ADDRESS", help="The API. [default: 127.0.0.1:8081]"),
        click.option("--status", metavar="ADDRESS", help="Metrics and health. [default: 127.0.0.1:8082]"),
        click.option("--state", metavar="DIR", help=f"The state directory. [default: {DEFAULT_STATE}]"),
        click.option("--config", metavar="FILE", help="Settings. [default: hoplon.toml, if there is one]"),
    )
    for option in reversed(options):
        function = option(function)
    return function


def settings_of(config: str | None, **flags: object) -> "Settings":
    """The settings that file, environment and these flags give; an empty list is a flag that was not given.

    Processes that this one starts find the same file, through the environment.
    """
    from hoplon.settings.load import load_settings
    from hoplon.settings.sources import CONFIG_VARIABLE

    if config:
        os.environ[CONFIG_VARIABLE] = str(Path(config).absolute())
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    return load_settings(Path(config) if config else None, given)


def _configured_state() -> str:
    """The state directory that a `hoplon.toml` here names, so that every command finds what `up` made."""
    import tomllib

    from hoplon.settings.sources import config_file

    try:
        file = config_file()
        state = tomllib.loads(file.read_text(encoding="utf-8")).get("state") if file else None
    except (OSError, ValueError):
        return DEFAULT_STATE
    return state if isinstance(state, str) else DEFAULT_STATE
