"""Writes the generated tables of docs/reference from what the program itself says, or (`--check`) says which differ.

usage: python -m tools.reference [--check]
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.marks import table, with_parts

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def settings() -> str:
    """Every process setting: name, default, meaning."""
    from hoplon.settings.fields import Settings

    return table(["setting", "default", "what it is"], [list(row) for row in _fields(Settings)])


def _fields(model: Any, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        else:
            yield f"`{prefix}{name}`", _default(field), field.description or ""


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return "one per core"
    value = field.get_default()
    if value in (None, ()):
        return "none"
    shown = ", ".join(value) if isinstance(value, tuple) else value
    return f"`{shown:g}`" if isinstance(shown, float) else f"`{shown}`"


def commands() -> str:
    """Every command of `hoplon`, with its help line."""
    from hoplon.cli import COMMANDS

    return table(["command", "what it does"], [[f"`hoplon {each.name}`", each.help] for each in COMMANDS])


def exit_codes() -> str:
    """Every exit code and what gives it."""
    from hoplon.cli import errors

    meanings = {
        errors.EXIT_OK: "done",
        errors.EXIT_PROBLEM: "a problem was found, or something was refused",
        errors.EXIT_USAGE: "the command line, a setting or a name in it is wrong",
        errors.EXIT_NO_STATE: "there is no state directory",
        errors.EXIT_IN_USE: "something else holds it: a lock, an address, the database",
        errors.EXIT_INTERNAL: "Hoplon itself failed; please report it",
    }
    rows = [[str(code), meaning, _error_codes(code)] for code, meaning in meanings.items()]
    return table(["exit code", "meaning", "error codes"], rows)


def _error_codes(exit_code: int) -> str:
    from hoplon.cli.errors import EXIT_CODES, EXIT_PROBLEM

    if exit_code == EXIT_PROBLEM:
        return "every other"
    return " ".join(f"`{code}`" for code, number in EXIT_CODES.items() if number == exit_code)


def routes() -> str:
    """Every route that does something, and the permission group that it asks for."""
    from hoplon.api.app import load_target
    from hoplon.api.routes import ROUTES

    rows = [
        [f"`{route.method} {route.path}`", load_target(route).description.summary, _groups(route)]
        for route in ROUTES
        if route.handler is not None
    ]
    return table(["route", "what it does", "permission group"], rows)


def _groups(route: Any) -> str:
    return " and ".join(group for group in (route.group, route.also) if group) or "any token"


def unavailable_routes() -> str:
    """The features that are still to come, and how many routes each has."""
    from hoplon.api.routes import ROUTES

    features: dict[str, list[str]] = {}
    for route in ROUTES:
        if route.handler is None:
            features.setdefault(route.feature, []).append(route.path)
    rows = [[f"`{feature}`", _below(paths)] for feature, paths in features.items()]
    return table(["feature", "routes below"], rows)


def _below(paths: Sequence[str]) -> str:
    """The resources that paths belong to, each once."""
    tops = ("/".join(path.split("/")[5 : 7 if "api_gateway" in path else 6]) for path in paths)
    return " ".join(f"`{top}`" for top in dict.fromkeys(tops))


def api_errors() -> str:
    """Every error code of the API with its number and HTTP status."""
    from hoplon.api.errors import ERRORS

    rows = [[str(form.number), str(int(form.status)), f"`{code}`"] for code, form in ERRORS.items()]
    return table(["number", "status", "code"], sorted(rows, key=lambda row: int(row[0])))


def facts() -> str:
    """The engine's fact table."""
    from hoplon import _native

    return _rows(
        _native.fact_table(),
        {
            "name": "fact",
            "type": "type",
            "phase": "phase",
            "cost": "cost",
            "replay": "recorded",
            "doc": DOC,
            "source": "source",
        },
    )


def functions() -> str:
    """Every function of the rule language."""
    from hoplon.rules.functions import CLAIMS, GENERAL, TOKEN

    places = (("everywhere", GENERAL), ("token rules", TOKEN), ("authorization", CLAIMS))
    rows = [[f"`{each.signature}`", where, each.doc] for where, known in places for each in known.values()]
    return table(["function", "where", "what it gives"], rows)


def refused_functions() -> str:
    """Cloudflare's functions that no rule may call."""
    from hoplon.rules.functions import CLAIMS, REFUSED, TOKEN

    rows = [[why] for name, why in REFUSED.items() if name not in TOKEN and name not in CLAIMS]
    return table(["function, and why not"], rows)


def unavailable_fields() -> str:
    """Cloudflare's fields, or groups of them, that Hoplon has no data for."""
    from hoplon.rules.unavailable import REASONS

    names: dict[str, list[str]] = {}
    for name, why in REASONS.items():
        names.setdefault(why, []).append(f"`{name}`")
    return table(
        ["fields (each with those below it)", "why not"], [[" ".join(each), why] for why, each in names.items()]
    )


def violations() -> str:
    """Every violation code."""
    from hoplon import _native

    return _rows(_native.violation_codes(), {"code": "code", "location": "location", "doc": "what it says"})


def metrics() -> str:
    """Every metric of the gateway."""
    from hoplon import _native

    return _rows(_native.metric_table(), {"name": "metric", "kind": "kind", "labels": "labels", "help": DOC})


def _record_columns(kind: str) -> Callable[[], str]:
    def columns() -> str:
        from hoplon import _native

        columns = {"name": "column", "type": "type", "nullable": "may be null", "doc": DOC}
        schema: dict[str, Any] = _native.record_schema()
        return _rows(schema[kind], columns)

    return columns


DOC = "what it is"


def _rows(rows: Sequence[Mapping[str, object]], columns: dict[str, str]) -> str:
    """A table of what the program gives as dictionaries: `columns` maps a key to the heading; the first one is code."""
    code = next(iter(columns))
    return table(list(columns.values()), [[_cell(row[key], key == code) for key in columns] for row in rows])


def _cell(value: object, is_code: bool) -> str:
    match value:
        case bool():
            return "yes" if value else ""
        case list():
            return " ".join(f"`{each}`" for each in value)
        case _:
            return f"`{value}`" if is_code else str(value)


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "settings.md": {"settings": settings},
    "cli.md": {"commands": commands, "exit-codes": exit_codes},
    "api.md": {"routes": routes, "unavailable": unavailable_routes, "errors": api_errors},
    "facts.md": {"facts": facts, "violations": violations},
    "functions.md": {"functions": functions, "refused": refused_functions, "unavailable": unavailable_fields},
    "metrics.md": {"metrics": metrics},
    "records.md": {kind: _record_columns(kind) for kind in ("records", "violations", "observations")},
}
NEEDS_ENGINE = frozenset({"api.md", "facts.md", "metrics.md", "records.md"})


def rendered(document: str) -> str:
    """A document of the reference with its generated parts made anew."""
    parts = {name: make() for name, make in PARTS[document].items()}
    return with_parts((REFERENCE / document).read_text(), parts, document)


def main() -> int:
    """Writes, or with `--check` only compares; gives the exit code."""
    stale = [document for document in PARTS if (REFERENCE / document).read_text() != rendered(document)]
    if "--check" not in sys.argv[1:]:
        for document in stale:
            (REFERENCE / document).write_text(rendered(document))
            print(f"written: docs/reference/{document}")
        return 0
    for document in stale:
        print(f"error: docs/reference/{document} differs from the program\nhint: python -m tools.reference")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
