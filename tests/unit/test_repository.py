"""Which addresses mean which repository, and which are refused."""

from pathlib import Path

import pytest

from ai_ops.core.repository import RepositoryRules
from ai_ops.core.repository_url import private_host
from ai_ops.errors import PermanentError

GITHUB = RepositoryRules()
ENTERPRISE = RepositoryRules(github_base_url="https://git.corp.example:8443/api/v3/")
GITLAB = RepositoryRules(code_host="gitlab", gitlab_base_url="https://gl.example/forge")
LOOPBACK = RepositoryRules(
    github_base_url="http://127.0.0.1:9001/api/v3", gitlab_base_url="http://127.0.0.1:9002"
)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/app",
        "https://github.com/acme/app/",
        "https://github.com/acme/app.git",
        "https://github.com/acme/app.git/",
        "HTTPS://GitHub.COM/acme/app.git",
        "https://github.com:443/acme/app",
        "https://someone@github.com/acme/app.git",
        " https://github.com/acme/app ",
        "ssh://git@github.com/acme/app.git",
        "ssh://git@github.com:22/acme/app",
        "ssh://git@ssh.github.com:443/acme/app.git",
        "git@github.com:acme/app.git",
        "github.com:acme/app",
        "git@GitHub.com:/acme/app.git",
    ],
)
def test_every_spelling_of_one_repository_has_one_key_and_one_url(url):
    found = GITHUB.resolve(url)
    assert (found.key, found.url, found.code_host) == (
        "github.com/acme/app",
        "https://github.com/acme/app",
        "github",
    )


def test_the_path_keeps_its_case_and_inner_dots():
    assert GITHUB.resolve("https://github.com/Acme/App.js").key == "github.com/Acme/App.js"


ATTACKS = {
    "empty": "",
    "spaces": "   ",
    "option": "-u",
    "upload pack option": "-uhttps://github.com/acme/app",
    "long option": "--upload-pack=touch /tmp/x",
    "ext helper": "ext::sh -c touch% /tmp/x",
    "fd helper": "fd::17/foo",
    "unknown helper": "foo.bar+x-1::https://github.com/acme/app",
    "newline": "https://github.com/acme/app\n--upload-pack=x",
    "carriage return": "https://github.com/acme/app\r",
    "tab in the host": "https://git\thub.com/acme/app",
    "NUL": "https://github.com/acme/app\x00",
    "variable": "https://github.com/acme/$HOME",
    "braced variable": "https://${HOST}/acme/app",
    "command": "https://github.com/acme/$(id)",
    "backtick": "https://github.com/acme/`id`",
    "semicolon": "https://github.com/acme/app;id",
    "password": "https://user:secret@github.com/acme/app",
    "token as password": "https://x-access-token:ghs_abc@github.com/acme/app",
    "empty password": "https://user:@github.com/acme/app",
    "backslash": "https://github.com\\@evil.example/acme/app",
    "percent": "https://github.com/acme/%2e%2e/app",
    "dots": "https://github.com/acme/../other/app",
    "dot": "https://github.com/./app",
    "double slash": "https://github.com/acme//app",
    "git folder": "https://github.com/acme/.git/app",
    "query": "https://github.com/acme/app?x=1",
    "empty query": "https://github.com/acme/app?",
    "fragment": "https://github.com/acme/app#x",
    "plain http": "http://github.com/acme/app",
    "git protocol": "git://github.com/acme/app",
    "ftp": "ftp://github.com/acme/app",
    "javascript": "javascript://github.com/acme/app",
    "no host": "https:///acme/app",
    "no scheme": "github.com/acme/app",
    "owner and name": "acme/app",
    "only an owner": "https://github.com/acme",
    "only a host": "https://github.com/",
    "page": "https://github.com/acme/app/tree/main",
    "port out of range": "https://github.com:99999/acme/app",
    "port no number": "https://github.com:x/acme/app",
    "ssh option as host": "ssh://-oProxyCommand=id/acme/app",
    "scp option as user": "-oProxyCommand=id@github.com:acme/app",
    "ssh elsewhere": "git@evil.example:acme/app.git",
    "ssh url elsewhere": "ssh://git@evil.example/acme/app",
    "scp option as path": "git@github.com:-x/app",
    "option as segment": "https://github.com/-x/app",
    "decimal address": "https://2130706433/acme/app",
    "hex address": "https://0x7f000001/acme/app",
    "short address": "https://127.1/acme/app",
    "octal address": "https://0177.0.0.1/acme/app",
    "unicode host": "https://gıthub.com/acme/app",
    "full-width dots": "https://github。com/acme/app",
    "unicode path": "https://github.com/acmé/app",
    "drive": "C:\\repos\\app",
    "too long": "https://github.com/acme/" + "a" * 3000,
    "relative file": "file:repos/app",
    "file with host": "file://evil.example/srv/git/app",
}


