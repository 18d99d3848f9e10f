"""`make apps`: real applications and their own clients, once directly and once through the gateway, compared.

    PYTHONPATH=tests python -m apps [--only kinto …] [--work FOLDER] [--json FILE] [--direct-twice]

Needs uv, and the drivers in $HOPLON_SHARED/apps/drivers. Exit code 1 when anything differs.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from apps.applications import APPLICATIONS, Application, Place
from apps.comparison import Run
from apps.descriptions import Description, operations_of
from apps.gateway import gateway_before
from apps.pocketbase import POCKETBASE
from apps.processes import AppFailedError, free_port, run_client, running
from apps.report import Outcome, Report, as_text, judge
from apps.tap import Tap

ALL = {**APPLICATIONS, "pocketbase": POCKETBASE}
SETTLE_SECONDS = 1.5


async def compare(name: str, work: Path, drivers: Path, direct_twice: bool) -> Report:
    """Install, run directly, run through the gateway, compare."""
    application = ALL[name]
    programs = install(application, work / "venvs" / name)
    tap = Tap()
    await tap.start()
    outcomes: list[Outcome] = []
    try:
        for through in (False, not direct_twice):
            folder = work / name / f"run-{len(outcomes) + 1}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            outcomes.append(await one_run(application, Place(programs, folder, drivers), tap, through))
    finally:
        tap.stop()
    return judge(application, *outcomes)


def install(application: Application, folder: Path) -> Path:
    """The application's own environment, made once; gives the folder of its programs."""
    if not (folder / "installed").exists():
        subprocess.run(("uv", "venv", "--quiet", "--clear", str(folder)), check=True)
        python = str(folder / "bin" / "python")
        if application.requirements:
            subprocess.run(("uv", "pip", "install", "--quiet", "-p", python, *application.requirements), check=True)
        _install_elsewhere(application, folder)
        (folder / "installed").write_text("\n".join(application.requirements))
    return folder / "bin"


def _install_elsewhere(application: Application, folder: Path) -> None:
    """What Go builds lies beside Python's programs, Node's packages in the folder itself."""
    for module in application.modules:
        subprocess.run(("go", "install", module), env={**os.environ, "GOBIN": str(folder / "bin")}, check=True)
    if application.packages:
        quiet = ("--silent", "--no-audit", "--no-fund")
        command = ("npm", "install", "--prefix", str(folder), *quiet, *application.packages)
        subprocess.run(command, check=True)


async def one_run(application: Application, place: Place, tap: Tap, through: bool) -> Outcome:
    """The client's commands against a fresh server: client → tap → server, or client → tap → gateway → server."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        server = application.server(place, port)
        await stack.enter_async_context(running(server, base + application.ready_path, place.folder / "server.log"))
        gateway = await stack.enter_async_context(gateway_before(port, place.folder)) if through else None
        tap.target_port = gateway.port if gateway else port
        document = application.describe(place, base)
        description = Description(
            operations_of(document, application.prefix), application.undescribed, application.spanning
        )
        ended = [await run_client(command) for command in application.drive(place, f"http://127.0.0.1:{tap.port}")]
        await asyncio.sleep(SETTLE_SECONDS)
        exchanges, faults = tap.take()
        lines = Counter(application.mask(line) for _, output in ended for line in output)
        run = Run(lines, tuple(code for code, _ in ended), tuple(exchanges))
        if not gateway:
            return Outcome(run, description, tuple(faults))
        written = await asyncio.to_thread(gateway.written, len(exchanges))
        return Outcome(run, description, tuple(faults), written)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    shared = os.environ.get("HOPLON_SHARED")
    drivers = Path(shared or "", "apps", "drivers").resolve()
    if not shared or not drivers.is_dir():
        print(
            "error: the drivers are missing\nhint: set HOPLON_SHARED to the folder that holds apps/drivers",
            file=sys.stderr,
        )
        return 2
    work = (options.work or Path(tempfile.mkdtemp(prefix="hoplon-apps-"))).resolve()
    reports = []
    for name in options.only or ALL:
        try:
            reports.append(asyncio.run(compare(name, work, drivers, options.direct_twice)))
        except (AppFailedError, subprocess.CalledProcessError) as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            return 1
        print(as_text(reports[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(report) for report in reports], indent=1))
    return 1 if any(report.problems for report in reports) else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m apps", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(ALL), help="these applications only")
    parser.add_argument("--work", type=Path, help="a folder to keep (environments are made once); default: a new one")
    parser.add_argument("--json", type=Path, help="write the reports there too")
    parser.add_argument("--direct-twice", action="store_true", help="compare two direct runs: what differs is not ours")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
