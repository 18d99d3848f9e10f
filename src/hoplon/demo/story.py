"""The demo's story, act by act: start, traffic, what was seen, a policy, its replay, the block, one decision.

Wires shop, gateway, crowd and installation. Every number that is shown was measured in this run, and the story fails
when what it promises did not happen.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

from hoplon.catalog import SavedTemplate
from hoplon.demo import ledger
from hoplon.demo.crowd import Crowd
from hoplon.demo.installation import Installation
from hoplon.demo.processes import Part, answers, free_ports, hoplon_part, shop_part
from hoplon.demo.screen import Screen
from hoplon.demo.visitor import Exchange
from hoplon.demo.visitors import GUESTS
from hoplon.errors import HoplonError
from hoplon.service.seen_operations import new_operations

LEARN_SECONDS = 8.0
CONTRAST_SECONDS = 4.0
PATIENCE_SECONDS = 30.0
SESSIONS_TO_SAVE = 2
SHOWN_OPERATIONS = 40
SHOWN_FIELDS = (
    *("id", "time", "method", "path", "client", "session", "session_source"),
    *("mode", "action", "rule_name", "status", "bundle", "policy_version"),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """What every act needs."""

    screen: Screen
    installation: Installation
    parts: tuple[Part, ...]
    crowd: Crowd


def tell(state: Path | None, stream: TextIO, live: bool) -> None:
    """Run the whole demo in `state`, which must be new or empty; without one a folder is made, and kept to look around.

    Raises `HoplonError` when anything goes wrong; whatever was started is stopped either way.
    """
    root = _empty_folder(state)
    screen = Screen(stream, live)
    with _ending_on_termination(), ExitStack() as stack:
        stage = start(root, screen, stack)
        learn(stage)
        save(stage, show_operations(stage))
        before = log_unknown(stage)
        replay_block(stage)
        after = block_unknown(stage)
        stage.crowd.send_home()
        judge(stage, before, after)
        show_decision(stage, after)
    say_where_to_look(screen, root)


def start(root: Path, screen: Screen, stack: ExitStack) -> Stage:
    """The shop, `hoplon up` in front of it, and a crowd that comes in through the gateway."""
    screen.act(1, "Start: an API with flaws, and Hoplon in front of it")
    addresses = free_ports()
    shop = stack.enter_context(shop_part(addresses.shop, root))
    shop.wait_for(lambda: answers(addresses.shop, "/healthz"))
    screen.say(f"the shop (FastAPI, SQLite)        http://127.0.0.1:{addresses.shop}")
    up = stack.enter_context(hoplon_part(addresses, root))
    up.wait_for(lambda: answers(addresses.status, "/readyz"))
    screen.say(f"hoplon up: gateway, API and worker http://127.0.0.1:{addresses.gateway}")
    crowd = stack.enter_context(Crowd(GUESTS, addresses.gateway))
    return Stage(screen, Installation(root), (shop, up), crowd)


def learn(stage: Stage) -> None:
    """Traffic, until everybody made a whole visit."""
    stage.screen.act(2, "Traffic: ten customers, two administrators, three sensors, and one who is too curious")
    watch(stage, "visitors at work", LEARN_SECONDS, lambda: stage.crowd.visits > 0)
    stage.screen.say(f"{stage.crowd.size:,} requests through the gateway")


def show_operations(stage: Stage) -> list[SavedTemplate]:
    """The table of what Hoplon saw; gives the operations to save: those that several sessions called with success."""
    stage.screen.act(3, "What Hoplon saw, without a line of configuration")
    stage.installation.wait_for_records(stage.crowd.size, PATIENCE_SECONDS)
    found = stage.installation.seen()
    saved = new_operations(found, SESSIONS_TO_SAVE)
    names = {(operation.method, operation.path) for operation in saved}
    seen = found.catalogue.operations
    rows = [(operation, (operation.method, operation.path) in names) for operation in seen[:SHOWN_OPERATIONS]]
    stage.screen.operations(rows)
    if hidden := len(seen) - len(rows):
        stage.screen.say(f"... and {hidden} more")
    stage.screen.say(f"{found.catalogue.unsuccessful:,} requests went to paths that never answered with success")
    return saved


def save(stage: Stage, saved: list[SavedTemplate]) -> None:
    """The seen operations become the policy; what matches none of them is logged."""
    stage.screen.act(4, "A policy: these operations and no others, at first only logged")
    applied = stage.installation.save(saved)
    stage.screen.command("hoplon operations --as-policy -o policy.toml && hoplon policy apply policy.toml")
    stage.screen.say(
        f"{len(saved)} operations saved: all that {SESSIONS_TO_SAVE} sessions or more called with success."
        " One session alone teaches nothing."
    )
    stage.screen.say(f"version {applied.version} took effect after {applied.milliseconds:.0f} ms")


def log_unknown(stage: Stage) -> list[Exchange]:
    """Logged for a while, with the crowd at work; what its members got."""
    since = time.monotonic()
    watch(stage, "logging what matches no operation", CONTRAST_SECONDS, lambda: _all_were_tried(stage, since))
    before = _since(stage, since)
    stage.installation.wait_for_records(stage.crowd.size, PATIENCE_SECONDS)
    return before


def replay_block(stage: Stage) -> None:
    """What the block would have done with all traffic so far; raises when it would have done nothing."""
    stage.screen.act(5, "What a block would have done: replayed, before anybody is blocked")
    stage.screen.command("hoplon replay --policy policy.toml", 'with fallthrough = "block"')
    report = stage.installation.replay_block()
    would, sessions = report.would, report.sessions
    if not would.block:
        raise HoplonError("demo.failed", "the replay found nothing that a block would stop", _LOGS)
    stage.screen.say(
        f"would block {would.block:,} of {report.records:,} requests ({would.block / report.records:.1%}),"
        f" {sessions.block:,} of {sessions.all:,} sessions; the policy of now: {report.present.block:,}"
    )
    stage.screen.say(f"records do not tell for {would.unknown:,} of them; replayed in {report.seconds * 1000:,.0f} ms")


def block_unknown(stage: Stage) -> list[Exchange]:
    """The block is switched on under traffic; what the crowd got from then on."""
    stage.screen.act(6, "Block, while traffic runs on")
    applied = stage.installation.block_unknown()
    stage.screen.command("hoplon policy apply policy.toml", 'with fallthrough = "block"')
    stage.screen.say(f"version {applied.version} took effect after {applied.milliseconds:.0f} ms")
    since = time.monotonic()
    watch(stage, "blocking what matches no operation", CONTRAST_SECONDS, lambda: _all_were_tried(stage, since))
    return _since(stage, since)


def judge(stage: Stage, before: list[Exchange], after: list[Exchange]) -> None:
    """Before and after side by side; raises when a promise was broken."""
    services = {"before": ledger.honest(before), "after": ledger.honest(after)}
    stage.screen.contrast(services, ledger.contrasts(before, after))
    stage.screen.say(
        "Other people's orders can still be read: GET /orders/{id} is saved. Whose order it is, `ownership` will ask."
    )
    if broken := ledger.broken_promises(before, after):
        raise HoplonError("demo.failed", "the demo did not show what it promises: " + "; ".join(broken), _LOGS)


def show_decision(stage: Stage, after: list[Exchange]) -> None:
    """One blocked request, from the client's answer to what was decided about it."""
    stage.screen.act(7, "One blocked request, by its id")
    blocked = ledger.first_blocked(after)
    if not blocked or not blocked.request_id:
        raise HoplonError("demo.failed", "no blocked answer carried a request id", _LOGS)
    stage.screen.say(f"the client asked for {blocked.method} {blocked.path} and got {blocked.status} with this id:")
    stage.screen.command(f"hoplon decisions {blocked.request_id}")
    decision = stage.installation.decision(blocked.request_id, PATIENCE_SECONDS)
    stage.screen.record({name: getattr(decision, name) for name in SHOWN_FIELDS})
    for violation in decision.violations:
        stage.screen.record({"violation": f"{violation.code} at {violation.location}"})


