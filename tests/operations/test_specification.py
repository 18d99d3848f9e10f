"""Operations as callers write them: every spelling of one operation is the same one, and every fault has its place."""

import re

from hypothesis import given
from hypothesis import strategies as st

from hoplon.model.policy import Upstream, ZonePolicy
from hoplon.operations import template
from hoplon.operations.specification import OperationSpec, check_specs, read_spec

ZONE = ZonePolicy("default", (Upstream("http://127.0.0.1:1"),))
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
LITERALS = st.text(st.characters(codec="utf-8", exclude_characters="/?#\\{}%", exclude_categories=["Cc"]), max_size=6)


def spec(endpoint: str, host: str = "*", method: str = "GET") -> OperationSpec:
    return OperationSpec(method, host, endpoint)


def faults(*specs: OperationSpec, zone: ZonePolicy = ZONE) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in check_specs(specs, zone)]


@given(st.lists(st.tuples(st.booleans(), LITERALS, NAMES, NAMES), max_size=6))
def test_the_names_of_variables_say_nothing(segments: list[tuple[bool, str, str, str]]) -> None:
    def path(which: int) -> str:
        return "".join(f"/{{{names[which]}}}" if is_variable else f"/{text}" for is_variable, text, *names in segments)

    one, other = spec(path(0) or "/"), spec(path(1) or "/")
    if faults(one):
        return
    saved, again = read_spec(one, ZONE), read_spec(other, ZONE)
    assert (saved.id, saved.template) == (again.id, again.template)
    variables = [index for index, (is_variable, *_) in enumerate(segments) if is_variable]
    assert len(re.findall(r"\{var\d+\}", saved.template)) <= len(variables)
    numbers = [int(number) for number in re.findall(r"\{var(\d+)\}", saved.template)]
    assert numbers == list(range(1, len(numbers) + 1))


@given(st.text("/ab{}.%2eE7~é ;", min_size=1, max_size=14))
def test_what_is_saved_reads_back_as_itself(text: str) -> None:
    written = spec("/" + text)
    if faults(written):
        return
    saved = read_spec(written, ZONE)
    assert template.path_fault(saved.path) is None
    for shown in (saved.path, saved.template):
        again = read_spec(spec(shown), ZONE)
        assert not faults(spec(shown))
        assert (again.id, again.template) == (saved.id, saved.template)


def test_spellings_of_one_operation() -> None:
    spellings = (
        "/users/{id}",
        "/users/{uid}",
        "/a/../users/{var1}",
        "/./users/%7bid%7D/../../users/{x}",
        "/%75sers/{y}",
    )
    assert {read_spec(spec(each), ZONE).template for each in spellings} == {"/users/{var1}"}
    assert (
        len({read_spec(spec(each, host), ZONE).id for each in spellings for host in ("API.example", "api.example")})
        == 1
    )
    assert read_spec(spec("/users/"), ZONE).id != read_spec(spec("/users"), ZONE).id


def test_a_zone_that_merges_slashes_merges_them_here_too() -> None:
    merging = ZonePolicy("default", ZONE.upstreams, merge_slashes=True)
    assert read_spec(spec("//a///b//"), merging).template == "/a/b/"
    assert read_spec(spec("//a"), ZONE).template == "//a"


def test_every_fault_has_its_place() -> None:
    zone = ZonePolicy("shop", ZONE.upstreams, ("shop.example", "{hostVar1}.shop.example"))
    specs = [
        spec("/", "a.shop.example"),
        spec("users", "evil.example", "CONNECT"),
        spec("/a?b", "{a}.{b}.example", "get"),
        spec("/{a}.json", "{any}.shop.example"),
        spec("/", "shop.example:80"),
    ]
    assert faults(*specs, zone=zone) == [
        "[1].method: CONNECT is refused in any mode",
        "[1].endpoint: `users` does not begin with `/`",
        "[1].host: `evil.example` is no host of this zone",
        "[2].method: `get`: methods are upper case",
        "[2].endpoint: `/a?b`: an operation is known by its path alone",
        "[3].endpoint: `{a}.json`: a variable is a whole segment `{name}`",
        "[4].host: `shop.example:80` is no host name",
    ]
