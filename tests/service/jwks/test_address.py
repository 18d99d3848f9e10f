"""Whom Hoplon asks for keys: public servers over TLS, others only where a network is listed."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from hoplon.errors import HoplonError
from hoplon.service.jwks.address import find_target, system_look_up

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.1.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - nobody binds to it
    "224.0.0.1",
    "::1",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "ff02::1",
]


def refused(url: str, addresses: Sequence[str], networks: Sequence[str] = ()) -> str:
    with pytest.raises(HoplonError) as raised:
        find_target(url, [ip_network(each) for each in networks], lambda host: addresses)
    return raised.value.code


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_an_address_that_is_not_public_is_refused(address: str, scheme: str) -> None:
    assert refused(f"{scheme}://issuer.example/keys", [address]) == "jwks.address"


@pytest.mark.parametrize("address", PRIVATE)
def test_one_such_address_among_public_ones_is_enough(address: str) -> None:
    assert refused("https://issuer.example/keys", ["93.184.216.34", address]) == "jwks.address"


def test_a_public_server_is_asked_over_tls_only() -> None:
    assert refused("http://issuer.example/keys", ["93.184.216.34"]) == "jwks.address"
    target = find_target("https://issuer.example/keys?a=b", [], lambda host: ["93.184.216.34"])
    assert (target.url, target.host, target.host_header) == (
        "https://93.184.216.34:443/keys?a=b",
        "issuer.example",
        "issuer.example",
    )


def test_a_listed_network_may_be_asked_without_tls() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    assert find_target("http://keys:8080/", networks, lambda host: ["10.1.2.3"]).host_header == "keys:8080"
    assert find_target("http://keys/", networks, lambda host: ["fd00::1"]).url == "http://[fd00::1]:80/"
    assert find_target("http://keys/", networks, lambda host: ["::ffff:10.1.2.3"]).port == 80
    assert refused("http://keys/", ["127.0.0.1"], ["10.0.0.0/8"]) == "jwks.address"


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "file:///etc/passwd", "https://", "https://a:99999/", "gopher:x", ""]
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    assert refused(url, ["93.184.216.34"]) == "jwks.address"


def test_a_name_without_address_is_unreachable() -> None:
    assert refused("https://a.example/", []) == "jwks.unreachable"
    with pytest.raises(HoplonError) as raised:
        find_target("https://nothing.invalid/", [], system_look_up)
    assert raised.value.code == "jwks.unreachable"
    with pytest.raises(HoplonError) as raised:
        find_target(f"https://{'a' * 64}.example/", [], system_look_up)
    assert raised.value.code == "jwks.unreachable"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_odd_spellings_of_the_loopback_address_are_seen_through(host: str) -> None:
    with pytest.raises(HoplonError):
        find_target(f"https://{host}/", [], system_look_up)
