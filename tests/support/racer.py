"""One of several processes that open the pull request of one branch: commit, push, look, open, as a run does.

``python -m tests.support.racer API_URL TOKEN REPO_URL FOLDER``. It reads ``<branch> <moment> <message>`` from
stdin, begins at that moment (seconds since the epoch) and says the number of the pull request.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest
from ai_ops.flow.repository import Base, Repository
from ai_ops.vcs.credentials import token_credential
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost

PATCH = """\
diff --git a/app.py b/app.py
--- a/app.py
+++ b/app.py
@@ -1 +1 @@
-x = 1
+x = 2
"""
_LOOKS = 200


class Racer:
    """The way from a proved change to a pull request."""

    def __init__(self, api_url: str, token: str, repo_url: str, folder: Path) -> None:
        at = urlsplit(repo_url)
        self._repository = Repository(f"{at.netloc}{at.path}", f"{repo_url}.git", "github")
        self._host = GitHubHost(api_url, token)
        self._git = GitClient(folder, lambda _: token_credential("github", token), http_hosts=[at.netloc])

    async def base(self) -> Base:
        """Fetch the repository."""
        return await self._git.refresh(self._repository)

    async def run(self, base: Base, branch: str, message: str) -> HostedPullRequest:
        """Return the pull request of a branch, whoever opened it."""
        known = await self._host.find_pull_request(self._repository, branch, base.branch)
        if known is not None:
            return known
        sha = await self._git.commit(self._repository, base.sha, PATCH, message)
        try:
            await self._git.push(self._repository, sha, branch)
        except PermanentError as refused:
            if refused.code != "branch_taken":
                raise
            return await self._of_the_other(base, branch)
        wanted = NewPullRequest(branch, base.branch, "Fix it", "Because.")
        return await self._host.open_pull_request(self._repository, wanted)

    async def _of_the_other(self, base: Base, branch: str) -> HostedPullRequest:
        """Wait for the one that was faster, as a task that is retried does."""
        for _ in range(_LOOKS):
            found = await self._host.find_pull_request(self._repository, branch, base.branch)
            if found is not None:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"nobody opened the pull request of {branch}")


async def main(api_url: str, token: str, repo_url: str, folder: str) -> None:
    """Race until stdin ends."""
    racer = Racer(api_url, token, repo_url, Path(folder))
    base = await racer.base()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        branch, moment, message = line.split(maxsplit=2)
        await asyncio.sleep(max(0.0, float(moment) - time.time()))
        print((await racer.run(base, branch, message.strip())).number, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
