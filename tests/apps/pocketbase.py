"""PocketBase: a Go server with users of its own, each with a token, and its JavaScript client.

It has no OpenAPI description; its operations are read from the routes that its source registers.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from apps.applications import Application, Command, Place

VERSION = "v0.36.8"
MODULE = "github.com/pocketbase/pocketbase"
SUPERUSER = ("root@example.com", "rootpass1234")
ROOT_GROUP = "rg"

_GROUP = re.compile(r"^\s*(\w+) := (\w+)\.Group\(\"([^\"]*)\"\)")
_ROUTE = re.compile(r"^\s*(\w+)\.(GET|POST|PUT|PATCH|DELETE)\(\"([^\"]*)\"")


def routes(source: str) -> list[tuple[str, str]]:
    """Method and path of each route that a Go file registers below the group `rg`."""
    groups = {ROOT_GROUP: ""}
    found = []
    for line in source.splitlines():
        if group := _GROUP.match(line):
            name, parent, path = group.groups()
            if parent in groups:
                groups[name] = groups[parent] + path
        elif (route := _ROUTE.match(line)) and route[1] in groups:
            found.append((route[2], groups[route[1]] + route[3]))
    return found


def _describe(place: Place, base: str) -> dict[str, Any]:
    modules = subprocess.run(("go", "env", "GOMODCACHE"), check=True, capture_output=True, text=True).stdout.strip()
    paths: dict[str, dict[str, Any]] = {}
    for file in sorted(Path(modules, f"{MODULE}@{VERSION}", "apis").glob("*.go")):
        for method, path in routes(file.read_text()):
            paths.setdefault(path, {})[method.lower()] = {}
    return {"paths": paths}


def server(place: Place, port: int) -> Command:
    """An empty data folder with one superuser, as the driver expects it."""
    program, data = str(place.programs / "base"), str(place.folder / "data")
    subprocess.run((program, "superuser", "upsert", *SUPERUSER, "--dir", data), check=True, capture_output=True)
    return Command((program, "serve", "--http", f"127.0.0.1:{port}", "--dir", data))


def _drive(place: Place, base: str) -> list[Command]:
    """The driver runs beside the packages that it imports."""
    script = place.programs.parent / "pocketbase.mjs"
    shutil.copyfile(place.drivers / "pocketbase.mjs", script)
    return [Command(("node", str(script), base))]


POCKETBASE = Application(
    name=f"PocketBase {VERSION.removeprefix('v')}",
    requirements=(),
    modules=(f"{MODULE}/examples/base@{VERSION}",),
    packages=("pocketbase@0.26.9", "eventsource@4.1.1"),
    server=server,
    ready_path="/api/health",
    drive=_drive,
    describe=_describe,
    undescribed={},
    prefix="/api",
)
