"""Settings in, code hosts out: the hosts themselves, and git with the credential of each."""

from __future__ import annotations

from urllib.parse import urlsplit

from ai_ops.core.ports import CodeHost, Comments, PullRequests
from ai_ops.flow.repository import Repository
from ai_ops.settings import Settings
from ai_ops.vcs import github, gitlab
from ai_ops.vcs.credentials import Credential, token_credential
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost
from ai_ops.vcs.github_account import AppAccount, GitHubAccount, TokenAccount
from ai_ops.vcs.gitlab import GitLabHost
from ai_ops.vcs.local import LocalHost
from ai_ops.vcs.merging import Author
from ai_ops.vcs.signing import Signer
from ai_ops.wiring.adapters import repository_rules
from ai_ops.wiring.masking import secret


def github_account(settings: Settings) -> GitHubAccount:
    """Return who we are on GitHub: the App where one is set, else the owner of the token."""
    if settings.github_app_id:
        key = secret(settings.github_app_private_key)
        return AppAccount(settings.github_base_url, settings.github_app_id, key)
    return TokenAccount(settings.github_base_url, secret(settings.github_token))


def git_client(settings: Settings, account: GitHubAccount | None = None) -> GitClient:
    """Return git, with a host's token only for the repositories of that host.

    Args:
        settings: the configuration.
        account: who we are on GitHub; one is made when it is not given. Shared with the host, its tokens are.
    """
    account = account or github_account(settings)
    roots = [urlsplit(root) for root in (settings.github_base_url, settings.gitlab_base_url)]

    def credentials(repository: Repository) -> Credential | None:
        # A repository elsewhere may count as one of a host's by its code_host; the token stays at home.
        if repository.code_host == "github" and _lies_in(
            repository, github.home_of(settings.github_base_url)
        ):
            has_one = settings.github_app_id or settings.github_token
            name = repository.key.partition("/")[2]
            return token_credential("github", account.token(name)) if has_one else None
        if repository.code_host == "gitlab" and _lies_in(
            repository, gitlab.home_of(settings.gitlab_base_url)
        ):
            return token_credential("gitlab", secret(settings.gitlab_token))
        return None

    return GitClient(
        settings.data_dir.absolute() / "mirrors",
        credentials,
        allow_file=settings.code_host == "local" or bool(settings.allowed_repos),
        http_hosts=[root.netloc for root in roots if root.scheme == "http"],
        is_named=repository_rules(settings).names,
        author=author(settings),
    )


def author(settings: Settings) -> Author:
    """Return who commits, and signs where there is a key."""
    key = settings.commit_signing_key
    return Author(settings.commit_author_name, settings.commit_author_email, Signer(key) if key else None)


def hosts(
    settings: Settings,
    pull_requests: PullRequests,
    comments: Comments,
    git: GitClient,
    account: GitHubAccount | None = None,
) -> dict[str, CodeHost]:
    """Return the code hosts by name."""
    return {
        "local": LocalHost(pull_requests, comments, git),
        "github": GitHubHost(settings.github_base_url, account or github_account(settings)),
        "gitlab": GitLabHost(settings.gitlab_base_url, secret(settings.gitlab_token)),
    }


def _lies_in(repository: Repository, home: str) -> bool:
    return repository.key.startswith(f"{home}/")
