"""Tokens: made once, found by their secret, changed, rolled, revoked; and never more than their maker has."""

import re
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.api_token import ANY, AddressCondition, ApiToken, Resource, TokenPolicy, may, parse_network
from hoplon.model.audit import AuditFilter
from hoplon.model.permissions import GROUPS, group_named
from hoplon.service.audit import list_audit
from hoplon.service.policy import create_first_zone
from hoplon.service.token_secret import is_secret, new_secret, secret_hash
from hoplon.service.token_wishes import TokenWish, spec_of_wish
from hoplon.service.tokens import (
    TokenSpec,
    change_token_to,
    choose_token,
    create_token,
    ensure_first_token,
    find_token,
    get_token,
    list_tokens,
    revoke_token,
    roll_token,
)
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage.database import reading
from hoplon.storage.policies import all_zones, the_account
from hoplon.storage.tables import tokens as tokens_table

NOBODY = Actor("user", "tester", "tester")


def make(
    workspace: Workspace, *permissions: str, holder: ApiToken | None = None, **wish: object
) -> tuple[ApiToken, str]:
    spec = spec_of_wish(workspace, TokenWish("made", permissions, **wish))  # type: ignore[arg-type]
    return create_token(workspace, NOBODY, spec, holder)


def spec_of(token: ApiToken) -> TokenSpec:
    return TokenSpec(token.name, token.policies, token.condition, token.not_before, token.expires_on)


def chosen(workspace: Workspace, name_or_id: str) -> ApiToken:
    return choose_token(list_tokens(workspace).items, name_or_id)


def code_of(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(HoplonError) as caught:
        call(*arguments)
    return caught.value.code


def zone_id(workspace: Workspace) -> str:
    create_first_zone(workspace, "http://127.0.0.1:9")
    with reading(workspace.database) as connection:
        return all_zones(connection)[0].id


def test_a_secret_is_recognised_by_its_form_and_its_check() -> None:
    secret = new_secret()
    assert re.fullmatch(r"hoplon_[0-9A-Za-z]{49}", secret)
    assert is_secret(secret)
    flipped = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]
    assert not any(map(is_secret, (flipped, secret[:-1], secret + "x", "", "hoplon_", "é" * 56, "\ud800" * 56)))
    assert len({new_secret() for _ in range(1000)}) == 1000


def test_only_the_hash_of_a_secret_is_kept(workspace: Workspace) -> None:
    token, secret = make(workspace)
    assert find_token(workspace, secret) == get_token(workspace, token.id) == token
    with reading(workspace.database) as connection:
        row = connection.execute(tokens_table.select()).one()
    assert row.secret_hash == secret_hash(secret)
    assert secret not in str(row)
    assert find_token(workspace, new_secret()) is None
    assert find_token(workspace, "nonsense") is None


def test_without_wishes_a_token_may_everything_and_with_a_zone_everything_there(workspace: Workspace) -> None:
    zone = zone_id(workspace)
    with reading(workspace.database) as connection:
        account = the_account(connection).id
    token, _ = make(workspace)
    assert all(may(token.policies, group, account, ANY) for group in GROUPS)
    narrow, _ = make(workspace, zones=("default",))
    allowed = {group.name for group in GROUPS if may(narrow.policies, group, account, zone)}
    assert allowed == {"API Gateway Read", "API Gateway Write", "Zone Read", "Zone Write"}
    assert not any(may(narrow.policies, group, account, ANY) for group in GROUPS)
    mixed, _ = make(workspace, "Zone Read", "Audit Logs Read", zones=(zone,))
    assert may(mixed.policies, group_named("Audit Logs Read"), account)
    assert not may(mixed.policies, group_named("Zone Read"), account, ANY)


@pytest.mark.parametrize(
    "wish",
    [
        TokenWish(" "),
        TokenWish("x" * 121),
        TokenWish("bell\a"),
        TokenWish("x", ("Nothing Read",)),
        TokenWish("x", zones=("nowhere",)),
        TokenWish("x", expires="soon"),
        TokenWish("x", expires="1h", not_before="2h"),
        TokenWish("x", allowed=("here",)),
        TokenWish("x", ("Zone Read",), is_gateway=True),
    ],
)
def test_words_that_mean_nothing_make_no_token(workspace: Workspace, wish: TokenWish) -> None:
    assert code_of(lambda: create_token(workspace, NOBODY, spec_of_wish(workspace, wish), None)) == "token.invalid"
    assert list_tokens(workspace).total == 0


def test_a_gateway_gets_bundles_and_nothing_else(workspace: Workspace) -> None:
    token, _ = make(workspace, is_gateway=True)
    assert (token.kind, [group.name for policy in token.policies for group in policy.groups]) == (
        "gateway",
        ["Hoplon Gateway"],
    )


def test_a_rolled_token_has_another_secret_and_is_the_same_otherwise(workspace: Workspace) -> None:
    token, old = make(workspace)
    new = roll_token(workspace, NOBODY, token.id, None)
    found = find_token(workspace, new)
    assert found is not None
    assert replace(found, modified_on=token.modified_on) == token
    assert find_token(workspace, old) is None


def test_revoking_acts_at_once_in_another_process(workspace: Workspace) -> None:
    token, secret = make(workspace)
    with open_workspace(workspace.state.root) as other:
        revoke_token(other, NOBODY, token.id)
    assert find_token(workspace, secret) is None
    assert code_of(get_token, workspace, token.id) == "token.unknown"
    assert code_of(revoke_token, workspace, NOBODY, token.id) == "token.unknown"


