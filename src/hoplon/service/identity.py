"""A zone's session identifiers: read, and replaced as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from hoplon.errors import HoplonError, Problem
from hoplon.identity.policy import (
    Identifier,
    IdentityPolicy,
    check_identifiers,
    claim_problems,
    describe_identifiers,
)
from hoplon.model.actor import Actor
from hoplon.service.changes import changing_zone, check_written, known_zone
from hoplon.service.stores import store_of
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading

IDENTITY = "identity"
TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of a zone in the order in which they are asked, and the zone's version."""

    identifiers: tuple[Identifier, ...]
    version: int


def get_identifiers(workspace: Workspace, zone_id: str) -> Identifiers:
    """What the zone's policy says. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        policy: IdentityPolicy = store_of(IDENTITY).load(connection, zone_id)
    return Identifiers(policy.identifiers, zone.version)


def set_identifiers(
    workspace: Workspace, actor: Actor, zone_id: str, identifiers: Sequence[Identifier], if_match: int | None = None
) -> Identifiers:
    """Replace them all. Raises `identity.invalid` with every problem, `zone.unknown`, `precondition.failed`."""
    _refuse(check_identifiers(identifiers, "auth_id_characteristics"))
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        old: IdentityPolicy = change.load(IDENTITY)
        new = IdentityPolicy(tuple(identifiers))
        tokens = change.load(TOKENS)
        _refuse(claim_problems(new.identifiers, tokens.configuration_ids, "auth_id_characteristics"))
        sentences = describe_identifiers(old.identifiers, new.identifiers)
        if not sentences:
            return Identifiers(new.identifiers, change.old_version)
        check_written(workspace, change.load_zone(), {IDENTITY: new, TOKENS: tokens})
        change.save(IDENTITY, new)
        change.describe(*sentences)
        change.audit("update", "configuration", zone_id, {"identifiers": [str(each) for each in new.identifiers]})
        version = change.new_version
    return Identifiers(new.identifiers, version)


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise HoplonError("identity.invalid", "nothing was changed", None, tuple(problems))
