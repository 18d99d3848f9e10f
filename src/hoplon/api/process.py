"""The API's process: takes one configuration file (`hoplon.service.api_start` writes it) and serves until a signal.

`python -m hoplon.api.process FILE`. It holds the part lock `api` and writes run/api.status.json once it serves.
"""

import json
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoplon.api.app import create_app
from hoplon.api.exchange import Exchange
from hoplon.api.log import Log
from hoplon.api.metrics import Metrics
from hoplon.api.server import serve
from hoplon.errors import HoplonError
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.settings.fields import ApiSettings
from hoplon.storage.files import replace_file
from hoplon.storage.locks import holding_part
from hoplon.storage.state import StateDirectory, open_state

_SWITCH_SECONDS = 0.0005
"""How long a thread may compute before another one gets its turn: the default of 5 ms is most of a request's time."""


def run_api(configuration: dict[str, Any]) -> None:
    """Serve the API of the installation that the configuration names. Raises `part.in_use` beside another one."""
    state = open_state(Path(configuration["state_dir"]))
    settings = ApiSettings.model_validate(configuration["api"])
    listener = socket.socket(fileno=configuration["listen"]["fd"])
    log = Log(state.log("api"))
    logging.basicConfig(level=logging.WARNING, handlers=[log], force=True)

    def finished(exchange: Exchange) -> None:
        metrics.count(exchange)
        if settings.request_log:
            log.exchange(exchange)

    with holding_part(state, "api"), open_workspace(state.root, is_debounced=True) as workspace:
        metrics = Metrics(lambda: _gauges(workspace))
        app = create_app(workspace, settings, metrics=metrics, finished=finished, failed=log.failure)
        address = configuration["listen"]["address"]
        try:
            serve(app, listener, _tls(configuration["listen"]), lambda: _begin(state, log, address))
        finally:
            app.close()
            log.say("info", "stopped")


def _gauges(workspace: Workspace) -> dict[str, tuple[str, float]]:
    """What the assembler counts."""
    assembler = workspace.assembler
    return {
        "hoplon_api_assemblies": ("Bundles put in place since the start.", assembler.assemblies),
        "hoplon_api_policy_in_place": ("1 while the committed policy is in place.", assembler.error is None),
    }


def _begin(state: StateDirectory, log: Log, address: str) -> None:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    status = {"pid": os.getpid(), "phase": "serving", "started_at": moment, "address": address}
    with suppress(OSError):
        replace_file(state.status("api"), json.dumps(status, indent=2).encode() + b"\n")
    log.say("info", "serving", address=address)


def _tls(listen: dict[str, Any]) -> tuple[Path, Path] | None:
    files = listen["tls"]
    return (Path(files["certificate"]), Path(files["key"])) if files else None


def main(arguments: list[str]) -> int:
    """The exit code: 0 after a signal, 4 when another API runs here, 1 when it cannot start."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):  # the server has handlers of its own while it runs
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        run_api(json.loads(Path(arguments[0]).read_bytes()))
    except HoplonError as error:
        Log().say("error", f"{error.message}" + (f" ({error.hint})" if error.hint else ""))
        return 4 if error.code == "part.in_use" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
