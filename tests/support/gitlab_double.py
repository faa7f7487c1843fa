"""A small self-managed GitLab: the part of the REST API we use, over real bare repositories.

The API is at ``/api/v4`` and git at ``/<group>/…/<name>.git`` of one port, both below ``relative_root``.
Run alone: ``python -m tests.support.gitlab_double --root DIR --port N --token T``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.support import gitlab_bodies as bodies
from tests.support.api_double import ApiFaults, Exchange, Handler, Json, Refused, page, serve_alone
from tests.support.git_server import git
from tests.support.gitlab_talk import GitLabTalk

__all__ = ["ApiFaults", "Exchange", "GitLabDouble"]

_DRAFT = re.compile(r"\s*(?:\[draft\]|draft:|\(draft\))", re.IGNORECASE)


class GitLabDouble(GitLabTalk):
    """The double. ``scopes`` are those of the token; ``archived`` holds paths of projects."""

    file_name = "gitlab.json"

    def __init__(self, root: Path, token: str, relative_root: str = "") -> None:
        super().__init__(root, token, relative_root)
        self.git.redirects = True
        self.scopes = ["api"]
        self.archived: set[str] = set()
        self.one_reviewer = False

    def close(self, name: str, number: int) -> None:
        """Close a merge request unmerged, as a person would."""
        self.change(name, number, state="closed", closed_at=self.moment())

    def merge(self, name: str, number: int, squash: bool = False) -> str:
        """Merge a merge request with real git, as a person would; return the commit on the base."""
        kept = self.pull(name, number)
        sha = self.merged(name, kept["base"], kept["head"], f"Merge branch '{kept['head']}'")
        field = "squash_commit_sha" if squash else "merge_commit_sha"
        self.change(name, number, state="merged", merged_at=self.moment(), **{field: sha})
        return sha

    def api_routes(self) -> list[tuple[str, str, Handler]]:
        """Return the routes."""
        api = self.relative_root + "/api/v4"
        project = api + "/projects/{id}"
        merge = project + "/merge_requests/{iid}"
        return [
            *self.talk_routes(project, merge),
            ("GET", api + "/user", self._user),
            ("GET", api + "/users", self._users),
            ("GET", api + "/personal_access_tokens/self", self._token),
            ("GET", project, self._project),
            ("GET", project + "/members/all", self._members),
            ("GET", project + "/repository/compare", self._compare),
            ("GET", project + "/repository/commits/{sha}/merge_requests", self._merges_of),
            ("GET", project + "/merge_requests", self._list),
            ("POST", project + "/merge_requests", self._create),
            ("GET", merge, self._show),
            ("PUT", merge, self._edit),
            ("*", api + "/{rest:.*}", self._unknown),
        ]

    def authorise(self, request: web.Request) -> None:
        """Take the token, for what its scopes allow."""
        if request.headers.get("PRIVATE-TOKEN") != self.token:
            raise Refused(401, {"message": "401 Unauthorized"})
        reading = request.method == "GET" and "read_api" in self.scopes
        if "api" not in self.scopes and not reading and not request.path.endswith("/self"):
            words = "The request requires higher privileges than provided by the access token."
            raise Refused(403, {"error": "insufficient_scope", "error_description": words, "scope": "api"})

    # --- what is asked ---

    def _unknown(self, request: web.Request, body: Any) -> tuple[int, Any]:
        raise Refused(404, {"error": "404 Not Found"})

    def _user(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, bodies.user(self.base_url, self.login)

    def _users(self, request: web.Request, body: Any) -> tuple[int, Any]:
        query = request.query
        found = [
            login
            for login in sorted(self.accounts())
            if login == query.get("username", login).lower() and query.get("search", login).startswith(login)
        ]
        return 200, [bodies.user(self.base_url, login) for login in found]

    def _token(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, bodies.token(self.login, self.scopes)

    def _project(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        return 200, bodies.project(self.base_url, name, self.default_branch(name), name in self.archived)

    def _members(self, request: web.Request, body: Any) -> tuple[int, Any]:
        self.name(request)
        query = request.query.get("query", "")
        levels = {login: 30 if login in self.collaborators else 20 for login in self.accounts()}
        return 200, [bodies.member(self.base_url, login, levels[login]) for login in levels if query in login]

    def _compare(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, base, head = self.name(request), request.query["from"], request.query["to"]
        if not (self.sha(name, base) and self.sha(name, head)):
            raise Refused(404, {"message": "404 Ref Not Found"})
        shas = git("rev-list", f"{base}..{head}", cwd=self.bare(name)).split()
        return 200, bodies.compare(self.base_url, name, base, head, shas)

    def _merges_of(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, sha = self.name(request), request.match_info["sha"]
        found = [kept for kept in self.pulls(name) if sha in (kept["head_sha"], self.sha(name, kept["head"]))]
        return 200, [self.basic(name, kept) for kept in found]

    def _list(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, query = self.name(request), request.query
        found = [
            kept
            for kept in reversed(self.pulls(name))
            if query.get("state", "all") in ("all", kept["state"])
            and query.get("source_branch", kept["head"]) == kept["head"]
            and query.get("target_branch", kept["base"]) == kept["base"]
        ]
        return 200, [self.basic(name, kept) for kept in page(request, found)]

    def _create(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        if name in self.archived:
            raise Refused(403, {"message": "403 Forbidden"})
        head, base = body["source_branch"], body["target_branch"]
        for there in self.pulls(name):
            if there["state"] == "opened" and (there["head"], there["base"]) == (head, base):
                words = (
                    f"Another open merge request already exists for this source branch: !{there['number']}"
                )
                raise Refused(409, {"message": [words]})
        labels = body.get("labels", "")
        kept = {
            "number": len(self.pulls(name)) + 1,
            "title": body["title"],
            "body": body.get("description"),
            "draft": bool(_DRAFT.match(body["title"])),
            "head": head,
            "base": base,
            "head_sha": self.sha(name, head),
            "state": "opened",
            "author": self.login,
            "labels": labels.split(",") if isinstance(labels, str) else labels,
            "reviewers": [],
            "created_at": self.moment(),
            "updated_at": self.moment(),
            "closed_at": None,
            "merged_at": None,
            "merge_commit_sha": None,
            "squash_commit_sha": None,
        }
        self.kept["pulls"].setdefault(name, []).append(kept)
        self.keep()
        return 201, self.basic(name, kept)

    def _show(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        kept = self.pull(name, self.number(request))
        return 200, self.basic(name, kept) | {"head_pipeline": self.head_pipeline(name, kept)}

    def _edit(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        self.pull(name, number)
        changes: Json = {}
        if "title" in body:
            changes = {"title": body["title"], "draft": bool(_DRAFT.match(body["title"]))}
        if "description" in body:
            changes["body"] = body["description"]
        if body.get("state_event") == "close":
            changes |= {"state": "closed", "closed_at": self.moment()}
        if "reviewer_ids" in body:
            # Who may not be asked vanishes without a word.
            ids = {bodies.user_id(login): login for login in self.collaborators}
            wanted = [ids[one] for one in body["reviewer_ids"] if one in ids]
            changes["reviewers"] = wanted[:1] if self.one_reviewer else wanted
        self.change(name, number, **changes)
        return self._show(request, body)

    # --- what is kept ---

    def name(self, request: web.Request) -> str:
        """Return the path that a request names and may see."""
        name = unquote(request.match_info["id"])
        if name.isdigit():  # what an answer calls it
            folders = (path.relative_to(self.root) for path in self.root.rglob("*.git"))
            names = {
                str(bodies.user_id(each)): each for each in (str(f).removesuffix(".git") for f in folders)
            }
            name = names.get(name, name)
        if not self.bare(name).is_dir():
            raise Refused(404, {"message": "404 Project Not Found"})
        return name


if __name__ == "__main__":
    serve_alone(GitLabDouble, __doc__)