@pytest.mark.parametrize("url", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_address_that_is_not_plain_is_refused_with_the_right_form(url):
    with pytest.raises(PermanentError) as refused:
        GITHUB.resolve(url)
    assert refused.value.code == "invalid_repo_url"
    assert "Use " in refused.value.next_step
    assert "secret" not in str(refused.value) + refused.value.next_step
    assert "ghs_abc" not in str(refused.value) + refused.value.next_step


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("git@git.example:acme/app.git", "https://git.example/acme/app"),
        ("ssh://git@git.example:2222/acme/app", "https://git.example/acme/app"),
        ("http://github.com/acme/app", "https://github.com/acme/app"),
        ("github.com/acme/app", "https://github.com/acme/app"),
        ("https://u:p@github.com/acme/app", "https://github.com/acme/app"),
        ("https://github.com/acme/app/tree/main", "https://github.com/acme/app"),
        ("git://github.com/acme/app.git", "https://github.com/acme/app"),
    ],
)
def test_the_refusal_names_the_form_that_works(url, form):
    with pytest.raises(PermanentError) as refused:
        GITHUB.resolve(url)
    assert form in refused.value.next_step


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/acme/app",
        "https://gitlab.com/acme/app",
        "https://github.com.evil.example/acme/app",
        "https://github.com:8443/acme/app",
        "https://127.0.0.1/acme/app",
        "https://10.1.2.3/acme/app",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/acme/app",
        "https://[::ffff:10.0.0.1]/acme/app",
        "https://localhost/acme/app",
        "https://metadata.google.internal/acme/app",
        "/srv/git/app",
        "file:///etc/passwd",
    ],
)
def test_without_a_list_only_the_configured_host_is_allowed(url):
    with pytest.raises(PermanentError) as refused:
        GITHUB.resolve(url)
    assert refused.value.code == "repo_not_allowed"
    assert "ALLOWED_REPOS" in refused.value.next_step


@pytest.mark.parametrize(
    ("rules", "url", "code_host", "key", "canonical", "decided"),
    [
        (ENTERPRISE, "git@git.corp.example:a/b.git", "", "git.corp.example:8443/a/b",
         "https://git.corp.example:8443/a/b", "github"),
        (ENTERPRISE, "https://git.corp.example:8443/a/b", "github", "git.corp.example:8443/a/b",
         "https://git.corp.example:8443/a/b", "github"),
        (GITLAB, "git@gl.example:team/sub/app.git", "", "gl.example/forge/team/sub/app",
         "https://gl.example/forge/team/sub/app", "gitlab"),
        (GITLAB, "https://gl.example/forge/team/app", "", "gl.example/forge/team/app",
         "https://gl.example/forge/team/app", "gitlab"),
        (LOOPBACK, "http://127.0.0.1:9001/a/b.git", "", "127.0.0.1:9001/a/b",
         "http://127.0.0.1:9001/a/b", "github"),
        (LOOPBACK, "http://127.0.0.1:9002/a/b.git", "", "127.0.0.1:9002/a/b",
         "http://127.0.0.1:9002/a/b", "gitlab"),
        (LOOPBACK, "git@127.0.0.1:a/b.git", "gitlab", "127.0.0.1:9002/a/b",
         "http://127.0.0.1:9002/a/b", "gitlab"),
    ],
    ids=["enterprise by ssh", "enterprise", "gitlab below a path by ssh", "gitlab below a path",
         "github double", "gitlab double beside it", "ssh to the host that was asked for"],
)  # fmt: skip
def test_configured_hosts_are_known_by_host_and_port(rules, url, code_host, key, canonical, decided):
    found = rules.resolve(url, code_host)
    assert (found.key, found.url, found.code_host) == (key, canonical, decided)


