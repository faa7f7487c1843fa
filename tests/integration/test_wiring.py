"""What wiring decides: whose token goes where, and what is kept."""

import asyncio

import pytest

from ai_ops.core.notices import Notice
from ai_ops.flow.notification import NotificationState, Way
from ai_ops.flow.repository import Repository
from ai_ops.settings import Settings
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository
from ai_ops.vcs import gitlab
from ai_ops.vcs.github import home_of
from ai_ops.wiring.adapters import salt_of, triage_model
from ai_ops.wiring.code_hosts import git_client, github_account, hosts
from ai_ops.wiring.system import build


@pytest.mark.parametrize(
    ("base_url", "home"),
    [
        ("https://api.github.com", "github.com"),
        ("https://git.example/api/v3", "git.example"),
        ("https://git.example:8443/api/v3", "git.example:8443"),
        ("http://127.0.0.1:5000/api/v3", "127.0.0.1:5000"),
        ("https://api.acme.ghe.com", "acme.ghe.com"),
        ("", "github.com"),
    ],
)
def test_an_api_root_serves_the_repositories_of_one_host(base_url, home):
    assert home_of(base_url) == home


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("github.com/acme/shop", True),
        ("git.example/acme/shop", False),
        ("github.com:8443/acme/shop", False),
        ("github.com.evil.example/acme/shop", False),
    ],
)
def test_the_token_goes_to_its_own_host_only(tmp_path, key, given):
    settings = Settings(github_token="planted-token-value", data_dir=tmp_path)
    git = git_client(settings)
    credential = git._credentials(Repository(key, f"https://{key}", "github"))
    assert (credential is not None) is given


@pytest.mark.parametrize(
    ("base_url", "home"),
    [
        ("https://gitlab.com", "gitlab.com"),
        ("https://gl.example:443/", "gl.example"),
        ("https://gl.example/forge/", "gl.example/forge"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("", "gitlab.com"),
    ],
)
def test_a_gitlab_serves_the_projects_below_its_root(base_url, home):
    assert gitlab.home_of(base_url) == home


@pytest.mark.parametrize(
    ("key", "code_host", "user"),
    [
        ("gl.example/forge/acme/web/shop", "gitlab", "oauth2"),
        ("gl.example/forgery/acme/shop", "gitlab", None),
        ("gl.example/acme/shop", "gitlab", None),
        ("gitlab.com/acme/shop", "gitlab", None),
        ("gl.example/forge/acme/shop", "github", None),
        ("github.com/acme/shop", "github", "x-access-token"),
        ("github.com/acme/shop", "gitlab", None),
    ],
)
def test_each_token_goes_to_its_own_host_only(tmp_path, key, code_host, user):
    settings = Settings(
        github_token="planted-github-token",
        gitlab_token="planted-gitlab-token",
        gitlab_base_url="https://gl.example/forge",
        data_dir=tmp_path,
    )
    credential = git_client(settings)._credentials(Repository(key, f"https://{key}", code_host))
    assert (credential and credential.user_name) == user
    assert user is None or credential.token == f"planted-{code_host}-token"


def test_git_and_the_host_share_the_tokens_of_an_app(tmp_path):
    settings = Settings(github_app_id="7", github_app_private_key="key", data_dir=tmp_path)
    account = github_account(settings)
    account.token = lambda name: f"ghs_of_{name}"
    git = git_client(settings, account)
    repository = Repository("github.com/acme/shop", "https://github.com/acme/shop", "github")
    assert git._credentials(repository).token == "ghs_of_acme/shop"
    assert hosts(settings, None, None, git, account)["github"]._account is account


def test_the_salt_is_made_once_and_kept(tmp_path):
    salt = salt_of(tmp_path / "data")
    assert len(salt) == 32
    assert salt_of(tmp_path / "data") == salt
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["salt"]
    assert (tmp_path / "data" / "salt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({}, "claude-haiku-5-5"),
        ({"claude_triage_model": "none"}, ""),
        ({"claude_allowed_models": ("claude-opus-*",)}, ""),
        ({"claude_allowed_models": ("claude-*",)}, "claude-haiku-5-5"),
    ],
    ids=["default", "none", "not allowed", "allowed"],
)
def test_errors_are_judged_by_a_model_that_may_be_asked(settings, asked):
    assert triage_model(Settings(**settings)) == asked


async def test_a_stop_waits_for_a_message_that_is_going_out_and_marks_it(tmp_path):
    settings = Settings(
        data_dir=tmp_path / "data",
        workspaces_dir=tmp_path / "workspaces",
        receiver_email=("ada@example.com",),
    )
    came, answers = asyncio.Event(), asyncio.Event()

    class Slow:
        async def deliver(self, notification):
            came.set()
            await answers.wait()
            return "taken"

    async with build(settings, "http://ai-ops.test") as system:
        destroy = system.engine._dbos.destroy

        async def destroyed():
            assert system.mailroom._closed, "another message may begin while the threads are taken away"
            await destroy()
            asyncio.get_running_loop().call_later(0.3, answers.set)  # nothing but the mailroom waits now

        system.engine._dbos.destroy = destroyed
        system.mailroom._ways[Way.MAIL] = Slow()
        now = system.tools.clock.now()
        await system.tools.outbox.put(
            system.mailroom.notice("news:1", Notice("News", "Something."), ["ada@example.com"], now)
        )
        await asyncio.wait_for(came.wait(), 30)
    database = await open_database(settings.database)
    try:
        (kept,) = (await OutboxRepository(database).list()).items
    finally:
        await database.close()
    assert kept.state is NotificationState.SENT
