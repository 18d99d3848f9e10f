"""A replay's report for people: how much would be stopped, by which rule, and what records cannot tell."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hoplon.service.replay_report import ReplayReport, RuleEffect

SHOWN_RULES = 20
_SKIPPED = {
    "refused": "were refused as HTTP, whatever the policy says",
    "unanswered": "got no answer",
    "elsewhere": "go to a host that is not this zone's any more",
}


def show_report(report: "ReplayReport", document: str) -> None:
    """Print it; `document` is what the new policy is called."""
    for sentence in _sentences(report, document):
        click.echo(sentence)
    if report.rules:
        click.echo()
        _show_rules(report.rules)
    if ids := report.examples.get("block"):
        click.echo(f"\nfor example: {', '.join(ids)}\n(`hoplon records show ID` tells everything about one)")


def no_records(report: "ReplayReport") -> bool:
    """Whether there was nothing to replay."""
    return report.records == 0


def _sentences(report: "ReplayReport", document: str) -> Iterator[str]:
    newest = "" if report.records == report.stored else f" (the newest of {report.stored:,})"
    span = (
        f", {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC" if report.since and report.until else ""
    )
    yield f"{report.records:,} stored requests of zone {report.zone_name}{newest}{span}, under {document}:"
    yield _would(report, "block", "red")
    yield _would(report, "log", "yellow")
    if report.newly_blocked or report.no_longer_blocked:
        passed = f"{report.newly_blocked:,} of those blocked passed when they came"
        yield f"  {passed}; {report.no_longer_blocked:,} were blocked then and would pass"
    yield from _unknown(report)


def _would(report: "ReplayReport", word: str, colour: str) -> str:
    count, now, sessions = (getattr(each, word) for each in (report.would, report.present, report.sessions))
    at_least = "" if report.sessions.is_exact else "at least "
    share = f"{count:,} of {report.records:,} requests ({_percent(count, report.records)})"
    of = f"{at_least}{sessions:,} of {report.sessions.all:,} sessions"
    return f"  would {click.style(word, fg=colour)} {share}, {of}; the policy of now: {now:,}"


def _unknown(report: "ReplayReport") -> Iterator[str]:
    """What the answer leaves out."""
    if unknown := report.would.unknown:
        facts = ", ".join(f"{fact} ({count:,})" for fact, count in _most(report.unknown_facts))
        said = click.style("cannot tell", bold=True)
        yield f"  {said} for {unknown:,} ({_percent(unknown, report.records)}), records do not hold: {facts}"
    for reason, count in _most(report.skipped):
        if count:
            yield f"  not judged: {count:,} {_SKIPPED.get(reason, reason)}"
    for reason in report.unread:
        yield f"  not read: {reason}"


def _show_rules(rules: "tuple[RuleEffect, ...]") -> None:
    from hoplon.cli.tables import print_table

    headings = ("rule", "action", "operation", "matched", "now", "decided", "cannot tell", "sessions")
    print_table(headings, [_row(rule) for rule in rules[:SHOWN_RULES]], right=headings[3:])
    if len(rules) > SHOWN_RULES:
        click.echo(f"… and {len(rules) - SHOWN_RULES} more: --json has them all")


def _row(rule: "RuleEffect") -> tuple[object, ...]:
    operation = f"{rule.method} {rule.operation_path}" if rule.operation_path else "none"
    counts = (rule.matched, rule.present, rule.decided, rule.unknown, rule.sessions)
    return (rule.rule_name or rule.rule, rule.action, operation, *(f"{count:,}" for count in counts))


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _percent(part: int, whole: int) -> str:
    """With as many digits as it takes to tell it from none and from all."""
    share = 100 * part / whole if whole else 0.0
    return f"{share:.2f} %" if part in (0, whole) or 0.01 <= share <= 99.99 else f"{share:.2g} %"
