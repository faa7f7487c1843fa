"""Repository: one code repository, whatever spelling of its URL was used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as the product knows it.

    ``key`` = host[:port]/path in lower-case host, without user, ``.git`` and trailing slash; used in
    every unique key. ``url`` is the canonical address that git fetches from, without credentials.
    ``code_host`` is ``github``, ``gitlab`` or ``local``.
    """

    key: str
    url: str
    code_host: str


@dataclass(frozen=True, slots=True)
class Base:
    """The commit that a run starts from, and the branch it stands on."""

    sha: str
    branch: str
