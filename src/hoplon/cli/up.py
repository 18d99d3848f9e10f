"""`hoplon up`: all parts, supervised, and the first screen. What happens is in `service` and `supervisor`."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoplon.cli.options import process_options, settings_of
from hoplon.errors import HoplonError
from hoplon.storage.state import PARTS

if TYPE_CHECKING:
    from hoplon.service.api_start import ApiStart
    from hoplon.service.gateway_start import GatewayStart
    from hoplon.service.handed_over import HandedOver
    from hoplon.settings.fields import Settings
    from hoplon.supervisor import Event, PartPlan, Running

_DRAIN_MARGIN_SECONDS = 5.0
_WORKER_STOP_SECONDS = 10.0
_API_STOP_SECONDS = 12.0


@click.command()
@process_options
@click.option("--check", is_flag=True, help="Say whether it could start; start and change nothing.")
@click.pass_context
def up(context: click.Context, /, config: str | None, check: bool, **flags: object) -> None:
    """Put Hoplon in front of an API: gateway, API and worker, supervised, until Ctrl-C.

    SIGUSR2 (`hoplon restart`) makes it the version that is installed then, without a dropped request.
    """
    from hoplon.service.handed_over import take_handed_over

    handed = take_handed_over()
    settings = settings_of(config, **flags)
    if check:
        _check(settings)
        return
    try:
        exit_code = _run(settings, handed)
    except HoplonError as error:
        if handed.is_restart:
            _say_unwatched(settings, handed, error)
        raise
    context.exit(exit_code)


def _say_unwatched(settings: "Settings", handed: "HandedOver", error: HoplonError) -> None:
    """The new program fails after all: the parts of the one before serve on, but nobody looks after them."""
    from hoplon.service.restart import note_restart
    from hoplon.storage.state import StateDirectory

    pids = ", ".join(f"{part} {pid}" for part, pid in handed.parts.items())
    message = f"{error.message}; the parts run on without a supervisor ({pids}): stop them, then start `hoplon up`"
    note_restart(StateDirectory(settings.state.absolute()), is_done=False, message=message)
    click.echo(f"error: {message}", err=True)


def _check(settings: "Settings") -> None:
    from hoplon.service.start_check import check_start

    check_start(settings)
    click.echo("Settings, certificates, database and bundle are fit for this version.")


def _run(settings: "Settings", handed: "HandedOver") -> int:
    """Supervise until everything has stopped; the exit code. Becomes another program when asked to restart."""
    from hoplon.service.api_start import start_of
    from hoplon.service.gateway_start import prepare_gateway
    from hoplon.storage.locks import holding_part
    from hoplon.supervisor import Running, supervise

    parts = ("supervisor", "gateway", "api", "worker")
    with prepare_gateway(settings, parts, handed) as start, holding_part(start.state, "supervisor"):
        assert start.listeners.admin is not None  # noqa: S101  the API is one of the parts
        api = start_of(settings, start.state, start.listeners.admin)
        plans, tell = _plans(start, api), _Teller(start, api).tell
        ended = supervise(plans, tell, Running(handed.parts, handed.leaving), must_replace=handed.is_restart)
        while ended.running is not None:
            _restart(start, ended.running)
            ended = supervise(plans, tell, ended.running)
    return ended.exit_code


def _restart(start: "GatewayStart", running: "Running") -> None:
    """Become the program that is installed now; come back, with everything as it was, when that could not start."""
    from hoplon.service.restart import become_new_program, note_restart, why_not

    reason = why_not()
    if reason is None:
        become_new_program(start.listeners, running.parts, running.leaving)
    note_restart(start.state, is_done=False, message=reason)
    click.echo(f"No restart; everything goes on as it was: {reason}", err=True)


def _plans(start: "GatewayStart", api: "ApiStart") -> "list[PartPlan]":
    from hoplon.cli.worker import worker_command
    from hoplon.service.gateway import gateway_status
    from hoplon.service.restart import gateway_succession
    from hoplon.storage.sealing import KEY_VARIABLES
    from hoplon.supervisor import PartPlan

    def gateway_serves(pid: int) -> bool:
        status = gateway_status(start.state)
        return status is not None and status.pid == pid and status.phase == "serving"

    def worker_works(pid: int) -> bool:
        return _status_pid(start.state.status("worker")) == pid

    def api_serves(pid: int) -> bool:
        return _status_pid(start.state.status("api")) == pid

    stop_seconds = start.settings.drain_seconds + _DRAIN_MARGIN_SECONDS
    worker = worker_command(start.state.root, start.settings.records, start.settings.jwks)
    return [
        PartPlan(
            "gateway",
            start.command,
            start.state.log("gateway"),
            gateway_serves,
            stop_seconds,
            start.listeners.gateway_fds,
            is_essential=True,
            hidden_variables=KEY_VARIABLES,
            succession=partial(gateway_succession, start),
        ),
        PartPlan("api", api.command, start.state.log("api"), api_serves, _API_STOP_SECONDS, (api.listener.fd,)),
        PartPlan(
            "worker",
            worker,
            start.state.log("worker"),
            worker_works,
            _WORKER_STOP_SECONDS,
            hidden_variables=KEY_VARIABLES,
        ),
    ]


def _status_pid(path: Path) -> int | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document.get("pid") if isinstance(document, dict) else None


class _Teller:
    """Says on the screen what happens; the first screen as soon as the gateway serves."""

    def __init__(self, start: "GatewayStart", api: "ApiStart") -> None:
        self._start = start
        self._api = api

    def tell(self, event: "Event") -> None:
        from hoplon.service.restart import note_restart
        from hoplon.supervisor import PartReady, Restarted

        if isinstance(event, Restarted):
            failed = ", ".join(event.failed)
            note_restart(
                self._start.state, not failed, f"not replaced: {failed}" if failed else "every part is replaced"
            )
        if isinstance(event, PartReady) and event.name == "gateway" and event.restarts == 0:
            for line in first_screen(self._start, self._api):
                click.echo(line)
        elif text := _sentence(event):
            click.echo(text, err=True)


def _sentence(event: "Event") -> str | None:
    from hoplon.supervisor import PartDied, PartReady, PartReplaced, PartStopped, Stopping, SuccessorFailed

    match event:
        case PartReady(name, pid, seconds, restarts) if restarts:
            return f"The {name} is back after {seconds:.1f} s (pid {pid})."
        case PartDied(name, exit_code, None, log):
            return (
                f"error: the {name} could not start ({_ending(exit_code)}): {_last_words(log)}\nhint: more is in {log}"
            )
        case PartDied(name, exit_code, seconds, log):
            return f"The {name} has died ({_ending(exit_code)}); it is started again in {seconds:g} s. See {log}."
        case PartReplaced(name, old_pid, pid, seconds):
            return f"The {name} was replaced after {seconds:.1f} s (pid {old_pid} → {pid})."
        case SuccessorFailed(name, exit_code, log):
            why = "it was not ready in time" if exit_code is None else f"{_ending(exit_code)}: {_last_words(log)}"
            return f"The successor of the {name} failed ({why}); the {name} before goes on. See {log}."
        case Stopping(signal_name, is_hurry=False):
            return f"\nStopping ({signal_name}); requests under way may finish. Again to stop at once."
        case Stopping():
            return "Stopping at once."
        case PartStopped(name, was_killed=True):
            return f"The {name} did not stop in time and was killed."
    return None


def _ending(exit_code: int) -> str:
    import signal

    return f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name


def _last_words(log: Path) -> str:
    """The last message in a log of JSON lines, or its last line."""
    lines = log.read_text(errors="replace").splitlines() or ["it said nothing"]
    try:
        return str(json.loads(lines[-1])["message"])
    except (ValueError, KeyError, TypeError):
        return lines[-1]


def first_screen(start: "GatewayStart", api: "ApiStart") -> Iterator[str]:
    """What listens where, the mode, what is refused in any mode, where things go, what to do next."""
    yield f"Hoplon is up. Mode {click.style(start.mode, bold=True)}: {start.mode.meaning}."
    yield ""
    yield from _rows(_places(start, api))
    for notice in (*start.notices, *api.notices):
        yield f"\n{click.style('note:', fg='yellow', bold=True)} {notice}"
    yield "\nRefused in any mode, before it reaches your API (`protocol.*`):"
    yield from _rows(_refusals())
    yield "\nNext:"
    yield from _rows(_next_steps(start))
    yield "\nCtrl-C stops."


def _places(start: "GatewayStart", api: "ApiStart") -> Iterator[tuple[str, str]]:
    for listener in start.listeners.traffic:
        yield "traffic", listener.url
    for zone in start.zones:
        hosts = ", ".join(zone.hosts) or "any host"
        saved = f"{zone.operations} saved operation{'' if zone.operations == 1 else 's'}"
        yield f"zone {zone.name}", f"{hosts} → {', '.join(zone.upstreams)} ({saved}, fallthrough {zone.fallthrough})"
    records = start.settings.records
    days, gigabytes = records.retention_seconds / 86400, records.retention_bytes / 1024**3
    yield "status", f"{start.listeners.status.url}/metrics, /healthz, /readyz"
    yield "records", f"{_shown(start.state.records)} (kept {days:g} days, at most {gigabytes:g} GiB)"
    yield "logs", ", ".join(_shown(start.state.log(part)) for part in PARTS)
    yield "admin", f"{api.listener.url}/client/v4 and /hoplon/v1 (described in /openapi.json), /metrics, /readyz"
    if start.state.api_token.exists():
        yield "API token", f"{_shown(start.state.api_token)} (it may do everything; `hoplon token` makes others)"


def _refusals() -> Iterator[tuple[str, str]]:
    """The engine's own list, grouped: `protocol.path.nul` is `path: nul`."""
    from hoplon._native import violation_codes

    groups: dict[str, list[str]] = {}
    for violation in violation_codes():
        family, _, rest = str(violation["code"]).partition(".")
        if family == "protocol":
            group, _, detail = rest.partition(".")
            groups.setdefault(group, []).append(detail.replace("_", " ") or group)
    yield from ((group, ", ".join(details)) for group, details in groups.items())


def _next_steps(start: "GatewayStart") -> Iterator[tuple[str, str]]:
    state = start.settings.state
    option = "" if state == Path("hoplon-state") else f" --state {state}"
    yield f"curl {start.listeners.traffic[0].url}/", "send your API's callers here"
    yield f"hoplon operations --seen{option}", "which operations are called, how often, how fast"
    yield f"hoplon records tail{option}", "requests as they pass"
    yield (
        f"hoplon policy export{option} -o policy.toml",
        "edit it, then `hoplon policy apply`: acts on the next request",
    )
    yield f"hoplon doctor{option}", "what is wrong with this set-up"


def _rows(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    rows = list(pairs)
    width = max((len(name) for name, _ in rows), default=0)
    yield from (f"  {name:<{width}}  {text}" for name, text in rows)


def _shown(path: Path) -> str:
    """A path below the working directory without the way there."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
