"""The `[zone]` table's checks: hosts and upstreams that the engine takes, and hints for what it does not."""

import pytest

from hoplon.model.policy import Maintenance, Upstream, ZonePolicy
from hoplon.policy.zone import check_zone, compile_zone, host_hint, is_host_pattern, url_fault


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "localhost",
        "my_service",
        "127.0.0.1",
        "[::1]",
        "xn--bcher-kva.example",
        "{tenant}.example.com",
    ],
)
def test_hosts(host: str) -> None:
    assert is_host_pattern(host)


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("*", "leave `hosts` empty"),
        ("*.example.com", "`{sub}.example.com`"),
        ("api.example.com:80", "leave the port out"),
        ("http://api.example.com", "only the host name"),
        ("[::0001]", "write `[::1]`"),
        ("[::x]", "in brackets"),
        ("b\u00fccher.example", "xn--"),
        ("a..b", "letters, digits"),
        ("{a}b.example.com", "letters, digits"),
        ("a" * 64, "letters, digits"),
    ],
)
def test_what_is_no_host_gets_a_hint(host: str, hint: str) -> None:
    assert not is_host_pattern(host)
    assert hint in host_hint(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000",
        "https://api.example.com/",
        "http://[::1]:9000",
        "http://my_service",
        "unix:/run/api.sock",
    ],
)
def test_upstreams(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9000",
        "ftp://x",
        "http://",
        "http://x:0",
        "http://x:99999",
        "http://x:",
        "http://x/api",
        "http://u@x",
        "http://x?y",
        "http://x#y",
        "http://a b",
        "http://[::g]",
        "http://{x}.y",
        "http://bücher",
        "http://x:8x",
        "unix:run/api.sock",
        "unix:///run/api.sock",
        "unix:/" + 107 * "a",
        "unix:/a\nb",
    ],
)
def test_what_is_no_upstream_has_a_fault(url: str) -> None:
    assert url_fault(url) is not None


def test_one_upstream_must_take_requests() -> None:
    drained = Upstream("http://a", drain=True)
    assert [problem.path for problem in check_zone(ZonePolicy("a", (drained,)))] == ["zone.upstreams"]
    assert check_zone(ZonePolicy("a", (drained, Upstream("http://b")))) == []
    assert check_zone(ZonePolicy("a", ())) == [], "a zone without upstreams waits for some"


def test_a_part_says_only_what_the_first_bundles_knew_until_it_must_say_more() -> None:
    zone = ZonePolicy("a", (Upstream("http://a"), Upstream("http://b", drain=True)), maintenance=Maintenance(True))
    first, later = compile_zone("0" * 32, ZonePolicy("a", (Upstream("http://a"),))), compile_zone("0" * 32, zone)
    assert later.keys() - first.keys() == {"maintenance"}
    assert later["maintenance"]["enabled"]
    assert ["drain" in upstream for upstream in later["upstreams"]] == [False, True]
