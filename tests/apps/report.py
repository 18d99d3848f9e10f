"""From two runs of one application to a report: every difference, and how much of its description was seen. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from apps import comparison
from apps.applications import Application
from apps.comparison import Run
from apps.descriptions import Description, Operation, fit

ERRORS = 400


@dataclass(frozen=True, slots=True)
class Written:
    """What Hoplon wrote down of a run: its records, and the operations it saw."""

    records: tuple[dict[str, Any], ...]
    operations: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run with the application's own description; `written` is missing in a direct run."""

    run: Run
    description: Description
    faults: tuple[str, ...]
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the comparison of one application gave; `problems` empty means that nothing differs.

    `fits` counts the operations that Hoplon saw by how they stand to the description: same, narrower (listed in
    `narrower`), wider, unknown.
    """

    application: str
    requests: int
    upgrades: int
    described: int
    exercised: int
    succeeded: int
    undescribed: dict[str, str]
    fits: dict[str, int] = field(default_factory=dict)
    narrower: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def judge(application: Application, direct: Outcome, through: Outcome) -> Report:
    """Every way in which the second run differs from the first, and Hoplon's view from what passed."""
    exercised = _exercised(through)
    problems = [*direct.faults, *through.faults, *_undescribed_requests(through)]
    problems += comparison.differences(_seen(direct), _seen(through))
    problems += comparison.line_differences(direct.run, through.run)
    problems += comparison.header_differences(direct.description, direct.run, through.run)
    fits, narrower = Counter[str](), list[str]()
    if through.written:
        problems += _record_differences(through, through.written)
        fits, narrower, misfits = _judge_operations(through.description, through.written, _exercised(through, ERRORS))
        problems += misfits
    return Report(
        application=application.name,
        requests=len(through.run.exchanges),
        upgrades=sum(exchange.status == 101 for exchange in through.run.exchanges),
        described=len(through.description.described),
        exercised=len(exercised & through.description.described),
        succeeded=len(_exercised(through, ERRORS) & through.description.described),
        undescribed={f"{o.method} {o.template}": why for o, why in application.undescribed.items() if o in exercised},
        fits=dict(fits),
        narrower=tuple(narrower),
        problems=tuple(problems),
    )


def as_text(report: Report) -> str:
    """The report as lines for a person."""
    lines = [
        f"{report.application}: {report.requests} requests, {report.upgrades} upgraded connections",
        (
            f"  {report.described} operations described, {report.exercised} of them called by its own client,"
            f" {report.succeeded} with success"
        ),
        *(f"  called, but not described: {operation} ({why})" for operation, why in report.undescribed.items()),
        *(f"  seen by Hoplon: {count} {kind}" for kind, count in sorted(report.fits.items())),
        *(f"    narrower than described: {operation}" for operation in report.narrower),
        *(f"  DIFFERS  {problem}" for problem in report.problems),
        f"  {len(report.problems) or 'no'} difference{'s' * (len(report.problems) != 1)}",
    ]
    return "\n".join(lines)


def _seen(outcome: Outcome) -> comparison.Seen:
    return comparison.exchanges_seen(outcome.description, outcome.run)


def _exercised(outcome: Outcome, below_status: int = 1000) -> set[Operation]:
    """The operations called, with a status below the given one."""
    exchanges = [each for each in outcome.run.exchanges if each.status < below_status]
    used = {outcome.description.operation_of(each.method, each.target) for each in exchanges}
    return {operation for operation in used if operation}


def _undescribed_requests(outcome: Outcome) -> list[str]:
    asked = {(exchange.method, exchange.target) for exchange in outcome.run.exchanges}
    return [f"in no description: {m} {t}" for m, t in sorted(asked) if not outcome.description.operation_of(m, t)]


def _record_differences(outcome: Outcome, written: Written) -> list[str]:
    """The records must name exactly the exchanges that the tap saw."""
    triples = ((record["method"], record["path"], record["status"]) for record in written.records)
    recorded = comparison.seen_of(outcome.description, triples)
    return [f"records: {line}" for line in comparison.differences(_seen(outcome), recorded)]


def _judge_operations(
    description: Description, written: Written, called: set[Operation]
) -> tuple[Counter[str], list[str], list[str]]:
    """How the seen operations fit: counts, those that are narrower, and what is wrong."""
    counts, narrower, problems = Counter[str](), [], []
    found = set()
    for seen in written.operations:
        kind, operation = fit(description, seen["method"], seen["path"])
        counts[kind] += 1
        name = f"{seen['method']} {seen['path']}"
        if kind == "narrower":
            narrower.append(name)
        elif kind != "same":
            problems.append(f"seen operation {name}: {kind}" + (f" than {operation.template}" if operation else ""))
        found.add(operation)
    problems += [f"called with success, but not seen: {o.method} {o.template}" for o in sorted(called - found, key=str)]
    return counts, narrower, problems
