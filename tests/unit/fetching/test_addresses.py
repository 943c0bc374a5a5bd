"""Which addresses may be connected to, and which texts are addresses of the web."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import UrlRefused
from kaynak.fetching import Reach
from kaynak.fetching.parts import target_of

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.1.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2001:10::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "localhost",
    "example.org",
    "1",
    "0x7f000001",
    "127.1",
    "017700000001",
    "[::1]",
    "8.8.8.8/32",
]
OUTSIDE = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_not_reached(address):
    assert not Reach().allows(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_public_is_reached(address):
    assert Reach().allows(address)


@given(st.ip_addresses())
def test_an_address_is_no_better_than_what_it_wraps(address):
    reach = Reach()
    if reach.allows(str(address)):
        assert address.is_global
        assert not address.is_multicast
    if address.version == 4:
        number = int(address)
        for wrapped in (
            ipaddress.IPv6Address((0xFFFF << 32) | number),
            ipaddress.IPv6Address((0x0064FF9B << 96) | number),
        ):
            assert reach.allows(str(wrapped)) == reach.allows(str(address))
        if not reach.allows(str(address)):
            assert not reach.allows(str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))))


def test_networks_that_are_allowed_are_reached_and_no_others():
    reach = Reach(["10.1.0.0/16", "fd12::/16"])
    assert all(reach.allows(one) for one in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "8.8.8.8"))
    assert not any(
        reach.allows(one) for one in ("10.2.0.1", "127.0.0.1", "fd13::1", "::ffff:10.2.0.1", "169.254.169.254")
    )


@pytest.mark.parametrize(
    ("url", "clean", "name"),
    [
        ("https://example.org", "https://example.org/", "example.org.html"),
        (" http://example.org/a/report.pdf?x=1#page=2 ", "http://example.org/a/report.pdf?x=1", "report.pdf"),
        ("https://example.org:8443/%C3%BC.txt", "https://example.org:8443/%C3%BC.txt", "ü.txt"),
        ("https://bücher.example/ö?q=ü", "https://xn--bcher-kva.example/%C3%B6?q=%C3%BC", "ö"),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x", "x"),
    ],
)
def test_addresses_of_the_web(url, clean, name):
    target = target_of(url)
    assert (target.url, target.name) == (clean, name)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/x",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org:22/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:x/",
        "http://exa mple.org/",
        "http://example.org/\r\nHost: evil",
        "http://example.org/a b",
        "http://[::1/",
        "http://\udcff.example/",
        "http://example.org/" + "a" * 3000,
    ],
)
def test_what_is_none(url):
    with pytest.raises(UrlRefused) as refused:
        target_of(url)
    assert refused.value.hint
    assert "password" not in refused.value.message or "user" not in refused.value.message


def test_a_redirect_is_taken_from_where_it_was_said():
    assert target_of("../b", base="https://example.org/x/a").url == "https://example.org/b"
    assert target_of("//other.example/c", base="https://example.org/").url == "https://other.example/c"
    with pytest.raises(UrlRefused):
        target_of("file:///etc/passwd", base="https://example.org/")
