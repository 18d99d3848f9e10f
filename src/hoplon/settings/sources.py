"""Where settings come from: which file, and the names of environment variables. Imports nothing that takes time."""

import os
from collections.abc import Mapping
from pathlib import Path

from hoplon.errors import HoplonError

DEFAULT_CONFIG = Path("hoplon.toml")
PREFIX = "HOPLON_"
CONFIG_VARIABLE = "HOPLON_CONFIG"


def config_file(named: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file named by `--config`, else by HOPLON_CONFIG, else `hoplon.toml` if there is one."""
    variable = environ.get(CONFIG_VARIABLE)
    file = named or (Path(variable) if variable else None)
    if file is None:
        return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None
    if not file.is_file():
        raise HoplonError("settings.invalid", f"no configuration file at {file}", "without --config defaults are used")
    return file


def environment_name(path: str) -> str:
    """The variable of a setting: `records.queue` is `HOPLON_RECORDS_QUEUE`."""
    return PREFIX + path.replace(".", "_").upper()
