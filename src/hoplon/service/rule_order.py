"""Where a rule goes among others, and which of them a written rule is. Pure; paths of Problems begin at the rule."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from hoplon.errors import HoplonError, Problem
from hoplon.model.rules import Rule, RuleFeature, rule_id


@dataclass(frozen=True, slots=True)
class Position:
    """One of the three: `index` from 1; the id of the rule `before` which or `after` which ("": first, last)."""

    index: int | None = None
    before: str | None = None
    after: str | None = None


def placed(others: Sequence[Rule], rule: Rule, position: Position) -> tuple[Rule, ...]:
    """The other rules with `rule` at its position. Raises `ruleset.invalid`."""
    if [position.index, position.before, position.after].count(None) != 2:
        raise _wrong(".position", "is exactly one of `index`, `before` and `after`")
    at = _index(others, position)
    return (*others[:at], rule, *others[at:])


class KnownRules:
    """The rules that a ruleset has, by id and by ref."""

    def __init__(self, feature: RuleFeature, rules: Sequence[Rule]) -> None:
        self.feature = feature
        self.by_id = {rule.id: rule for rule in rules}
        self.by_ref = {rule.ref: rule for rule in rules}


def identified(written: Rule, old: KnownRules) -> Rule:
    """A written rule with its id and ref: it is the rule of `old` with this id or, without an id, with this ref; else
    it is a new one. An empty id or ref was not given. Raises `ruleset.invalid` for an id that no rule has."""
    if written.id:
        known = old.by_id.get(written.id)
        if known is None:
            raise _wrong(".id", f"the ruleset has no rule `{written.id}`", "leave it out for a new rule")
        return replace(written, ref=written.ref or known.ref)
    if not written.ref:
        fresh = uuid4().hex
        return replace(written, id=fresh, ref=fresh)
    known = old.by_ref.get(written.ref)
    if known is not None:
        return replace(written, id=known.id)
    derived = rule_id(old.feature, written.ref)
    return replace(written, id=uuid4().hex if derived in old.by_id else derived)


def _index(others: Sequence[Rule], position: Position) -> int:
    if position.index is not None:
        if not 1 <= position.index <= len(others) + 1:
            raise _wrong(".position.index", f"is 1 to {len(others) + 1}, not {position.index}")
        return position.index - 1
    if position.before is not None:
        return _found(others, ".position.before", position.before) if position.before else 0
    return _found(others, ".position.after", position.after) + 1 if position.after else len(others)


def _found(others: Sequence[Rule], path: str, rule_id: str) -> int:
    for index, rule in enumerate(others):
        if rule.id == rule_id:
            return index
    raise _wrong(path, f"the ruleset has no other rule `{rule_id}`")


def _wrong(path: str, message: str, hint: str | None = None) -> HoplonError:
    return HoplonError("ruleset.invalid", "nothing was changed", None, (Problem(path, message, hint),))
