"""Authorization on claims: who may use which operation. Read, and replaced as a whole."""

from collections.abc import Sequence
from dataclasses import replace

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.versioned import Versioned
from hoplon.service.agreement import authorization_problems as unsaved
from hoplon.service.changes import changing_zone, check_written, known_zone
from hoplon.service.stores import store_of
from hoplon.service.token_validation import TOKENS
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading
from hoplon.tokens.check import authorization_problems
from hoplon.tokens.model import Authorization, TokensPolicy


def get_authorization(workspace: Workspace, zone_id: str) -> Versioned[list[Authorization]]:
    """The conditions in the order of the policy. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        policy: TokensPolicy = store_of(TOKENS).load(connection, zone_id)
    return Versioned(list(policy.authorization), zone.version)


def set_authorization(
    workspace: Workspace, actor: Actor, zone_id: str, wanted: Sequence[Authorization], if_match: int | None = None
) -> Versioned[list[Authorization]]:
    """Replace them all. Raises `token_authorization.invalid` with every problem, `zone.unknown`,
    `precondition.failed`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        new = replace(policy, authorization=tuple(wanted))
        operations = change.load("operations")
        problems = [*authorization_problems(new), *unsaved(new, {each.id for each in operations.saved})]
        if problems:
            message = "the authorization cannot be taken; nothing was changed"
            placed = (replace(each, path=each.path.removeprefix("tokens.authorization")) for each in problems)
            raise HoplonError("token_authorization.invalid", message, None, tuple(placed))
        if new == policy:
            return Versioned(list(wanted), change.old_version)
        check_written(workspace, change.load_zone(), {"operations": operations, TOKENS: new})
        change.save(TOKENS, new)
        change.describe(*_sentences(policy, new))
        change.audit("update", "token_authorization", zone_id, {"conditions": [str(each) for each in wanted[:20]]})
        version = change.new_version
    return Versioned(list(wanted), version)


def _sentences(old: TokensPolicy, new: TokensPolicy) -> list[str]:
    gone = [f"removes authorization of {each}" for each in old.authorization if each not in new.authorization]
    come = [f"adds authorization of {each}" for each in new.authorization if each not in old.authorization]
    return [*gone, *come] or ["changes the order of authorization"]
