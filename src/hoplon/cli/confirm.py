"""What `hoplon policy apply` shows before it asks: what changes, and what that would have done with stored requests."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from hoplon.cli.policy import show_changes, show_unified
from hoplon.errors import HoplonError

if TYPE_CHECKING:
    from hoplon.cli.control import Control

MAX_RECORDS = 1_000_000
"""So many of the newest requests are replayed before asking: some seconds; `hoplon replay` takes all of them."""
NO_REPLAY = "off"


@dataclass(frozen=True, slots=True)
class Asked:
    """The document that shall be applied. `since`: how far back requests are replayed; `off`: none are."""

    text: str
    origin: str
    zone: str | None
    since: str
    can_ask: bool


def is_wanted(control: "Control", asked: Asked, create: bool) -> bool:
    """Whether to go on: nothing changes, or somebody said yes to what does. A zone that is created is not asked about.

    Raises `policy.unconfirmed` where nobody can be asked.
    """
    try:
        difference = control.policy.diff(asked.text, asked.origin, asked.zone)
    except HoplonError as error:
        if create and error.code == "state.missing":
            return True
        raise
    if difference.is_new or not difference.changes:
        return True
    if not asked.can_ask:
        message = (
            f"this changes the policy of zone {difference.zone_name}, and nobody can be asked here; nothing was changed"
        )
        hint = "--yes applies it; `hoplon policy diff` shows the change, `hoplon replay --policy` its effect"
        raise HoplonError("policy.unconfirmed", message, hint)
    show_changes(difference.changes, "")
    show_unified(difference.unified)
    click.echo()
    _show_replay(control, asked)
    return click.confirm(f"\nApply this to zone {difference.zone_name}?")


def _show_replay(control: "Control", asked: Asked) -> None:
    """The replay, or one sentence on why there is none: that is no reason not to be asked."""
    from datetime import UTC, datetime

    from hoplon.cli.replay import progress_bar
    from hoplon.cli.replay_report import no_records, show_report
    from hoplon.service.records import parse_moment
    from hoplon.service.replay import ReplayBounds

    if asked.since == NO_REPLAY:
        return
    since, bounds = parse_moment(asked.since, datetime.now(UTC)), ReplayBounds(MAX_RECORDS, seconds=60.0)
    try:
        with progress_bar("replaying stored requests") as on_progress:
            report = control.replays.run(asked.text, asked.origin, asked.zone, since, None, bounds, on_progress)
    except HoplonError as error:
        click.echo(f"What it would have done with stored requests is not known: {error.message}.")
        return
    if no_records(report):
        click.echo(f"There are no stored requests since {asked.since} to try it on.")
    else:
        show_report(report, asked.origin)