def test_tokens_are_listed_in_pages_with_or_without_the_expired(workspace: Workspace) -> None:
    made = [make(workspace)[0].id for _ in range(3)]
    old, _ = create_token(
        workspace, NOBODY, replace(spec_of(make(workspace)[0]), expires_on=datetime.now(UTC) - timedelta(1)), None
    )
    page = list_tokens(workspace, page=2, per_page=2, direction="asc")
    assert (page.total, page.items[0].id) == (5, made[2])
    alive = list_tokens(workspace, with_expired=False)
    assert (alive.total, old.id in {token.id for token in alive.items}) == (4, False)


def test_a_name_names_one_token_or_none(workspace: Workspace) -> None:
    token, _ = make(workspace)
    assert chosen(workspace, "made") == chosen(workspace, token.id) == token
    make(workspace)
    assert code_of(chosen, workspace, "made") == "token.ambiguous"
    assert code_of(chosen, workspace, "else") == "token.unknown"


def test_nobody_makes_changes_or_rolls_a_token_that_may_more(workspace: Workspace) -> None:
    zone_id(workspace)
    strong, _ = make(workspace)
    weak, _ = make(workspace, "API Tokens Write", "Zone Read")
    other, _ = make(workspace, "Zone Read", holder=weak)
    assert code_of(lambda: make(workspace, "Zone Write", holder=weak)) == "token.excess"
    assert code_of(lambda: make(workspace, holder=weak)) == "token.excess"
    assert code_of(roll_token, workspace, NOBODY, strong.id, weak) == "token.excess"
    assert code_of(change_token_to, workspace, NOBODY, other.id, spec_of(strong), weak) == "token.excess"
    assert code_of(change_token_to, workspace, NOBODY, strong.id, spec_of(strong), weak) == "token.excess"
    assert roll_token(workspace, NOBODY, other.id, weak)
    assert change_token_to(workspace, NOBODY, other.id, replace(spec_of(other), name="new"), weak).name == "new"


def test_neither_time_nor_addresses_can_be_widened(workspace: Workspace) -> None:
    holder, _ = make(workspace, "API Tokens Write", "Zone Read", expires="1h", allowed=("10.0.0.0/8",))
    assert code_of(lambda: make(workspace, "Zone Read", holder=holder, allowed=("10.1.0.0/16",))) == "token.excess"
    assert code_of(lambda: make(workspace, "Zone Read", holder=holder, expires="30m")) == "token.excess"
    longer = {"expires": "2h", "allowed": ("10.1.0.0/16",)}
    assert code_of(lambda: make(workspace, "Zone Read", holder=holder, **longer)) == "token.excess"
    made, _ = make(workspace, "Zone Read", holder=holder, expires="30m", allowed=("10.1.0.0/16",))
    assert made.condition == AddressCondition((parse_network("10.1.0.0/16"),))


def test_a_holder_that_has_been_revoked_meanwhile_gives_nothing(workspace: Workspace) -> None:
    holder, _ = make(workspace)
    revoke_token(workspace, NOBODY, holder.id)
    assert code_of(lambda: make(workspace, "Zone Read", holder=holder)) == "auth.invalid"


def test_a_zone_that_the_holder_cannot_see_does_not_exist_for_him(workspace: Workspace) -> None:
    zone = zone_id(workspace)
    holder, _ = make(workspace, "API Tokens Write", "Audit Logs Read")
    messages = []
    for each in (zone, "f" * 32):
        policy = TokenPolicy("p" * 32, "allow", (Resource(zone=each),), (group_named("Zone Read"),))
        with pytest.raises(HoplonError) as caught:
            create_token(workspace, NOBODY, TokenSpec("x", (policy,)), holder)
        messages.append((caught.value.code, [str(each) for each in caught.value.problems]))
    assert messages[0] == (messages[1][0], [text.replace("f" * 32, zone) for text in messages[1][1]])


def test_the_first_start_makes_one_token_and_says_where(workspace: Workspace) -> None:
    path = ensure_first_token(workspace)
    assert path == workspace.state.api_token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = find_token(workspace, path.read_text().strip())
    assert token is not None
    assert {group.name for policy in token.policies for group in policy.groups} == {group.name for group in GROUPS}
    before = path.read_text()
    assert ensure_first_token(workspace) is None
    assert path.read_text() == before


def test_a_crash_between_file_and_commit_is_made_good_by_the_next_start(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hoplon.service import tokens

    def crash(path: object, content: bytes) -> None:
        workspace.state.api_token.write_bytes(content)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tokens, "replace_file", crash)
        with pytest.raises(KeyboardInterrupt):
            ensure_first_token(workspace)
    assert find_token(workspace, workspace.state.api_token.read_text().strip()) is None
    assert ensure_first_token(workspace) is not None
    assert find_token(workspace, workspace.state.api_token.read_text().strip()) is not None


def test_every_change_of_a_token_is_in_the_audit_log_without_its_secret(workspace: Workspace) -> None:
    token, secret = make(workspace)
    rolled = roll_token(workspace, NOBODY, token.id, None)
    change_token_to(workspace, NOBODY, token.id, spec_of(token), None)
    revoke_token(workspace, NOBODY, token.id)
    found = list_audit(workspace, AuditFilter(direction="asc"), per_page=50).items
    assert [each.action for each in found if each.resource_id == token.id] == ["create", "roll", "update", "delete"]
    assert secret not in repr(found)
    assert rolled not in repr(found)