def test_another_port_of_the_configured_private_host_is_refused():
    with pytest.raises(PermanentError, match="repo_not_allowed"):
        RepositoryRules(github_base_url="https://127.0.0.1:9001").resolve("https://127.0.0.1:9002/a/b")


def test_plain_http_on_another_port_of_an_http_host_is_refused():
    with pytest.raises(PermanentError, match="invalid_repo_url"):
        LOOPBACK.resolve("http://127.0.0.1:9003/a/b")


@pytest.mark.parametrize(
    ("allowed", "url", "ok"),
    [
        ("https://git.example/acme/*", "https://git.example/acme/app", True),
        ("https://git.example/acme/*", "https://git.example/acme/sub/app.git", True),
        ("https://git.example/acme/*", "https://git.example/other/app", False),
        ("https://git.example/acme/*", "https://git.example.evil.example/acme/app", False),
        ("https://git.example/acme/*", "https://git.example:8443/acme/app", False),
        ("https://git.example/acme/*", "https://github.com/acme/app", False),
        ("https://git.example/acme/app.git", "https://git.example/acme/app", True),
        ("https://git.example/acme/app", "https://git.example/acme/app2", False),
        ("git.example", "https://git.example/any/thing", True),
        ("https://*.example/acme/*", "https://a.example/acme/app", True),
        ("https://*.example/*", "https://evil.test/x.example/app", False),
        ("https://10.0.0.5:3000/*", "https://10.0.0.5:3000/acme/app", True),
        ("http://10.0.0.5:3000/*", "http://10.0.0.5:3000/acme/app", True),
        ("https://*/*", "https://10.0.0.5/acme/app", False),
        ("https://*/*", "https://localhost/acme/app", False),
        ("https://[fd00::1]/*", "https://[fd00::1]/acme/app", True),
        ("https://[fd00::1]:3000/*", "https://[fd00::1]:3000/acme/app", True),
    ],
)
def test_the_list_of_allowed_repositories_decides_alone(allowed, url, ok):
    rules = RepositoryRules(allowed_repos=(allowed,))
    if ok:
        assert rules.resolve(url).code_host == "github"
        return
    with pytest.raises(PermanentError) as refused:
        rules.resolve(url)
    assert refused.value.code == "repo_not_allowed"


def test_a_contradicting_code_host_is_refused_and_an_unknown_one_too():
    with pytest.raises(PermanentError, match="code_host_mismatch"):
        GITHUB.resolve("https://github.com/acme/app", "gitlab")
    with pytest.raises(PermanentError, match="unknown_code_host"):
        GITHUB.resolve("https://github.com/acme/app", "bitbucket")
    with pytest.raises(PermanentError, match="code_host_mismatch"):
        RepositoryRules(allowed_repos=("/srv",)).resolve("/srv/app", "github")


@pytest.mark.parametrize(
    ("default", "asked", "decided"),
    [
        ("github", "", "github"),
        ("gitlab", "", "gitlab"),
        ("github", "gitlab", "gitlab"),
        ("local", "", "local"),
    ],
)
def test_elsewhere_the_request_decides_then_the_default(default, asked, decided):
    rules = RepositoryRules(code_host=default, allowed_repos=("https://git.example/*",))
    assert rules.resolve("https://git.example/acme/app", asked).code_host == decided


def test_a_well_known_host_decides_whatever_the_default_is():
    rules = RepositoryRules(code_host="local", allowed_repos=("https://gitlab.com/*",))
    assert rules.resolve("https://gitlab.com/acme/app").code_host == "gitlab"


