"""What a token may do, when, and from where; and that nobody hands on more than he has."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.model.api_token import (
    ANY,
    AddressCondition,
    ApiToken,
    Resource,
    TokenPolicy,
    excess,
    is_condition_within,
    may,
    may_somewhere,
    parse_network,
    refusal,
    sees,
)
from hoplon.model.permissions import GROUPS, group_named

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACCOUNT, OWN, FOREIGN = "a" * 32, "b" * 32, "c" * 32
EVERYTHING = Resource(ACCOUNT)
OWN_ZONE = Resource(zone=OWN)


def policy(
    *names: str, on: tuple[Resource, ...] = (OWN_ZONE,), effect: Literal["allow", "deny"] = "allow"
) -> TokenPolicy:
    return TokenPolicy("p" * 32, effect, on, tuple(group_named(name) for name in names))


def condition(allowed: str = "", denied: str = "") -> AddressCondition:
    return AddressCondition(
        tuple(parse_network(each) for each in allowed.split()), tuple(parse_network(each) for each in denied.split())
    )


def token(**changed: object) -> ApiToken:
    members: dict[str, object] = {
        "id": "t" * 32,
        "name": "test",
        "status": "active",
        "policies": (),
        "condition": AddressCondition(),
        "not_before": None,
        "expires_on": None,
        "issued_on": NOW,
        "modified_on": NOW,
        "last_used_on": None,
    }
    return ApiToken(**{**members, **changed})  # type: ignore[arg-type]


READ, WRITE = group_named("API Gateway Read"), group_named("API Gateway Write")


def test_without_a_policy_nothing_is_allowed() -> None:
    assert not any(may((), group, ACCOUNT, zone) for group in GROUPS for zone in (None, OWN))


def test_a_zone_policy_reaches_its_zone_only() -> None:
    policies = (policy("API Gateway Write"),)
    assert may(policies, READ, ACCOUNT, OWN)
    assert may(policies, WRITE, ACCOUNT, OWN)
    assert not may(policies, READ, ACCOUNT, FOREIGN)
    assert not may(policies, READ, ACCOUNT, None)
    assert sees(policies, ACCOUNT, OWN)
    assert not sees(policies, ACCOUNT, FOREIGN)
    assert may_somewhere(policies, READ, ACCOUNT, (FOREIGN, OWN))
    assert not may_somewhere(policies, READ, ACCOUNT, (FOREIGN,))


def test_an_account_policy_reaches_the_account_its_zones_and_those_to_come() -> None:
    policies = (policy("API Gateway Read", "Account Settings Read", on=(EVERYTHING,)),)
    assert may(policies, READ, ACCOUNT, OWN)
    assert may(policies, READ, ACCOUNT, ANY)
    assert may(policies, group_named("Account Settings Read"), ACCOUNT)
    assert not may(policies, READ, "d" * 32, OWN)


def test_all_zones_are_not_the_account() -> None:
    policies = (policy("Zone Read", "Account API Gateway Read", on=(Resource(ACCOUNT, ANY),)),)
    assert may(policies, group_named("Zone Read"), ACCOUNT, FOREIGN)
    assert not may(policies, group_named("Account API Gateway Read"), ACCOUNT)


def test_the_tokens_of_the_user_are_reached_through_user_or_account_but_no_zone() -> None:
    tokens = group_named("API Tokens Read")
    assert may((policy("API Tokens Read", on=(Resource(is_user=True),)),), tokens, ACCOUNT)
    assert may((policy("API Tokens Read", on=(EVERYTHING,)),), tokens, ACCOUNT)
    assert not may((policy("API Tokens Read", on=(Resource(zone=ANY),)),), tokens, ACCOUNT)
    assert not may((policy("Zone Read", on=(Resource(is_user=True),)),), group_named("Zone Read"), ACCOUNT, OWN)


def test_deny_wins_over_allow_in_any_order() -> None:
    allow, deny = policy("API Gateway Write", on=(EVERYTHING,)), policy("API Gateway Write", effect="deny")
    for policies in ((allow, deny), (deny, allow)):
        assert not may(policies, WRITE, ACCOUNT, OWN)
        assert may(policies, READ, ACCOUNT, OWN)
        assert may(policies, WRITE, ACCOUNT, FOREIGN)
    denied = (policy("Account API Gateway Write", on=(EVERYTHING,)), policy("API Gateway Read", effect="deny"))
    assert not may(denied, WRITE, ACCOUNT, OWN)


@pytest.mark.parametrize(
    ("changed", "at", "expected"),
    [
        ({}, NOW, None),
        ({"status": "disabled"}, NOW, "disabled"),
        ({"expires_on": NOW}, NOW - timedelta(seconds=1), None),
        ({"expires_on": NOW}, NOW, "expired"),
        ({"not_before": NOW}, NOW - timedelta(seconds=1), "not_yet"),
        ({"not_before": NOW}, NOW, None),
        ({"status": "disabled", "expires_on": NOW}, NOW, "disabled"),
    ],
)
def test_a_token_is_used_within_its_time(changed: dict[str, object], at: datetime, expected: str | None) -> None:
    assert refusal(token(**changed), at, "192.0.2.1") == expected


@pytest.mark.parametrize(
    ("allowed", "denied", "address", "admitted"),
    [
        ("", "", None, True),
        ("", "", "nonsense", True),
        ("192.0.2.0/24", "", "192.0.2.9", True),
        ("192.0.2.0/24", "", "::ffff:192.0.2.9", True),
        ("192.0.2.0/24", "", "198.51.100.1", False),
        ("192.0.2.0/24", "", None, False),
        ("192.0.2.0/24", "192.0.2.9", "192.0.2.9", False),
        ("", "192.0.2.0/24", "2001:db8::1", True),
        ("2001:db8::/32", "", "2001:db8::1%eth0", True),
        ("2001:db8::/32", "", "192.0.2.1", False),
    ],
)
def test_a_token_is_used_from_its_addresses(allowed: str, denied: str, address: str | None, admitted: bool) -> None:
    assert condition(allowed, denied).admits(address) is admitted
    assert refusal(token(condition=condition(allowed, denied)), NOW, address) == (None if admitted else "address")


@pytest.mark.parametrize(
    ("inner", "holder", "within"),
    [
        (("", ""), ("", ""), True),
        (("10.0.0.0/8", ""), ("", ""), True),
        (("", ""), ("10.0.0.0/8", ""), False),
        (("10.1.0.0/16", ""), ("10.0.0.0/8", ""), True),
        (("10.1.0.0/16 192.0.2.1", ""), ("10.0.0.0/8", ""), False),
        (("2001:db8::/32", ""), ("10.0.0.0/8", ""), False),
        (("", ""), ("", "10.0.0.0/8"), False),
        (("", "10.0.0.0/7"), ("", "10.0.0.0/8"), True),
        (("192.0.2.0/24", ""), ("", "10.0.0.0/8"), True),
        (("10.0.0.0/24", ""), ("", "10.0.0.1"), False),
    ],
)
def test_a_condition_lies_within_another(inner: tuple[str, str], holder: tuple[str, str], within: bool) -> None:
    assert is_condition_within(condition(*inner), condition(*holder)) is within


def test_nobody_hands_on_what_he_does_not_have() -> None:
    holder = (policy("API Gateway Write"), policy("API Tokens Write", on=(Resource(is_user=True),)))
    assert not list(excess((policy("API Gateway Read"),), holder, ACCOUNT, (OWN, FOREIGN)))
    more = list(excess((policy("API Gateway Read", on=(EVERYTHING,)),), holder, ACCOUNT, (OWN, FOREIGN)))
    assert {zone for _, zone in more} == {None, ANY, FOREIGN}
    assert list(excess((policy("Zone Read"),), holder, ACCOUNT, (OWN,))) == [(group_named("Zone Read"), OWN)]
    assert list(excess((policy("API Gateway Read", on=(Resource(zone="e" * 32),)),), holder, ACCOUNT, (OWN,)))


def test_a_denial_of_the_holder_is_handed_on_too() -> None:
    holder = (policy("Zone Read", on=(EVERYTHING,)), policy("Zone Read", effect="deny"))
    assert list(excess((policy("Zone Read", on=(EVERYTHING,)),), holder, ACCOUNT, ())) == [
        (group_named("Zone Read"), OWN)
    ]
    assert not list(excess(holder, holder, ACCOUNT, (OWN, FOREIGN)))


resources = st.builds(
    Resource,
    account=st.sampled_from([ANY, ACCOUNT]),
    zone=st.sampled_from([None, ANY, OWN, FOREIGN]),
    is_user=st.booleans(),
)
policies_of_any_kind = st.lists(
    st.builds(
        TokenPolicy,
        id=st.just("p" * 32),
        effect=st.sampled_from(["allow", "allow", "deny"]),
        resources=st.lists(resources, min_size=1, max_size=2).map(tuple),
        groups=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3).map(tuple),
    ),
    max_size=3,
).map(tuple)


@given(policies_of_any_kind, policies_of_any_kind, st.sampled_from(GROUPS), st.sampled_from([None, OWN, "f" * 32]))
def test_what_has_no_excess_allows_nothing_more(
    policies: tuple[TokenPolicy, ...], holder: tuple[TokenPolicy, ...], group: object, zone: str | None
) -> None:
    assert group in GROUPS
    wanted = next(each for each in GROUPS if each is group)
    if not list(excess(policies, holder, ACCOUNT, (OWN, FOREIGN))) and may(policies, wanted, ACCOUNT, zone):
        assert may(holder, wanted, ACCOUNT, zone)
