"""What may be named to git: branches, commits and addresses. Pure rules; git never sees anything else.

``git check-ref-format`` accepts names that other programs trip over, and git's addresses can run
programs (``ext::``, ``fd::``) or read as options. Whatever is not plainly good is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.flow.repository import Repository

_SHA = re.compile(r"[0-9a-f]{40}\Z")
_BRANCH_LENGTH = 200  # bytes; a ref is a file name with room for ".lock"
_BRANCH_FORBIDDEN = re.compile(
    r"[\s~^:?*\[\]\\\"'`$;|<>(){}!&\x00-\x1f\x7f]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|\./"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where git fetches from and pushes to, and the one transport it may use for it."""

    url: str
    protocol: str


def check_sha(sha: str) -> str:
    """Return a full lower-case commit id as it is, or refuse it with ``bad_commit_id``."""
    if not _SHA.match(sha):
        raise failed("bad_commit_id", f"not a full commit id: {sha[:60]!r}")
    return sha


def check_branch(branch: str) -> str:
    """Return a branch name (without ``refs/heads/``) as it is, or refuse it with ``bad_branch_name``."""
    good = (
        0 < len(branch.encode("utf-8", "replace")) <= _BRANCH_LENGTH
        and branch.isprintable()
        and not branch.startswith(("-", "/", ".", "refs/"))
        and not branch.endswith(("/", "."))
        and branch not in ("HEAD", "@")
        and not _BRANCH_FORBIDDEN.search(branch)
        and not _SHA.match(branch)
    )
    if not good:
        raise failed("bad_branch_name", f"not a usable branch name: {branch[:80]!r}")
    return branch


def address_of(repository: Repository, *, allow_file: bool, http_hosts: Collection[str]) -> Address:
    """Return what git may be given for a repository.

    ``http_hosts`` are the ``host[:port]`` for which plain http is configured; ``allow_file`` opens
    ``file://`` and absolute paths. Anything else than that and https is refused with ``bad_repository_url``.
    """
    url = repository.url
    if any(not c.isprintable() or c.isspace() for c in url):
        raise _refused("it holds white space or control characters")
    if url.startswith("/") and not url.startswith("//"):
        return _file(url, allow_file)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        raise _refused("it cannot be read") from None
    if parts.query or parts.fragment or "\\" in url:
        raise _refused("it has a query, a fragment or a backslash")
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return _file(url, allow_file)
    if "@" in parts.netloc:
        raise _refused("it holds a user name")
    if not host or host.startswith("-"):
        raise _refused("it has no usable host")
    where = f"{host}:{port}" if port else host
    if parts.scheme == "https" or (parts.scheme == "http" and where in http_hosts):
        # GitLab redirects git to this form, and we follow no redirect.
        ending = ".git" if repository.code_host == "gitlab" and not url.endswith(".git") else ""
        return Address(f"{url}{ending}", parts.scheme)
    raise _refused(f"the scheme {parts.scheme!r} is not allowed for it")


def _file(url: str, allowed: bool) -> Address:
    if not allowed:
        raise _refused("local paths are only for CODE_HOST=local")
    return Address(url, "file")


def _refused(why: str) -> AiOpsError:
    return failed("bad_repository_url", f"the repository's address is refused: {why}")