class TestLocal:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "git" / "app.git").mkdir(parents=True)
        (tmp_path / "outside.git").mkdir()
        return tmp_path / "git"

    @pytest.mark.parametrize(
        "form", ["{}/app.git", "file://{}/app.git", "file://localhost{}/app.git/", "{}/app"]
    )
    @pytest.mark.parametrize(
        "entry", ["{}", "file://{}", "{}/*", "file://{}/**", "{}/", "{}/app.git", "{}/a*"]
    )
    def test_a_bare_remote_below_the_folder_has_one_key(self, root, form, entry):
        rules = RepositoryRules(code_host="local", allowed_repos=(entry.format(root),))
        found = rules.resolve(form.format(root))
        assert found.key == f"local{root}/app"
        assert found.code_host == "local"
        assert found.url.startswith(f"file://{root}/app")

    def test_a_path_outside_or_a_link_leading_out_is_refused(self, root):
        (root / "link.git").symlink_to(root.parent / "outside.git")
        (root / "hidden").mkdir()
        (root / "hidden" / ".git").symlink_to(root.parent / "outside.git")
        rules = RepositoryRules(code_host="local", allowed_repos=(str(root),))
        for path in ("/etc", f"{root}-other/app", f"{root}/link.git", f"{root}/link", f"{root}/hidden"):
            with pytest.raises(PermanentError, match="repo_not_allowed"):
                rules.resolve(path)

    @pytest.mark.parametrize("tail", ["/../outside.git", "/./app.git", "/$x", "/a\nb", "//app", "/%2e%2e/x"])
    def test_dots_and_expansions_are_refused(self, root, tail):
        rules = RepositoryRules(code_host="local", allowed_repos=(str(root),))
        for prefix in ("", "file://"):
            with pytest.raises(PermanentError, match="invalid_repo_url"):
                rules.resolve(f"{prefix}{root}{tail}")

    def test_the_folder_may_itself_be_reached_by_a_link(self, root):
        alias = root.parent / "alias"
        alias.symlink_to(root)
        rules = RepositoryRules(code_host="local", allowed_repos=(str(alias),))
        assert rules.resolve(f"{alias}/app.git").key == f"local{root}/app"

    def test_local_needs_a_list(self, root):
        with pytest.raises(PermanentError, match="repo_not_allowed"):
            RepositoryRules(code_host="local").resolve(f"{root}/app.git")

    def test_an_empty_file_address_opens_nothing(self, root):
        with pytest.raises(PermanentError, match="repo_not_allowed"):
            RepositoryRules(code_host="local", allowed_repos=("file://",)).resolve(f"{root}/app.git")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
     "[fd00::1]", "fe80::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "localhost", "redis",
     "a.internal", "224.0.0.1", "fec0::1", "[feff::1]", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1",
     "::127.0.0.1", "::ffff:0:10.0.0.1", "192.88.99.1", "3fff::1", "5f00::1",
     "::8.8.8.8", "192.0.0.8", "192.0.0.170", "::ffff:192.0.0.8", "2002:c000:8::",
     "64:ff9b::c000:8", "::ffff:224.0.0.1"],
)  # fmt: skip
def test_private_addresses_and_names_are_known(host):
    assert private_host(host)


@pytest.mark.parametrize(
    "host",
    ["8.8.8.8", "192.0.1.1", "github.com", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8",
     "internal.example.com"],
)  # fmt: skip
def test_public_addresses_and_names_are_not_private(host):
    assert not private_host(host)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://gl.example/forge/acme/shop.git", "gl.example/forge/acme/shop"),
        ("https://gl.example/forge/acme/web/apps/shop", "gl.example/forge/acme/web/apps/shop"),
        ("https://gl.example/forge/acme/issues/shop", "gl.example/forge/acme/issues/shop"),
        ("git@gl.example:acme/web/shop.git", "gl.example/forge/acme/web/shop"),
    ],
)
def test_a_gitlab_below_a_path_has_groups_in_groups(url, key):
    found = GITLAB.resolve(url)
    assert (found.key, found.url, found.code_host) == (key, f"https://{key}", "gitlab")


@pytest.mark.parametrize(
    "url",
    [
        "https://gl.example/forge/acme/web/shop/-/merge_requests/1",
        "https://gl.example/forge/acme/shop/-/tree/main",
        "https://gl.example/forge/acme",
    ],
)
def test_a_page_of_a_gitlab_is_no_project(url):
    with pytest.raises(PermanentError) as caught:
        GITLAB.resolve(url)
    assert caught.value.code == "invalid_repo_url" and caught.value.next_step
