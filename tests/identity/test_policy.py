"""Session identifiers: what is accepted, its one normal form, and a sentence for whatever cannot identify a session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.identity.policy import (
    MAX_IDENTIFIERS,
    Identifier,
    IdentifierKind,
    IdentityFeature,
    IdentityPolicy,
    check_identifiers,
    claim_problems,
    describe_identifiers,
)
from hoplon.model.policy import Upstream, ZonePolicy
from hoplon.policy.feature import Surroundings

ZONE = ZonePolicy("default", (Upstream("http://127.0.0.1:1"),))
FEATURE = IdentityFeature()
TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}"
IDENTIFIERS = st.builds(Identifier, st.sampled_from(["header", "cookie"]), st.from_regex(TOKEN, fullmatch=True))


def policy(*identifiers: Identifier) -> IdentityPolicy:
    return IdentityPolicy(identifiers)


def faults(*identifiers: Identifier) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in check_identifiers(identifiers, "list")]


@given(st.lists(IDENTIFIERS, max_size=MAX_IDENTIFIERS, unique_by=lambda each: each.normal))
def test_names_of_headers_and_cookies_are_accepted_and_survive_their_table(identifiers: list[Identifier]) -> None:
    written = policy(*identifiers)
    assert FEATURE.check(written, ZONE) == []
    assert FEATURE.read(FEATURE.table.model_validate(FEATURE.write(written))) == written  # type: ignore[arg-type]


@given(IDENTIFIERS)
def test_the_normal_form_is_its_own_and_differs_in_the_case_of_headers_only(identifier: Identifier) -> None:
    normal = identifier.normal
    assert normal.normal == normal
    assert normal.name == (identifier.name.lower() if identifier.kind == "header" else identifier.name)


@pytest.mark.parametrize("name", ["", "x y", "x:y", "a\r\nb", "é", "x" * 256])
@pytest.mark.parametrize("kind", ["header", "cookie"])
def test_what_no_request_can_carry_is_refused(kind: IdentifierKind, name: str) -> None:
    assert len(faults(Identifier(kind, name))) == 1


def test_headers_that_differ_in_case_are_one_and_cookies_are_two() -> None:
    assert faults(Identifier("header", "X-User"), Identifier("header", "x-user")) == [
        "list[1]: header x-user is listed twice"
    ]
    assert faults(Identifier("cookie", "SID"), Identifier("cookie", "sid"), Identifier("header", "sid")) == []


def test_at_most_ten() -> None:
    many = [Identifier("header", f"x-{number}") for number in range(11)]
    assert faults(*many) == ["list: a zone has at most 10 identifiers, not 11"]
    assert faults(*many[:10]) == []


@pytest.mark.parametrize("name", ["sub", "$.sub", "A" * 32 + ":$.sub", "a" * 37 + ":$.sub", "a" * 32 + ":.sub"])
def test_a_claim_in_another_form_is_refused_for_its_form(name: str) -> None:
    assert "is no claim of a token" in faults(Identifier("jwt", name))[0]


@pytest.mark.parametrize("path", [".sub", ".user.id", "['https://example.com/id']", '["a b"].c', ".aud[0]", "[0]"])
def test_a_claim_is_named_by_members_and_indexes(path: str) -> None:
    assert faults(Identifier("jwt", f"main:${path}")) == []
    assert Identifier("jwt", f"main:${path}").token_configuration == "main"


@pytest.mark.parametrize(
    "path", ["", ".", ".*", "..sub", "[*]", "[-1]", "[1:2]", "[?@.a]", ".a[01]", "['a\\'b']", ".a" * 17]
)
def test_a_path_that_could_select_more_or_less_than_one_value_is_refused(path: str) -> None:
    assert "does not select one claim" in faults(Identifier("jwt", f"main:${path}"))[0]


def test_a_claim_of_a_token_that_nobody_verifies_is_refused_and_said_why() -> None:
    claim, header = Identifier("jwt", "main:$.sub"), Identifier("header", "x-user")
    assert claim_problems([claim, header], ["main"], "identity.identifiers") == []
    (problem,) = claim_problems([header, claim], [], "identity.identifiers")
    assert (problem.path, problem.message) == (
        "identity.identifiers[1].name",
        "there is no token configuration `main`",
    )
    (problem,) = claim_problems([claim], ["mains"], "identity.identifiers")
    assert problem.hint == "did you mean `mains`?"


def test_the_engine_gets_normal_names_in_order_and_nothing_where_there_is_none() -> None:
    compiled = FEATURE.compile(policy(Identifier("cookie", "SID"), Identifier("header", "X-User")), Surroundings(ZONE))
    assert compiled.parts == {
        "identity": {"identifiers": [{"type": "cookie", "name": "SID"}, {"type": "header", "name": "x-user"}]}
    }
    assert FEATURE.compile(policy(), Surroundings(ZONE)).parts == {}


def test_changes_are_told_in_words() -> None:
    one, two = Identifier("header", "a"), Identifier("cookie", "b")
    assert describe_identifiers([one], [two]) == [
        "removes session identifier header a",
        "adds session identifier cookie b",
    ]
    assert describe_identifiers([one, two], [two, one]) == ["changes the order of the session identifiers"]
    assert describe_identifiers([one], [one]) == []