def say_where_to_look(screen: Screen, root: Path) -> None:
    """The last act: everything is stopped, and what can be asked afterwards."""
    screen.act(8, "Where to look further (everything is stopped; the records are kept)")
    screen.command(f"export HOPLON_STATE={root}")
    screen.command("hoplon operations", "seen and saved")
    screen.command(
        "hoplon records query 'SELECT status, count(*) FROM records GROUP BY status'", "SQL over all records"
    )
    screen.command("hoplon decisions --action block", "what was blocked, by which rule, and why")
    screen.command("hoplon policy history && hoplon policy export", "who changed what, and the document")
    screen.command("hoplon api", "Cloudflare's API, for its SDKs: docs/api.md")
    screen.command("hoplon up --upstream http://127.0.0.1:9000", "in front of your own API")
    screen.say("The flaws of the shop and which feature finds each: examples/shop/README.md")


def watch(stage: Stage, label: str, seconds: float, is_enough: Callable[[], bool]) -> None:
    """Let the crowd work for some seconds, and longer until `is_enough`; raises when a part or a visitor fails."""
    begin = time.monotonic()
    with stage.screen.progress(label, seconds) as tick:
        while (elapsed := time.monotonic() - begin) < seconds or not is_enough():
            if elapsed > PATIENCE_SECONDS:
                raise HoplonError("demo.failed", f"traffic stalled while {label}", _LOGS)
            for part in stage.parts:
                part.check()
            stage.crowd.check()
            tick(elapsed, f"{stage.crowd.size:,} requests")
            time.sleep(0.1)


_LOGS = "the logs are in the state directory: shop.log, up.log, logs/"


def _since(stage: Stage, moment: float) -> list[Exchange]:
    return [exchange for exchange in stage.crowd.exchanges if exchange.at >= moment]


def _all_were_tried(stage: Stage, since: float) -> bool:
    return ledger.is_complete(_since(stage, since))


def _empty_folder(state: Path | None) -> Path:
    if state is None:
        return Path(tempfile.mkdtemp(prefix="hoplon-demo-"))
    if state.exists() and (not state.is_dir() or any(state.iterdir())):
        raise HoplonError(
            "demo.state_in_use", f"{state} is not empty", "the demo wants a folder of its own: leave --state away"
        )
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state.absolute()


@contextmanager
def _ending_on_termination() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: by leaving every block, so that nothing is left running."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
