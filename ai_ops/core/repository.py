"""Repository identity: many spellings of an address, one key; and which repositories may be worked on.

This is the rule alone, and it reads what is written: an address in a private range is refused. Where a name
leads is looked up when git connects (``vcs.pinning``), unless the configuration spells it out: ``names``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ai_ops.core.failures import failed
from ai_ops.core.repository_url import (
    PORTS,
    Address,
    checked_path,
    checked_text,
    invalid,
    local_path,
    parsed,
    private_host,
    split,
    suggest,
    without_git,
)
from ai_ops.flow.repository import Repository

CODE_HOSTS = ("github", "gitlab", "local")
GITHUB_API = "https://api.github.com"
GITLAB = "https://gitlab.com"

_SCP = re.compile(r"(?:([^@/:]+)@)?([^@/:]+):(?!//)(.+)")
_STEM = re.compile(r"(/?\.git)+$")
_WEB_PAGES = ("tree", "blob", "issues", "pull", "pulls", "commit", "commits", "actions", "releases")


@dataclass(frozen=True, slots=True)
class RepositoryRules:
    """What is configured about repositories.

    ``code_host`` decides where neither the URL's host nor the request does. ``github_base_url`` is
    the API root, ``gitlab_base_url`` the root of the instance. ``allowed_repos`` are URL globs, and
    folders (absolute or ``file://``) below which local bare remotes may lie; empty: only the
    configured code host, which is the one ``code_host`` names and any whose base URL is not the
    public default. ``real_path`` resolves links, so that a link cannot lead out of such a folder.

    All failures of ``resolve`` are ``PermanentError``: ``invalid_repo_url``, ``repo_not_allowed``,
    ``unknown_code_host``, ``code_host_mismatch``. None of their words repeats the given text, which
    may hold a credential; the suggested form is built from checked parts.
    """

    code_host: str = "github"
    github_base_url: str = GITHUB_API
    gitlab_base_url: str = GITLAB
    allowed_repos: tuple[str, ...] = ()
    real_path: Callable[[str], str] = os.path.realpath

    def resolve(self, repo_url: str, code_host: str = "") -> Repository:
        """Return the repository an address means, or refuse it with the right form as next step."""
        wanted = code_host.strip().lower()
        if wanted and wanted not in CODE_HOSTS:
            raise failed("unknown_code_host", next_step=f"Use one of {', '.join(CODE_HOSTS)}.")
        text = checked_text(repo_url)
        if text.startswith("/") or text.lower().startswith("file:"):
            return self._local(text, wanted)
        address = self._address(text, wanted)
        hosts = self._known_hosts()
        here = [name for name, root in hosts.items() if root.same_place(address)]
        decided = self._decide(here, wanted)
        self._check_shape(address, decided)
        self._check_allowed(address, here)
        return Repository(address.key, address.url, decided)

    def names(self, netloc: str) -> bool:
        """Return whether the configuration spells out a ``host[:port]``, so that it may be a private one."""
        hosts = [root for name, root in self._known_hosts().items() if self._configured(name)]
        roots = [*hosts, *(glob.root for glob in self._globs() if glob.literal_host)]
        return any(root.netloc == netloc for root in roots)

    def _known_hosts(self) -> dict[str, Address]:
        return {
            "github": _root(self.github_base_url or GITHUB_API, github=True),
            "gitlab": _root(self.gitlab_base_url or GITLAB),
        }

    def _configured(self, name: str) -> bool:
        given = {
            "github": (self.github_base_url or GITHUB_API, GITHUB_API),
            "gitlab": (self.gitlab_base_url or GITLAB, GITLAB),
        }[name]
        return name == self.code_host or given[0].rstrip("/") != given[1]

    def _address(self, text: str, wanted: str) -> Address:
        scp = _SCP.fullmatch(text) if "://" not in text else None
        if scp:
            return self._from_ssh(scp[2], scp[3], wanted)
        parts = split(text)
        if parts.scheme in ("ssh", "git+ssh", "ssh+git"):
            return self._from_ssh(parts.hostname or "", parts.path, wanted)
        if parts.scheme not in PORTS:
            raise invalid("Only https addresses are taken.", suggest(parts.hostname or "", parts.path))
        address = parsed(parts)
        roots = [*self._known_hosts().values(), *(g.root for g in self._globs() if g.literal_host)]
        own_scheme = any(r.same_place(address) and r.scheme == "http" for r in roots)
        if address.scheme == "http" and not own_scheme:
            raise invalid("Plain http is not taken for this host.", f"https://{address.host}/{address.path}")
        return address

    def _from_ssh(self, host: str, raw_path: str, wanted: str) -> Address:
        """Map an ssh address to the https form of the configured host with the same name."""
        host = host.lower()
        host = "github.com" if host == "ssh.github.com" else host
        hosts = self._known_hosts()
        order = sorted(hosts, key=lambda name: (name != wanted, name != self.code_host))
        root = next((hosts[n] for n in order if hosts[n].host == host), None)
        if root is None:
            raise invalid(
                "ssh addresses are taken for the configured code host only.", suggest(host, raw_path)
            )
        path = checked_path(raw_path)
        prefix = f"{root.path}/" if root.path and not path.startswith(f"{root.path}/") else ""
        return Address(root.scheme, root.host, root.port, prefix + path)

    def _decide(self, here: list[str], wanted: str) -> str:
        """Return the code host: the URL's host decides where it is a known one."""
        if not here:
            decided = wanted or self.code_host
        elif wanted:
            decided = wanted if wanted in here else ""
        else:
            decided = self.code_host if self.code_host in here else here[0]
        if not decided:
            raise failed(
                "code_host_mismatch",
                f"The address lies on {here[0]}, the request says {wanted}.",
                next_step=f"Leave code_host out, or set it to {here[0]}.",
            )
        return decided

    def _check_shape(self, address: Address, code_host: str) -> None:
        if code_host == "local":
            return
        prefix = self._prefix(address, code_host)
        segments = address.path.removeprefix(prefix).split("/")
        if len(segments) < 2:
            raise invalid(
                "The address names no repository.", f"https://{address.netloc}/{prefix}<owner>/{segments[0]}"
            )
        # GitLab's names have any number of segments; ``-``, which stands before its pages, is in none.
        if code_host == "github" and len(segments) > 2 and segments[2] in _WEB_PAGES:
            raise invalid(
                "This is the address of a page, not of a repository.",
                f"{address.scheme}://{address.netloc}/{prefix}{'/'.join(segments[:2])}",
            )

    def _prefix(self, address: Address, code_host: str) -> str:
        """Return what stands before the names of a host that is served below a path; else nothing."""
        root = self._known_hosts()[code_host]
        below = root.path and root.same_place(address) and address.path.startswith(f"{root.path}/")
        return f"{root.path}/" if below else ""

    def _check_allowed(self, address: Address, here: list[str]) -> None:
        globs = self._globs()
        if self.allowed_repos:
            if any(g.matches(address) for g in globs):
                return
            advice = f"Add {address.url} to ALLOWED_REPOS, or a glob that covers it."
            raise failed("repo_not_allowed", f"{address.key} is not in ALLOWED_REPOS.", next_step=advice)
        if any(self._configured(name) for name in here):
            return
        kind = "a private network" if private_host(address.host) else "another host than the configured one"
        raise failed(
            "repo_not_allowed",
            f"{address.key} lies on {kind}.",
            next_step=f"Allow it in ALLOWED_REPOS, for example {address.scheme}://{address.netloc}/*.",
        )

    def _globs(self) -> list[_Glob]:
        return [_Glob.parse(entry) for entry in self.allowed_repos if not _is_local(entry)]

    def _local(self, text: str, wanted: str) -> Repository:
        if wanted not in ("", "local"):
            raise failed(
                "code_host_mismatch",
                f"A local path cannot lie on {wanted}.",
                next_step="Leave code_host out, or set it to local.",
            )
        path = local_path(text)
        # git also tries these spellings of a path, so none of them may lead outside.
        found = [self.real_path(path + suffix) for suffix in ("", ".git", "/.git")]
        roots = [root for entry in self.allowed_repos if (root := local_root(entry, self.real_path))]
        if not any(all(_below(real, root) for real in found) for root in roots):
            raise failed(
                "repo_not_allowed",
                "Local repositories must lie below a folder named in ALLOWED_REPOS.",
                next_step="Set ALLOWED_REPOS to that folder, for example file:///srv/git.",
            )
        return Repository(f"local{without_git(found[0])}", f"file://{found[0]}", "local")


@dataclass(frozen=True, slots=True)
class _Glob:
    """One entry of ALLOWED_REPOS. Host and path are matched apart, so ``*`` in one cannot span both."""

    root: Address
    host: str

    @classmethod
    def parse(cls, entry: str) -> _Glob:
        scheme, separator, rest = entry.strip().rpartition("://")
        scheme = scheme.lower() if separator and scheme.lower() in PORTS else "https"
        netloc, _, path = rest.partition("/")
        host, _, port = netloc.lower().rpartition("@")[2].partition(":")
        if netloc.startswith("["):
            host, _, port = netloc.lower().rpartition("]")[0] + "]", "", netloc.rpartition("]:")[2]
        number = int(port) if port.isdecimal() else PORTS[scheme]
        return cls(Address(scheme, host, number, without_git(path.strip("/")) or "*"), host)

    @property
    def literal_host(self) -> bool:
        return not set(self.host.strip("[]")) & set("*?[")

    def matches(self, address: Address) -> bool:
        if address.scheme != self.root.scheme or address.port != self.root.port:
            return False
        if not fnmatchcase(address.path, self.root.path):
            return False
        if self.literal_host:
            return address.host == self.host
        # A wildcard was not written with the private network in mind.
        return fnmatchcase(address.host, self.host) and not private_host(address.host)


def _root(base_url: str, *, github: bool = False) -> Address:
    """Return where repositories of a configured host lie; an API root names it indirectly."""
    parts = urlsplit(base_url if "://" in base_url else f"https://{base_url}")
    scheme = "http" if parts.scheme == "http" else "https"
    host, path = (parts.hostname or "").lower(), parts.path.strip("/")
    if github:
        path = re.sub(r"(^|/)api/v3$", "", path)
        if host == "api.github.com" or host.endswith(".ghe.com"):
            host = host.removeprefix("api.")
    host = f"[{host}]" if ":" in host else host
    return Address(scheme, host, parts.port or PORTS[scheme], path)


def _is_local(entry: str) -> bool:
    return entry.strip().startswith("/") or entry.strip().lower().startswith("file:")


def local_root(entry: str, real_path: Callable[[str], str] = os.path.realpath) -> str:
    """Return the real folder of a local entry of ALLOWED_REPOS, or its glob; empty for another entry."""
    if not _is_local(entry):
        return ""
    path = urlsplit(entry.strip()).path if entry.strip().lower().startswith("file:") else entry.strip()
    folder = re.sub(r"(/\*+)+$", "", path)
    if not path.startswith("/"):
        return ""
    return folder if set(folder) & set("*?[") else real_path(folder or "/")


def _below(path: str, root: str) -> bool:
    if set(root) & set("*?["):
        return fnmatchcase(path, root) or fnmatchcase(path, f"{root}/*")
    return _STEM.sub("", path) == _STEM.sub("", root) or path.startswith(f"{root.rstrip('/')}/")
