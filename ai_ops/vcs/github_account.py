"""Who we are on GitHub: the owner of a token, or an App that is installed on repositories.

An App has no token of its own. It signs a short-lived proof with its key, and GitHub gives it a token for
one installation, which lives an hour. PyGithub blocks; all of this runs in threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import github

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.vcs.github_failures import VENDOR_ERRORS, named

DEFAULT_BASE_URL = "https://api.github.com"
_REFRESHED_BEFORE_END = timedelta(minutes=10)  # longer than any one request or push may take


class GitHubAccount(Protocol):
    """Who we are. All methods block, and raise named failures only."""

    def token(self, name: str) -> str:
        """Return the token to use now for ``owner/name``; empty when there is none."""
        ...

    def login(self) -> str:
        """Return the account that our pull requests and comments bear."""
        ...

    def check(self) -> str:
        """Return the login, or say what the token lacks, as far as GitHub tells it."""
        ...


def api(base_url: str, auth: github.Auth.Auth, timeout_seconds: int) -> github.Github:
    """Return PyGithub without its own retries and pauses, and asking only for what is used."""
    return github.Github(
        auth=auth,
        base_url=base_url,
        timeout=timeout_seconds,
        per_page=100,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
    )


class TokenAccount:
    """The owner of a token.

    Args:
        base_url: API root.
        token: the token, or a function that returns the one to use now.
        timeout_seconds: the longest that one request may wait.
    """

    def __init__(self, base_url: str, token: Callable[[], str] | str, timeout_seconds: int = 10) -> None:
        self._base_url = base_url
        self._token = token
        self._timeout = timeout_seconds

    def token(self, name: str) -> str:
        """Return the token."""
        token = self._token if isinstance(self._token, str) else self._token()
        if not token:
            raise failed("host_unauthorized", "there is no token", next_step="Set GITHUB_TOKEN.")
        return token

    def login(self) -> str:
        """Return the login of the token's owner."""
        return self._asked()[0]

    def check(self) -> str:
        """Return the login; a classic token that may not write to repositories is refused.

        Raises:
            PermanentError: ``host_scope_missing``.
        """
        login, scopes = self._asked()
        if scopes is not None and not {"repo", "public_repo"} & set(scopes):
            raise failed(
                "host_scope_missing",
                f"the token of {login} has the scopes {', '.join(filter(None, scopes)) or 'none'}",
                next_step="Give GITHUB_TOKEN another one: a classic token needs the scope repo.",
            )
        return login

    def _asked(self) -> tuple[str, list[str] | None]:
        """Return the login and the scopes, which only a classic token has."""
        with closing(api(self._base_url, github.Auth.Token(self.token("")), self._timeout)) as asked:
            try:
                login, scopes = asked.get_user().login, asked.oauth_scopes
            except VENDOR_ERRORS as error:
                raise named(error) from None
        if not login:
            raise failed(
                "host_bad_answer",
                "GitHub does not say whose token it is",
                next_step="Check that GITHUB_BASE_URL is the root of a GitHub API.",
            )
        return login, scopes


class AppAccount:
    """A GitHub App. Its tokens are kept until shortly before their end; threads may share it.

    Args:
        base_url: API root.
        app_id: the App's id (or its client id).
        private_key: its key as PEM.
        timeout_seconds: the longest that one request may wait.
        now: the present moment, for the age of tokens.
    """

    def __init__(
        self,
        base_url: str,
        app_id: str,
        private_key: str,
        *,
        timeout_seconds: int = 10,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._base_url = base_url.rstrip("/") or DEFAULT_BASE_URL
        self._app_id = app_id
        self._private_key = private_key
        self._timeout = timeout_seconds
        self._now = now
        self._lock = threading.Lock()
        self._installations: dict[str, int] = {}
        self._tokens: dict[int, tuple[str, datetime]] = {}

    def token(self, name: str) -> str:
        """Return a token of the installation on ``owner/name``, with ten minutes of life at least.

        Raises:
            PermanentError: ``host_not_found`` where the App is not installed.
        """
        with self._lock:  # one request for many waiting threads
            installation = self._installations.get(name.lower())
            kept = self._tokens.get(installation) if installation is not None else None
            if kept is not None and kept[1] - self._now() > _REFRESHED_BEFORE_END:
                return kept[0]
            return self._fresh(name)

    def login(self) -> str:
        """Return ``slug[bot]``."""
        with self._asking() as app:
            return f"{app.get_app().slug}[bot]"

    def check(self) -> str:
        """Return ``slug[bot]``; what it may do is said by its installations."""
        return self.login()

    def _fresh(self, name: str) -> str:
        with self._asking() as app:
            try:
                installation = app.get_repo_installation(*name.split("/", 1)).id
            except github.UnknownObjectException:
                raise failed(
                    "host_not_found",
                    f"the GitHub App is not installed on {name}",
                    next_step="Install it there (Settings, Integrations), or check the repository's address.",
                ) from None
            made = app.get_access_token(installation)
            self._installations[name.lower()] = installation
            self._tokens[installation] = (made.token, made.expires_at)
            return made.token

    @contextmanager
    def _asking(self) -> Iterator[github.GithubIntegration]:
        """Ask as the App itself."""
        app = github.GithubIntegration(
            auth=signing(self._app_id, self._private_key),
            base_url=self._base_url,
            timeout=self._timeout,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        with closing(app):
            try:
                yield app
            except AiOpsError:
                raise
            except VENDOR_ERRORS as error:
                raise named(error) from None


def signing(app_id: str, private_key: str) -> github.Auth.AppAuth:
    """Return what signs for an App.

    Raises:
        PermanentError: ``host_unauthorized`` for a key that signs nothing.
    """
    auth = github.Auth.AppAuth(app_id, private_key.strip() or "none")
    try:
        auth.create_jwt()
    except Exception:  # noqa: BLE001  # the signing library and its errors are PyGithub's own affair
        raise failed(
            "host_unauthorized",
            "the GitHub App's private key cannot be read",
            next_step="Set GITHUB_APP_PRIVATE_KEY_FILE to the whole .pem file that GitHub gave you.",
        ) from None
    return auth
