"""Which hosts git may connect to, and that it is held to the addresses that were seen."""

import pytest

from ai_ops.core.repository import RepositoryRules
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.vcs.pinning import Pinning, look_up


def pinning(*addresses, named=()):
    async def found(host, port):
        if not addresses:
            raise OSError("Name or service not known")
        return addresses

    return Pinning(lambda netloc: netloc in named, found)


async def test_git_is_given_the_addresses_that_were_seen():
    at = pinning("93.184.216.34", "2606:2800:220:1::1")
    assert await at.config("https://git.example.test/a/b") == {
        "http.curloptResolve": "git.example.test:443:93.184.216.34,[2606:2800:220:1::1]"
    }
    config = await at.config("https://git.example.test:8443/a/b")
    assert config["http.curloptResolve"].startswith("git.example.test:8443:")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.8",
        "192.168.1.2",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.8",
        "0.0.0.0",
    ],
)
async def test_a_name_that_leads_into_a_private_network_is_refused(address):
    with pytest.raises(PermanentError, match="repo_not_allowed"):
        await pinning("93.184.216.34", address).config("https://git.example.test/a/b")


async def test_a_host_that_the_configuration_names_may_be_private():
    at = pinning("10.0.0.8", named=["git.corp.example"])
    assert await at.config("https://git.corp.example/a/b") == {}
    with pytest.raises(PermanentError, match="repo_not_allowed"):
        await at.config("https://git.corp.example:8443/a/b")


async def test_a_name_without_an_address_is_tried_again():
    with pytest.raises(TemporaryError, match="dns_failed"):
        await pinning().config("https://git.example.test/a/b")


async def test_the_machine_looks_names_up():
    assert "127.0.0.1" in await look_up("localhost", 443)


@pytest.mark.parametrize(
    ("rules", "netloc", "named"),
    [
        (RepositoryRules(), "github.com", True),
        (RepositoryRules(), "gitlab.com", False),
        (RepositoryRules(code_host="gitlab"), "gitlab.com", True),
        (
            RepositoryRules(github_base_url="https://git.corp.example:8443/api/v3"),
            "git.corp.example:8443",
            True,
        ),
        (RepositoryRules(allowed_repos=("https://git.example.test/acme/*",)), "git.example.test", True),
        (RepositoryRules(allowed_repos=("https://*.example.test/*",)), "git.example.test", False),
        (RepositoryRules(allowed_repos=("https://*.example.test/*",)), "*.example.test", False),
    ],
)
def test_only_hosts_that_are_spelt_out_are_named(rules, netloc, named):
    assert rules.names(netloc) is named
