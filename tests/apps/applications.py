"""The real applications: what to install, how to start and drive each, and what its own description leaves out.

One table, `APPLICATIONS`. Versions are pinned; the drivers are the applications' own clients.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from apps.descriptions import Operation


@dataclass(frozen=True, slots=True)
class Command:
    """A command with the environment it needs beside the usual one."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run of an application lives: its environment's programs, its own empty folder, the driver scripts."""

    programs: Path
    folder: Path
    drivers: Path


@dataclass(frozen=True, slots=True)
class Application:
    """How to run one application.

    Where its own description falls short: `undescribed` operations with the reason, the `prefix` that the described
    paths lack, variables that are `spanning` several segments.
    """

    name: str
    requirements: tuple[str, ...]
    """Of Python; `modules` are programs that Go builds, `packages` what a client in Node imports."""
    server: Callable[[Place, int], Command]
    ready_path: str
    drive: Callable[[Place, str], list[Command]]
    describe: Callable[[Place, str], dict[str, Any]]
    undescribed: Mapping[Operation, str]
    prefix: str = ""
    spanning: frozenset[str] = frozenset()
    masks: tuple[tuple[str, str], ...] = ()
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def mask(self, line: str) -> str:
        """The line without what is different each time (identifiers, moments, invented names)."""
        for pattern, replacement in self.masks:
            line = re.sub(pattern, replacement, line)
        return line.strip()


UUID = (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<uuid>")


def _read_json(url: str) -> dict[str, Any]:
    with urlopen(url, timeout=10) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


# Kinto


def _kinto_server(place: Place, port: int) -> Command:
    settings = place.folder / "kinto.ini"
    create = (str(place.programs / "kinto"), "init", "--ini", str(settings), "--backend=memory")
    subprocess.run((*create, "--cache-backend=memory", "--host", "127.0.0.1"), check=True, capture_output=True)
    text = settings.read_text().replace("%(http_port)s", str(port))
    creators = "kinto.bucket_create_principals = system.Authenticated"
    text = re.sub(r"(?m)^kinto\.bucket_create_principals = .*$", creators, text)
    text = re.sub(r"(?m)^(kinto\.includes = .*)$", r"\1\n                 kinto.plugins.history", text)
    settings.write_text(text)
    return Command((str(place.programs / "kinto"), "start", "--ini", str(settings)))


def _kinto_drive(place: Place, base: str) -> list[Command]:
    return [Command((str(place.programs / "python"), str(place.drivers / "kinto.py"), f"{base}/v1"))]


KINTO = Application(
    name="Kinto 26.5.0",
    requirements=("kinto==26.5.0", "kinto-http==11.11.0"),
    server=_kinto_server,
    ready_path="/v1/__heartbeat__",
    drive=_kinto_drive,
    describe=lambda place, base: _read_json(f"{base}/v1/__api__"),
    undescribed={},
    masks=(UUID,),
)


# Jupyter Server

JUPYTER_TOKEN = "secrettok"


def _jupyter_server(place: Place, port: int) -> Command:
    program = (str(place.programs / "jupyter"), "server", "--allow-root", "--no-browser", "--ip", "127.0.0.1")
    files = place.folder / "files"
    files.mkdir()
    home = {
        name: str(place.folder / name.lower()) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")
    }
    return Command((*program, "--port", str(port), f"--IdentityProvider.token={JUPYTER_TOKEN}"), home, files)


def _jupyter_drive(place: Place, base: str) -> list[Command]:
    return [Command((str(place.programs / "python"), str(place.drivers / "jupyter.py"), base))]


def _jupyter_description(place: Place, base: str) -> dict[str, Any]:
    """The YAML file in the package, read with the YAML parser that Jupyter brings along."""
    script = (
        "import json, yaml, pathlib, jupyter_server.services.api as api;"
        "print(json.dumps(yaml.safe_load(pathlib.Path(api.__file__).with_name('api.yaml').read_text()), default=str))"
    )
    answer = subprocess.run((str(place.programs / "python"), "-c", script), check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


JUPYTER = Application(
    name="Jupyter Server 2.21.1",
    requirements=("jupyter_server==2.21.1", "ipykernel", "websocket-client", "requests"),
    server=_jupyter_server,
    ready_path=f"/api/status?token={JUPYTER_TOKEN}",
    drive=_jupyter_drive,
    describe=_jupyter_description,
    undescribed={
        Operation("GET", "/api/kernels/{kernel_id}/channels"): "a WebSocket, which Swagger 2.0 cannot describe"
    },
    spanning=frozenset({"path"}),
    masks=(UUID,),
)


# Prefect

PREFECT_COMMANDS = (
    "work-pool create p1 --type process",
    "flow-run ls",
    "variable ls",
    "block type ls",
    "global-concurrency-limit create g1 --limit 5",
    "artifact ls",
    "automation ls",
    "events emit my.event --resource-id a.b",
)


def _prefect_server(place: Place, port: int) -> Command:
    program = (str(place.programs / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port))
    return Command(program, {"PREFECT_HOME": str(place.folder / "server"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"})


def _prefect_drive(place: Place, base: str) -> list[Command]:
    environment = {
        "PREFECT_HOME": str(place.folder / "client"),
        "PREFECT_API_URL": f"{base}/api",
        "PREFECT_LOGGING_COLORS": "false",
        "COLUMNS": "200",
    }
    flow = (str(place.programs / "python"), str(place.drivers / "prefect_flow.py"))
    commands = [(str(place.programs / "prefect"), *command.split()) for command in PREFECT_COMMANDS]
    return [Command(arguments, environment) for arguments in (flow, *commands)]


PREFECT = Application(
    name="Prefect 3.8.8",
    requirements=("prefect==3.8.8", "fastapi==0.144.0"),
    server=_prefect_server,
    ready_path="/api/health",
    drive=_prefect_drive,
    describe=lambda place, base: _read_json(f"{base}/openapi.json"),
    undescribed={Operation("GET", "/api/events/in"): "a WebSocket, which OpenAPI cannot describe"},
    prefix="/api",
    masks=(
        UUID,
        (r"'(add|boom)-[0-9a-f]{3}'", r"'\1-<number>'"),
        (r"\b\d\d:\d\d:\d\d\.\d+", "<time>"),
        (r"\b(run|flow run) '[a-z]+-[a-z]+'", r"\1 '<invented name>'"),
        (r"│ [a-z]+-[a-z]+ +│ COMPLETED", "│ <invented name> │ COMPLETED"),
        (r"(a few|\d+) seconds? ago", "<moments ago>"),
        (r"[━─]+", "─"),
        (r"\s+", " "),
    ),
)

APPLICATIONS = {"kinto": KINTO, "jupyter": JUPYTER, "prefect": PREFECT}
