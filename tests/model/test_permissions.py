"""The table of permission groups: ids that never change, and what one group says about another."""

import re

import pytest

from hoplon.model.permissions import ALIAS_IDS, GROUPS, group_named, group_names, group_of_id


def test_ids_and_names_are_unique_and_well_formed() -> None:
    ids = [group.id for group in GROUPS]
    assert len({*ids, *ALIAS_IDS}) == len(ids) + len(ALIAS_IDS)
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in (*ids, *ALIAS_IDS))
    assert len({name.casefold() for name in group_names()}) == len(group_names())


def test_a_group_is_found_under_its_id_its_name_and_its_other_names() -> None:
    read = group_named("zone read")
    assert read.name == "Zone Read"
    assert group_of_id(read.id) is read
    assert group_named("Domain API Gateway") is group_named("API Gateway Write")
    assert group_of_id("5bc3f8b21c554832afc660159ab75fa4") is group_named("API Tokens Write")
    assert group_of_id("0" * 32) is None
    with pytest.raises(KeyError):
        group_named("Nothing Read")


@pytest.mark.parametrize(
    ("held", "wanted", "grants"),
    [
        ("API Gateway Read", "API Gateway Read", True),
        ("API Gateway Write", "API Gateway Read", True),
        ("API Gateway Read", "API Gateway Write", False),
        ("Account API Gateway Write", "API Gateway Read", True),
        ("Account API Gateway Read", "API Gateway Write", False),
        ("API Gateway Write", "Account API Gateway Read", False),
        ("Zone Write", "API Gateway Read", False),
        ("Hoplon Operate", "Hoplon Gateway", False),
    ],
)
def test_write_implies_read_and_an_account_its_zones(held: str, wanted: str, grants: bool) -> None:
    assert group_named(held).grants(group_named(wanted)) is grants


@pytest.mark.parametrize(
    ("denied", "wanted", "denies"),
    [
        ("API Gateway Read", "API Gateway Write", True),
        ("API Gateway Write", "API Gateway Read", False),
        ("Account API Gateway Read", "API Gateway Write", True),
        ("API Gateway Read", "Account API Gateway Read", False),
        ("Zone Read", "API Gateway Read", False),
    ],
)
def test_who_is_denied_reading_does_not_write(denied: str, wanted: str, denies: bool) -> None:
    assert group_named(denied).denies(group_named(wanted)) is denies
