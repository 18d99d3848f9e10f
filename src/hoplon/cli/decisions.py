"""`hoplon decisions`: what was logged, blocked, refused or skipped, and why. Thin: what happens is in
`hoplon.service.decisions`."""

import json
from typing import TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option

if TYPE_CHECKING:
    from hoplon.service.decisions import Decision, Decisions

_COLOURS = {"log": "yellow", "block": "red", "refuse": "magenta", "skip": "cyan"}


@click.command()
@click.argument("record_id", metavar="[ID]", required=False)
@click.option(
    "--since", default="24h", show_default=True, metavar="TIME", help="From here on: 15m, 24h, 7d, or a time."
)
@click.option("--until", metavar="TIME", help="Up to here; this moment is not included.")
@click.option("--action", type=click.Choice(["block", "log", "refuse", "skip"]), help="Only this action.")
@click.option("--rule", metavar="ID", help="Only where this rule decided or found something.")
@click.option(
    "--operation", metavar="OPERATION", help="Only this one: its id, path template, or `METHOD /path/{var1}`."
)
@click.option("--violation", metavar="CODE", help="Only with this violation: a code, or the feature it begins with.")
@click.option("--zone", metavar="NAME", help="Only this zone.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="So many of the newest.")
@control_options
@json_option
def decisions(
    record_id: str | None,
    since: str,
    until: str | None,
    action: str | None,
    rule: str | None,
    operation: str | None,
    violation: str | None,
    zone: str | None,
    limit: int,
    where: Where,
    as_json: bool,
) -> None:
    """List the newest requests that were not simply let through, or say everything about the one with this ID.

    ID is what the client got in the header hoplon-request-id.
    """
    from datetime import UTC, datetime

    from hoplon.service.decisions import DecisionFilter
    from hoplon.service.records import parse_moment

    with open_control(where) as control:
        if record_id is not None:
            _show(control.decisions.show(record_id), as_json)
            return
        now = datetime.now(UTC)
        wanted = DecisionFilter(action, rule, operation, violation)
        from_, to = parse_moment(since, now), None if until is None else parse_moment(until, now)
        found = control.decisions.list(wanted, zone, from_, to, limit)
    _list(found, since, as_json)


def _list(found: "Decisions", since: str, as_json: bool) -> None:
    from hoplon.cli.tables import print_table

    for reason in found.skipped:
        click.echo(f"{click.style('warning:', fg='yellow')} not read: {reason}", err=True)
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found.decisions], indent=2, ensure_ascii=False))
    elif not found.decisions:
        click.echo(f"Nothing but plain allow since {since}.")
    else:
        headings = ("when", "action", "status", "request", "why", "id")
        print_table(headings, [_row(each) for each in found.decisions], right=("status",))
    if not found.is_complete:
        click.echo(f"… the newest {len(found.decisions)}; --limit shows more", err=True)


def _row(decision: "Decision") -> tuple[object, ...]:
    path = decision.operation_path or decision.path
    return (
        f"{decision.time:%Y-%m-%d %H:%M:%S}",
        decision.action,
        decision.status,
        f"{decision.method} {decision.host}{path}",
        _why(decision),
        decision.id,
    )


def _why(decision: "Decision") -> str:
    """The rule's name, else its id, and the codes found; where there are none, what failed."""
    rule = decision.rule_name or decision.rule
    codes = ", ".join(dict.fromkeys(each.code for each in decision.violations if each.code != decision.rule))
    return ": ".join(part for part in (rule, codes or ", ".join(decision.failures)) if part)


def _show(decision: "Decision", as_json: bool) -> None:
    from hoplon.cli.tables import print_table

    if as_json:
        click.echo(json.dumps(_as_json(decision), indent=2, ensure_ascii=False))
        return
    click.echo(click.style(_sentence(decision), fg=_COLOURS.get(decision.action), bold=True))
    rows = [(name, value) for name, value in _facts(decision) if value not in (None, "")]
    print_table(("what", "value"), rows)
    for violation in decision.violations:
        rule = violation.rule_name or violation.rule
        by = f" (rule {rule} says {violation.action})" if rule else ""
        click.echo(f"\n{violation.code} at {violation.location}{by}\n  {violation.evidence}")


def _sentence(decision: "Decision") -> str:
    did = {
        "allow": "was let through",
        "log": "was let through and logged",
        "block": "was blocked",
        "refuse": "was refused",
    }
    because = f" by rule {decision.rule_name or decision.rule}" if decision.rule else ""
    return f"{decision.method} {decision.host}{decision.path} {did.get(decision.action, decision.action)}{because}."


def _facts(decision: "Decision") -> list[tuple[str, object]]:
    version = f", version {decision.policy_version} of its policy" if decision.policy_version else ""
    return [
        ("id", decision.id),
        ("when", f"{decision.time:%Y-%m-%d %H:%M:%S.%f} UTC"),
        ("zone", f"{decision.zone_name or decision.zone_id}{version}" if decision.zone_id else ""),
        ("operation", f"{decision.method} {decision.operation_path}" if decision.operation_path else "matches none"),
        ("status", decision.status),
        ("mode", decision.mode),
        ("rule", f"{decision.rule} ({decision.rule_name})" if decision.rule_name else decision.rule),
        ("session", f"{decision.session} by {decision.session_source}" if decision.session else ""),
        ("client", decision.client),
        ("checks that failed", ", ".join(decision.failures)),
        ("bundle", decision.bundle),
    ]


def _as_json(decision: "Decision") -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(decision), "time": decision.time.isoformat()}
