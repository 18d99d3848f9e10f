"""Token configurations of a zone: which tokens are accepted, with whose keys. Rules are in `service.token_rules`.

A pasted secret is stored apart under the installation key, in the transaction of the change; the policy names its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.key_sets import KeySet
from hoplon.model.versioned import Versioned
from hoplon.service.changes import ZoneChange, changing_zone, check_written, known_zone
from hoplon.service.secrets import put_secret_with
from hoplon.service.stores import load_policy, store_of
from hoplon.service.token_store import SECRET_KIND, secret_name
from hoplon.service.token_use import uses_of
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading
from hoplon.storage.key_sets import all_key_sets, make_due
from hoplon.tokens.check import one_configuration_problems, unknown_configuration
from hoplon.tokens.keys import Intake, Key, Note, take_keys
from hoplon.tokens.model import MAX_CONFIGURATIONS, TokenConfiguration, TokensPolicy, find_configuration

TOKENS = "tokens"
Jwks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ShownConfiguration:
    """A configuration with the keys that are in use; `key_set` says how fetching them goes, None for pasted ones."""

    configuration: TokenConfiguration
    key_set: KeySet | None = None

    @property
    def jwks(self) -> list[dict[str, str]]:
        """Its keys as JWKs, without any secret."""
        if self.key_set is None:
            return [key.as_jwk() for key in self.configuration.keys]
        return [dict(key) for key in self.key_set.keys or ()]


@dataclass(frozen=True, slots=True)
class Changed:
    """A configuration as it is after a change, what was done to its keys, and the zone's version."""

    shown: ShownConfiguration
    notes: tuple[Note, ...]
    version: int


def list_configurations(workspace: Workspace, zone_id: str) -> Versioned[list[ShownConfiguration]]:
    """The configurations in the order of their making. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        policy: TokensPolicy = store_of(TOKENS).load(connection, zone_id)
        sets = {each.configuration_id: each for each in all_key_sets(connection, zone_id)}
    shown = [ShownConfiguration(each, sets.get(each.id)) for each in policy.configurations]
    return Versioned(shown, zone.version)


def get_configuration(workspace: Workspace, zone_id: str, identity: str) -> Versioned[ShownConfiguration]:
    """One configuration. Raises `zone.unknown`, `token_configuration.unknown`."""
    found = list_configurations(workspace, zone_id)
    for shown in found.value:
        if shown.configuration.id == identity:
            return Versioned(shown, found.version)
    raise _unknown(identity, [shown.configuration.id for shown in found.value])


def add_configuration(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    wanted: Mapping[str, Any],
    jwks: Jwks | None = None,
    if_match: int | None = None,
) -> Changed:
    """Add a configuration: `wanted` has members of `TokenConfiguration`, `jwks` the keys where no URL is named; where
    problems are about keys they stand at `credentials.keys`.

    Raises `token_configuration.invalid` with every problem, `token_configuration.too_many`, `zone.unknown`,
    `precondition.failed`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        if len(policy.configurations) >= MAX_CONFIGURATIONS:
            message = f"a zone has at most {MAX_CONFIGURATIONS} token configurations; nothing was changed"
            raise HoplonError("token_configuration.too_many", message, "remove one that no rule names any more")
        intake = take_keys(jwks or (), "credentials.keys") if wanted.get("jwks_url") is None else Intake()
        _refuse(intake.problems)
        new = TokenConfiguration(**{"id": str(uuid4()), **wanted})
        if find_configuration(policy.configurations, new.id):
            _refuse([Problem("id", f"there already is a token configuration `{new.id}`", "leave it out for a new one")])
        new = replace(new, keys=_with_secrets(workspace, change, new.id, intake))
        _save(workspace, change, replace(policy, configurations=(*policy.configurations, new)), new)
        change.describe(f"adds token configuration {new}")
        change.audit("create", "token_configuration", new.id, _audited(new))
        return _changed(change, new.id, intake.notes)


def edit_configuration(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    identity: str,
    changes: Mapping[str, Any],
    if_match: int | None = None,
) -> Changed:
    """Change members of a configuration, all but its id and keys; a `jwks_url` takes the place of pasted keys.

    Raises as `add_configuration` does, and `token_configuration.unknown`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        old = _found(policy, identity)
        new = replace(old, **changes)
        if new.jwks_url is not None:
            new = replace(new, keys=())
        if new != old:
            _replace(workspace, change, policy, new)
        return _changed(change, identity, ())


def replace_keys(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    identity: str,
    jwks: Jwks,
    *,
    keeps_secrets: bool,
    if_match: int | None = None,
) -> Changed:
    """Make these the keys of a configuration. With `keeps_secrets` an HMAC key may leave `k` out to keep the secret of
    the key with the same `alg` and `kid`; others must bring it. Raises as `edit_configuration` does."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        old = _found(policy, identity)
        if old.jwks_url is not None:
            message = "the keys of this configuration are fetched from its URL"
            raise HoplonError(
                "token_configuration.invalid", message, "change its `jwks_url` instead (`hoplon tokens edit`)"
            )
        intake = take_keys([_pasted(each) for each in jwks], "keys", stored=old.keys if keeps_secrets else ())
        _refuse(intake.problems)
        new = replace(old, keys=_with_secrets(workspace, change, identity, intake))
        if new != old:
            _replace(workspace, change, policy, new)
        return _changed(change, identity, intake.notes)


