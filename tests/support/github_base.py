"""What all parts of the GitHub double stand on: names, numbers, who acts, and kept pull requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import github_bodies as bodies
from tests.support.api_double import ApiDouble, Json, Refused

STORAGE = "/storage"
"""Where job logs lie; an address there is signed and wants no token."""


class GitHubBase(ApiDouble):
    """Names and kept pull requests."""

    def __init__(self, root: Path, token: str) -> None:
        super().__init__(root, token)
        self.teams = {"platform"}

    @property
    def api_url(self) -> str:
        """The API root."""
        return self.url + bodies.API

    def name(self, request: web.Request) -> str:
        """Return the ``owner/name`` that a request names and may see."""
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        if not self.bare(name).is_dir():
            raise Refused(404, {"message": "Not Found"})
        return name

    def number(self, request: web.Request) -> int:
        """Return the number that a request names."""
        text = request.match_info["number"]
        return int(text) if text.isdigit() else 0

    def pull(self, name: str, number: int) -> Json:
        """Return a pull request as it is kept."""
        for kept in self.pulls(name):
            if kept["number"] == number:
                return kept
        raise Refused(404, {"message": "Not Found"})

    def simple(self, name: str, kept: Json) -> Json:
        """Return a pull-request-simple."""
        now = self.sha(name, kept["head"]) if kept["state"] == "open" else None
        shown = {**kept, "head_sha": now or kept["head_sha"]}
        return bodies.pull_request(self.api_url, name, shown, self.default_branch(name))

    def change(self, name: str, number: int, **changes: Any) -> None:
        """Change a kept pull request."""
        self.pull(name, number).update(changes, updated_at=self.moment())
        self.keep()

    def actor(self, request: web.Request) -> str:
        """Return whose token a request bears."""
        raise NotImplementedError
