"""The pure rules around git: what its words mean, which names are good, where a mirror starts."""

import pytest

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.failures import named
from ai_ops.vcs.mirror import RemoteHeads, choose_branch, parse_heads
from ai_ops.vcs.names import address_of, check_branch

WORDS = [
    ("remote: This repository was archived so it is read-only.\nfatal: error: 403", "push_refused"),
    ("fatal: detected dubious ownership in repository at '/srv/x.git'", "git_failed"),
    ("fatal: write error: No space left on device", "disk_full"),
    ("fatal: unable to access 'https://h/x/': SSL certificate problem: unable to get", "tls_failed"),
    ("fatal: unable to access 'https://h/x/': Could not resolve host: h", "dns_failed"),
    ("fatal: unable to access 'https://h/openssl/certificates/': error: 400", "git_failed"),
    ("fatal: repository 'https://h/acme/openssl.git/' not found", "git_not_found"),
    ("remote: Permission to acme/x.git denied to bot.\nfatal: error: 403", "git_auth_failed"),
    ("error: RPC failed; curl 56 Recv failure: Connection reset by peer", "git_unreachable"),
    ("fatal: early EOF", "git_unreachable"),
    (
        "fatal: unable to access 'https://h/x/': Received HTTP code 407 from proxy after CONNECT",
        "proxy_refused",
    ),
    ("fatal: unable to access 'https://h/x/': Could not resolve proxy: p", "proxy_refused"),
    ("error: RPC failed; curl 28 Operation too slow", "git_timeout"),
    (" ! [remote rejected] a -> a (reference already exists)", "branch_taken"),
    (" ! [rejected] a -> a (stale info)", "branch_taken"),
    ("fatal: refusing to merge unrelated histories", "unrelated_history"),
    ("error: object file objects/ab/cd is empty", "git_damaged"),
    ("fatal: something nobody has seen", "git_failed"),
    ("", "git_failed"),
]


@pytest.mark.parametrize(("words", "code"), WORDS, ids=[w[0][:40] or "nothing" for w in WORDS])
def test_git_s_words_have_a_name_and_a_next_step(words, code):
    failure = named(words, "fetch")
    assert failure.code == code
    assert failure.next_step


@pytest.mark.parametrize(
    ("words", "family"),
    [
        ("fatal: early EOF", TemporaryError),
        ("No space left on device", TemporaryError),
        ("?", PermanentError),
    ],
)
def test_only_what_may_pass_by_itself_is_temporary(words, family):
    assert type(named(words, "fetch")) is family


def test_the_words_of_a_remote_come_on_one_line_without_control_characters():
    failure = named("remote: \x1b[31mred\x1b[0m\r\nremote: \u202eevil" + "x" * 10_000, "push")
    assert failure.message.isprintable()
    assert len(failure.message) < 700


@pytest.mark.parametrize(
    "branch",
    ["main", "ai-ops/fix-0123456789ab-1", "release/1.2", "feature_x", "user@work", "发布", "a=b", "#12"],
)
def test_ordinary_branches_are_good(branch):
    assert check_branch(branch) == branch


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://github.com/acme/shop", "https"),
        ("https://git.example:8443/a/b/c.git", "https"),
        ("http://127.0.0.1:3000/acme/shop.git", "http"),
        ("file:///srv/git/shop.git", "file"),
        ("/srv/git/shop.git", "file"),
    ],
)
def test_ordinary_addresses_open_their_own_transport_and_no_other(url, protocol):
    address = address_of(Repository("k", url, "x"), allow_file=True, http_hosts=["127.0.0.1:3000"])
    assert (address.url, address.protocol) == (url, protocol)


def test_a_listing_gives_the_default_branch_and_the_heads():
    listing = f"ref: refs/heads/trunk\tHEAD\n{'a' * 40}\tHEAD\n{'a' * 40}\trefs/heads/trunk\n"
    assert parse_heads(listing) == RemoteHeads("trunk", {"trunk": "a" * 40})


@pytest.mark.parametrize(
    ("default", "heads", "wanted", "chosen"),
    [
        ("trunk", ["main", "trunk"], "", "trunk"),
        ("trunk", ["main", "trunk"], "main", "main"),
        ("gone", ["dev", "main"], "", "main"),
        ("", ["only"], "", "only"),
    ],
    ids=["default", "wanted", "default-is-unborn", "only-one"],
)
def test_a_mirror_starts_from_the_plausible_branch(default, heads, wanted, chosen):
    assert choose_branch(RemoteHeads(default, dict.fromkeys(heads, "a" * 40)), wanted) == chosen


@pytest.mark.parametrize(
    ("heads", "wanted", "code"),
    [([], "", "git_empty_repository"), (["a", "b"], "", "git_not_found"), (["main"], "x", "git_not_found")],
)
def test_a_mirror_without_a_plausible_branch_says_so(heads, wanted, code):
    with pytest.raises(PermanentError) as caught:
        choose_branch(RemoteHeads("", dict.fromkeys(heads, "a" * 40)), wanted)
    assert caught.value.code == code
    assert ("branch's name" in caught.value.next_step) is bool(wanted)