def remove_configuration(
    workspace: Workspace, actor: Actor, zone_id: str, identity: str, if_match: int | None = None
) -> int:
    """Remove a configuration; gives the zone's version. Raises `token_configuration.in_use` with everything that names
    it, `token_configuration.unknown`, `zone.unknown`, `precondition.failed`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        whole = load_policy(change.connection, zone_id)
        policy: TokensPolicy = whole.features[TOKENS]
        old = _found(policy, identity)
        if uses := uses_of(whole, identity):
            message = f"token configuration {old} is in use: {'; '.join(uses[:5])}; nothing was changed"
            raise HoplonError("token_configuration.in_use", message, "change these first")
        kept = tuple(each for each in policy.configurations if each.id != identity)
        change.save(TOKENS, replace(policy, configurations=kept))
        change.describe(f"removes token configuration {old}")
        change.audit("delete", "token_configuration", identity, _audited(old))
        return change.new_version


def refresh_keys(workspace: Workspace, actor: Actor, zone_id: str, identity: str) -> ShownConfiguration:
    """Have the worker fetch the keys of a configuration now. Raises `token_configuration.unknown`, and `.invalid` where
    keys are pasted."""
    with changing_zone(workspace, actor, zone_id) as change:
        shown = _shown(change, identity)
        if shown.key_set is None:
            message = f"the keys of token configuration {shown.configuration} are pasted, not fetched"
            raise HoplonError("token_configuration.invalid", message, "`hoplon tokens keys set` replaces them")
        make_due(change.connection, zone_id, identity, change.now)
        change.keeps_rows = True
    return shown


def _pasted(jwk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without a secret's id: only documents name one."""
    return {name: value for name, value in jwk.items() if name != "secret"}


def _with_secrets(workspace: Workspace, change: ZoneChange, identity: str, intake: Intake) -> tuple[Key, ...]:
    """The keys, each secret that came with one stored."""

    def stored(key: Key) -> Key:
        secret = intake.material.get(key.identity)
        if secret is None:
            return key
        name = secret_name(change.zone_id, identity, key.kid)
        return replace(
            key, secret=put_secret_with(change.connection, workspace, change.actor, SECRET_KIND, name, secret)
        )

    return tuple(stored(key) for key in intake.keys)


def _replace(workspace: Workspace, change: ZoneChange, policy: TokensPolicy, new: TokenConfiguration) -> None:
    configurations = tuple(new if each.id == new.id else each for each in policy.configurations)
    _save(workspace, change, replace(policy, configurations=configurations), new)
    change.describe(f"changes token configuration {new}")
    change.audit("update", "token_configuration", new.id, _audited(new))


def _save(workspace: Workspace, change: ZoneChange, policy: TokensPolicy, new: TokenConfiguration) -> None:
    _refuse(one_configuration_problems(new, ""))
    check_written(workspace, change.load_zone(), {TOKENS: policy})
    change.save(TOKENS, policy)


def _changed(change: ZoneChange, identity: str, notes: tuple[Note, ...]) -> Changed:
    version = change.new_version if change.changes else change.old_version
    return Changed(_shown(change, identity), notes, version)


def _shown(change: ZoneChange, identity: str) -> ShownConfiguration:
    sets = {each.configuration_id: each for each in all_key_sets(change.connection, change.zone_id)}
    return ShownConfiguration(_found(change.load(TOKENS), identity), sets.get(identity))


def _found(policy: TokensPolicy, identity: str) -> TokenConfiguration:
    found = find_configuration(policy.configurations, identity)
    if found is None:
        raise _unknown(identity, policy.configuration_ids)
    return found


def _audited(each: TokenConfiguration) -> dict[str, Any]:
    """What the audit log says of it: keys by name, no member of them."""
    keys = each.jwks_url if each.jwks_url is not None else [str(key) for key in each.keys]
    return {"title": each.title, "token_sources": list(each.token_sources), "keys": keys}


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        message = "the token configuration cannot be taken; nothing was changed"
        raise HoplonError("token_configuration.invalid", message, None, tuple(problems))


def _unknown(identity: str, known: Sequence[str]) -> HoplonError:
    return HoplonError("token_configuration.unknown", *unknown_configuration(identity, known))
