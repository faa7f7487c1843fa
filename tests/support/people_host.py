"""The local host with accounts: who has which address, who may write, and who may be asked for a review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ai_ops.errors import TemporaryError
from ai_ops.vcs.local import LocalHost


class PeopleHost(LocalHost):
    """Keeps the promises of ``LocalHost`` and of the port's methods about people.

    ``accounts`` are logins by address, ``writers`` those that may push, ``strangers`` those that cannot be
    asked. ``asked`` are the people who were asked, each time that they were told; ``lost`` answers of
    ``request_reviewers`` get lost after it was done.
    """

    def __init__(
        self, local: LocalHost, accounts: Mapping[str, str], *, strangers: Sequence[str] = ()
    ) -> None:
        super().__init__(local._pull_requests, local._comments, local._git)
        self.accounts = dict(accounts)
        self.writers = set(self.accounts.values())
        self.strangers = set(strangers)
        self.asked: list[str] = []
        self.lost = 0

    async def request_reviewers(self, repository, number, logins):  # type: ignore[no-untyped-def]
        await self._numbered(repository, number)
        taken = tuple(login for login in logins if login not in self.strangers)
        self.asked += [login for login in taken if login not in self.asked]
        if self.lost:
            self.lost -= 1
            raise TemporaryError("host_unavailable", "the answer was lost")
        return taken

    async def login_of(self, repository, sha, email):  # type: ignore[no-untyped-def]
        return self.accounts.get(email, "")

    async def may_write(self, repository, login):  # type: ignore[no-untyped-def]
        return login in self.writers
