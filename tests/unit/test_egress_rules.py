"""Which hosts EGRESS_ALLOW means, and which it does not."""

import pytest

from ai_ops.core.egress import EgressRules, parse_rule

ALLOW = EgressRules.of(
    ["packages.example", "*.hosted.example", "mirror.test:8443", "192.0.2.7", "[2001:db8::1]:8080"]
)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("packages.example", 443),
        ("Packages.Example.", 80),
        ("files.hosted.example", 443),
        ("a.b.hosted.example", 443),
        ("mirror.test", 8443),
        ("192.0.2.7", 443),
        ("[2001:db8::1]", 8080),
        ("2001:db8:0::1", 8080),
    ],
)
def test_what_is_listed_may_be_reached(host, port):
    assert ALLOW.refuses(host, port) == ""


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("www.packages.example", 443),
        ("packages.example", 22),
        ("packages.example.evil.test", 443),
        ("evilpackages.example", 443),
        ("hosted.example", 443),
        ("evilhosted.example", 443),
        (".hosted.example", 443),
        ("mirror.test", 443),
        ("192.0.2.8", 443),
        ("3221225991", 443),
        ("0xc0000207", 443),
        ("192.0.519", 443),
        ("packages.example\r\nHost: x", 443),
        ("packages.example@evil.test", 443),
        ("", 443),
        ("a" * 300, 443),
    ],
)
def test_what_is_not_listed_may_not(host, port):
    assert ALLOW.refuses(host, port)


def test_nothing_is_reached_without_rules():
    assert EgressRules().refuses("packages.example", 443) == "it is not in EGRESS_ALLOW"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:10.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
    ],
    ids=",".join,
)
def test_a_name_that_leads_into_a_private_network_is_refused_whoever_listed_it(addresses):
    assert "private" in ALLOW.refuses_addresses("packages.example", addresses)


def test_an_address_that_is_spelled_out_is_meant():
    rules = EgressRules.of(["10.0.0.5"])
    assert (rules.refuses("10.0.0.5", 443), rules.refuses_addresses("10.0.0.5", ["10.0.0.5"])) == ("", "")


def test_a_name_without_an_address_is_said():
    assert ALLOW.refuses_addresses("packages.example", [])


@pytest.mark.parametrize(
    "entry",
    [
        "https://packages.example",
        "packages.example/simple",
        "*",
        "*.org",
        "*.10.0.0.1",
        "a:0",
        "a:x",
        "a:99999",
        "",
        "a b",
        "127.1",
    ],
)
def test_an_entry_that_is_none_is_refused(entry):
    with pytest.raises(ValueError, match="must"):
        parse_rule(entry)
