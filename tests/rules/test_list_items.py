"""Items of lists: every kind has one canonical form, and what has none is refused with its place."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.errors import Problem
from hoplon.model.lists import KINDS, ItemSearch, Kind, ListItem
from hoplon.rules.list_items import MAX_PROBLEMS, read_item, read_items, search_of


def key_of(kind: Kind, value: Any) -> str:
    item = read_item(kind, {kind: value})
    assert isinstance(item, ListItem), item
    return item.key


def problem_of(kind: Kind, value: Any) -> Problem:
    problem = read_item(kind, {kind: value})
    assert isinstance(problem, Problem), problem
    return problem


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ],
)
def test_addresses_have_one_form(given: str, canonical: str) -> None:
    assert read_item("ip", {"ip": given}) == ListItem(canonical, canonical)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "10.0.0",
        "10.0.0.01",
        "10.0.0.1 ",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/7",
        "::/0",
        "fe80::1%eth0",
        "\u0661.1.1.1",
        7,
        None,
    ],
)
def test_what_is_no_address_is_refused(given: Any) -> None:
    assert problem_of("ip", given).path == ".ip"


def test_bits_behind_the_prefix_are_never_dropped_silently() -> None:
    assert problem_of("ip", "10.1.2.3/24").hint == "write `10.1.2.0/24` if the whole network is meant"


@given(st.ip_addresses())
def test_an_address_is_the_network_of_itself(address: IPv4Address | IPv6Address) -> None:
    assert key_of("ip", str(address)) == key_of("ip", str(ip_network(address)))


@given(st.ip_addresses(), st.integers(12, 128))
def test_canonical_is_canonical(address: IPv4Address | IPv6Address, prefix: int) -> None:
    network = ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
    once = key_of("ip", str(network))
    assert key_of("ip", once) == once


@pytest.mark.parametrize("given", [True, -1, 2**32, 1.0, "64496", "AS64496", None])
def test_an_asn_is_a_whole_number(given: Any) -> None:
    assert problem_of("asn", given).path == ".asn"


@given(st.integers(0, 2**32 - 1))
def test_every_asn_is_taken(asn: int) -> None:
    assert read_item("asn", {"asn": asn}) == ListItem(asn, str(asn))


def test_host_names() -> None:
    assert read_item("hostname", {"hostname": {"url_hostname": "API.Example.com"}}) == ListItem(
        {"url_hostname": "api.example.com"}, "api.example.com"
    )
    wildcard = {"url_hostname": "*.example.com", "exclude_exact_hostname": False}
    assert read_item("hostname", {"hostname": wildcard}) == ListItem(wildcard, "*.example.com")
    assert read_item("hostname", {"hostname": {"url_hostname": "*.example.com"}}) == ListItem(
        {"url_hostname": "*.example.com", "exclude_exact_hostname": True}, "*.example.com"
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "*",
        "*.",
        "a..b",
        "-a.com",
        "a-.com",
        "a_b.com",
        "a.*.com",
        "*a.com",
        "https://a.com",
        "ä.de",
        "a" * 64,
        "a." * 127 + "a",
    ],
)
def test_what_is_no_host_name_is_refused(name: str) -> None:
    assert problem_of("hostname", {"url_hostname": name}).path == ".hostname.url_hostname"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("example.com", ".hostname"),
        ({}, ".hostname.url_hostname"),
        ({"url_hostname": "a.com", "exclude_exact_hostname": 1}, ".hostname.exclude_exact_hostname"),
        ({"url_hostname": "a.com", "exact": True}, ".hostname.exact"),
    ],
)
def test_a_host_name_is_an_object(given: Any, path: str) -> None:
    assert problem_of("hostname", given).path == path


def test_redirects_come_with_every_setting() -> None:
    given = {"source_url": "Example.com/Old", "target_url": "https://example.com/New?a=1#b", "status_code": 308}
    value = {
        "source_url": "example.com/Old",
        "target_url": "https://example.com/New?a=1#b",
        "status_code": 308,
        "include_subdomains": False,
        "subpath_matching": False,
        "preserve_query_string": False,
        "preserve_path_suffix": False,
    }
    assert read_item("redirect", {"redirect": given}) == ListItem(value, "example.com/Old")


def test_a_redirect_is_known_by_its_source() -> None:
    target = {"target_url": "https://x.example/"}
    assert key_of("redirect", {"source_url": "HTTPS://A.example", **target}) == "https://a.example/"
    assert key_of("redirect", {"source_url": "a.example", **target}) == "a.example/"


@pytest.mark.parametrize(
    ("member", "given"),
    [
        ("source_url", None),
        ("source_url", "ftp://a.example/"),
        ("source_url", "https://a.example:8443/"),
        ("source_url", "https://a.example/?q=1"),
        ("source_url", "https://u@a.example/"),
        ("source_url", "https://[::1/"),
        ("source_url", "a.example/ä"),
        ("source_url", "a.example/" + "x" * 2000),
        ("target_url", "/new"),
        ("target_url", "javascript:alert(1)"),
        ("target_url", "https://u:p@a.example/"),
        ("target_url", "https://a.example:port/"),
        ("status_code", 300),
        ("status_code", True),
        ("status_code", 301.0),
        ("include_subdomains", "yes"),
        ("subpath", True),
    ],
)
def test_what_is_no_redirect_is_refused(member: str, given: Any) -> None:
    whole = {"source_url": "a.example/", "target_url": "https://b.example/", member: given}
    assert problem_of("redirect", whole).path == f".redirect.{member}"


def test_comments() -> None:
    assert read_item("asn", {"asn": 1, "comment": "first"}) == ListItem(1, "1", "first")
    assert read_item("asn", {"asn": 1, "comment": None}) == ListItem(1, "1")
    for comment in (5, "x" * 501):
        problem = read_item("asn", {"asn": 1, "comment": comment})
        assert isinstance(problem, Problem)
        assert problem.path == ".comment"


@pytest.mark.parametrize("given", [None, [], "10.0.0.1", {}, {"asn": 5}, {"ip": "10.0.0.1", "id": "1"}])
def test_what_is_no_item_of_the_kind_is_refused(given: Any) -> None:
    assert isinstance(read_item("ip", given), Problem)


def test_an_item_twice_in_a_body_is_refused_where_it_stands() -> None:
    items, problems = read_items("ip", [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}, {"ip": "10.0.0.1/32"}, {"ipp": ""}])
    assert [item.key for item in items] == ["10.0.0.1", "10.0.0.2"]
    assert [problem.path for problem in problems] == ["[2].ip", "[3].ipp"]


def test_problems_are_bounded() -> None:
    assert len(read_items("asn", [{}] * 1000)[1]) == MAX_PROBLEMS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KINDS, "url_hostname", "comment"]), inner)
    ),
)


@given(st.sampled_from(KINDS), JSON)
def test_any_json_is_read_or_refused(kind: Kind, given: Any) -> None:
    items, problems = read_items(kind, [given])
    assert len(items) + len(problems) == 1


def test_what_a_search_means() -> None:
    assert search_of("ip", "2001:DB8") == ItemSearch("prefix", "2001:db8")
    assert search_of("asn", "5") == ItemSearch("exact", "5")
    assert search_of("hostname", "Shop") == ItemSearch("part", "shop")
    assert search_of("redirect", "/Old") == ItemSearch("part", "/Old")
