"""Points in time as people write them: RFC 3339, a date, or a span (`90d`) before or after now."""

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(\d{1,5})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_ahead(text: str, now: datetime) -> datetime:
    """`90d` as so long after `now`; else what `moment_of` makes of it."""
    span = _span(text)
    return moment_of(text) if span is None else now + span


def moment_ago(text: str, now: datetime) -> datetime:
    """`90d` as so long before `now`; else what `moment_of` makes of it."""
    span = _span(text)
    return moment_of(text) if span is None else now - span


def moment_of(text: str) -> datetime:
    """A date (its midnight) or a date and time; UTC where nothing else is said. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        example = "for example 90d, 2027-01-31 or 2027-01-31T12:00:00Z"
        raise ValueError(f"`{text[:40]}` is no point in time, {example}") from None
    try:
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"`{text[:40]}` is out of range") from None


def _span(text: str) -> timedelta | None:
    match = _SPAN.fullmatch(text.strip())
    return None if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})
