"""Reads settings from their three sources and says, per wrong one, where it came from and what to do.

The three are merged as plain dictionaries and checked once; that keeps the origin of every value at hand.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from hoplon.errors import HoplonError, Problem
from hoplon.settings.fields import Settings
from hoplon.settings.sources import CONFIG_VARIABLE, PREFIX, config_file, environment_name
from hoplon.spelling import did_you_mean

_SECRETS = {"HOPLON_INSTALLATION_KEY", "HOPLON_INSTALLATION_KEY_PREVIOUS"}
"""Read where they are used (`hoplon.storage.sealing`), so that no settings object ever holds them."""
_CLIENT = {"HOPLON_SERVER", "HOPLON_TOKEN", "HOPLON_TOKEN_FILE", "HOPLON_SERVER_CA"}
"""Read by the commands that work on a Hoplon elsewhere (`hoplon.cli.control`)."""
_NO_SETTINGS = {CONFIG_VARIABLE, "HOPLON_TRACEBACK", "HOPLON_SHARED", "HOPLON_EVAL", "HOPLON_FULL"} | _SECRETS | _CLIENT
"""Read elsewhere: `HOPLON_SHARED`, `HOPLON_EVAL` and `HOPLON_FULL` by the tests and the Makefile of a checkout."""
_SERVICE_LINKS = ("HOPLON_SERVICE_", "HOPLON_PORT")
"""Kubernetes sets these in every pod beside a service named `hoplon`; they are no settings."""


def load_settings(
    config: Path | None = None, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings of this process.

    `config` is the file named by `--config` (it must exist); without it `HOPLON_CONFIG`, then `hoplon.toml` in the
    working directory if there is one. `flags` are the command's options by setting name; None means not given.
    Raises `settings.invalid` with every problem.
    """
    environ = os.environ if environ is None else environ
    file = config_file(config, environ)
    sources: dict[str, dict[str, Any]] = {
        str(file): _read_toml(file) if file is not None else {},
        "environment": _read_environment(environ),
        "flags": {name: value for name, value in (flags or {}).items() if value is not None},
    }
    problems = [
        problem for origin, values in sources.items() if origin != "flags" for problem in _unknown(values, origin)
    ]
    if problems:
        raise _invalid(problems)
    try:
        return Settings.model_validate(reduce(_merged, sources.values()))
    except ValidationError as error:
        raise _invalid([_explain(item, sources) for item in error.errors()]) from None


def setting_fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting as (dotted path, field), in the order of the documentation."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Members of `above` win; sections are merged member by member."""
    both = {
        name: _merged(below[name], value)
        for name, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(name), dict)
    }
    return below | above | both


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HoplonError("settings.invalid", f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HoplonError("settings.invalid", f"{path} is not TOML: {error}") from error


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """`HOPLON_*` as the nested dictionary that the file would give; an unknown name stays as it is and is reported."""
    paths = {environment_name(path): path for path, _ in setting_fields()}
    values: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(PREFIX) and name not in _NO_SETTINGS and not name.startswith(_SERVICE_LINKS):
            section, _, key = paths.get(name, name).rpartition(".")
            (values.setdefault(section, {}) if section else values)[key] = value
    return values


def _unknown(values: Mapping[str, Any], origin: str) -> list[Problem]:
    known = {path for path, _ in setting_fields()}
    sections = {path.split(".")[0] for path in known if "." in path}
    problems = []
    for path in _leaves(values, sections):
        if path not in known:
            names = [environment_name(name) for name in known] if origin == "environment" else [*known, *sections]
            hint = did_you_mean(path, names)
            problems.append(Problem(path, f"unknown setting (in {origin})", hint))
    return problems


def _leaves(values: Mapping[str, Any], sections: set[str], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if not prefix and name in sections and isinstance(value, Mapping):
            yield from _leaves(value, set(), f"{name}.")
        else:
            yield prefix + name


def _explain(error: Any, sources: Mapping[str, Mapping[str, Any]]) -> Problem:
    path = ".".join(str(step) for step in error["loc"])
    origin = next((name for name in reversed(list(sources)) if _holds(sources[name], error["loc"])), None)
    message = error["msg"].removeprefix("Value error, ")
    return Problem(path, f"{message} (in {origin})" if origin else message)


def _holds(values: Any, steps: tuple[object, ...]) -> bool:
    for step in steps:
        if isinstance(values, Mapping) and step in values:
            values = values[step]
        else:
            return not isinstance(values, Mapping) and values is not None
    return True


def _invalid(problems: list[Problem]) -> HoplonError:
    count = "a setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    hint = "docs/reference/settings.md lists every setting"
    return HoplonError("settings.invalid", f"{count} wrong", hint, tuple(problems))
