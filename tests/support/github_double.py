"""A small GitHub Enterprise: the part of the REST API we use, over real bare repositories.

The API is at ``/api/v3`` and git at ``/<owner>/<name>.git`` of one port. What people and machines say about
a pull request is in ``github_talk``, Apps in ``github_app``. Run alone:
``python -m tests.support.github_double --root DIR --port N --token T``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import github_bodies as bodies
from tests.support.api_double import ApiFaults, Exchange, Handler, Json, Refused, page, serve_alone
from tests.support.git_server import git
from tests.support.github_app import AppDouble
from tests.support.github_talk import TalkDouble

__all__ = ["ApiFaults", "Exchange", "GitHubDouble"]


class GitHubDouble(TalkDouble, AppDouble):
    """The double."""

    file_name = "github.json"

    def __init__(self, root: Path, token: str) -> None:
        super().__init__(root, token)
        self.archived: set[str] = set()
        self.without_drafts = False

    def close(self, name: str, number: int) -> None:
        """Close a pull request unmerged, as a person would."""
        self.change(name, number, state="closed", closed_at=self.moment())

    def merge(self, name: str, number: int) -> str:
        """Merge a pull request with real git, as a person would; return the merge commit."""
        kept = self.pull(name, number)
        sha = self.merged(name, kept["base"], kept["head"], f"Merge pull request #{number}")
        now = self.moment()
        self.change(name, number, state="closed", closed_at=now, merged_at=now, merge_commit_sha=sha)
        return sha

    def api_routes(self) -> list[tuple[str, str, Handler]]:
        """Return the routes."""
        api = bodies.API
        repo = api + "/repos/{owner}/{name}"
        return [
            *self.app_routes(api, repo),
            *self.talk_routes(api, repo),
            ("GET", api + "/user", self._user),
            ("GET", api + "/search/issues", self._search),
            ("GET", repo, self._repository),
            ("GET", repo + "/git/ref/{ref:.+}", self._ref),
            ("GET", repo + "/pulls", self._list),
            ("POST", repo + "/pulls", self._create),
            ("GET", repo + "/pulls/{number}", self._show),
            ("PATCH", repo + "/pulls/{number}", self._edit),
            ("PUT", repo + "/pulls/{number}/merge", self._merge),
            ("POST", repo + "/pulls/{number}/requested_reviewers", self._reviewers),
            ("POST", repo + "/issues/{number}/labels", self._labels),
            ("POST", "/api/graphql", self._graphql),
            ("*", api + "/{rest:.*}", self._unknown),
        ]

    # --- what is asked ---

    def _unknown(self, request: web.Request, body: Any) -> tuple[int, Any]:
        raise refused(404, "Not Found")

    def _user(self, request: web.Request, body: Any) -> tuple[int, Any]:
        if self.acts_as_app(request):
            raise refused(403, "Resource not accessible by integration")
        return 200, bodies.private_user(self.api_url, self.login)

    def _repository(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        return 200, bodies.repository(self.api_url, name, self.default_branch(name))

    def _ref(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, ref = self.name(request), request.match_info["ref"]
        sha = self.sha(name, ref.removeprefix("heads/")) if ref.startswith("heads/") else None
        if sha is None:
            raise refused(404, "Not Found")
        url = f"{self.api_url}/repos/{name}/git"
        target = {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"}
        return 200, {"ref": f"refs/{ref}", "node_id": "REF", "url": f"{url}/refs/{ref}", "object": target}

    def _list(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, query = self.name(request), request.query
        owner, _, branch = query.get("head", "").partition(":")
        state, base = query.get("state", "open"), query.get("base")
        found = [
            kept
            for kept in reversed(self.pulls(name))
            if state in ("all", kept["state"])
            and (not base or kept["base"] == base)
            # Without an owner GitHub ignores the filter.
            and (not branch or (owner == name.partition("/")[0] and kept["head"] == branch))
        ]
        return 200, [self.simple(name, kept) for kept in page(request, found)]

    def _create(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        if name in self.archived:
            raise refused(403, "Repository was archived so is read-only.")
        owner, head, base = name.partition("/")[0], str(body.get("head", "")), str(body.get("base", ""))
        branch = head.removeprefix(f"{owner}:")
        head_sha, base_sha = self.sha(name, branch), self.sha(name, base)
        for side, sha in (("head", head_sha), ("base", base_sha)):
            if sha is None:
                raise invalid({"resource": "PullRequest", "field": side, "code": "invalid"})
        if git("rev-list", "--count", f"{base}..{branch}", cwd=self.bare(name)) == "0":
            raise invalid(_custom(f"No commits between {base} and {branch}"))
        if any(k["state"] == "open" and (k["head"], k["base"]) == (branch, base) for k in self.pulls(name)):
            raise invalid(_custom(f"A pull request already exists for {owner}:{branch}."))
        if not body.get("title"):
            raise invalid({"resource": "PullRequest", "field": "title", "code": "missing_field"})
        if body.get("draft") and self.without_drafts:
            raise refused(422, "Draft pull requests are not supported in this repository.")
        kept = {
            "number": len(self.pulls(name)) + 1,
            "title": body["title"],
            "body": body.get("body"),
            "draft": bool(body.get("draft")),
            "head": branch,
            "base": base,
            "head_sha": head_sha,
            "base_sha": base_sha,
            "state": "open",
            "author": self.actor(request),
            "labels": [],
            "reviewers": [],
            "teams": [],
            "created_at": self.moment(),
            "updated_at": self.moment(),
            "closed_at": None,
            "merged_at": None,
            "merge_commit_sha": None,
        }
        self.kept["pulls"].setdefault(name, []).append(kept)
        self.keep()
        return 201, bodies.whole(self.simple(name, kept), None)

    def _show(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        kept = self.pull(name, self.number(request))
        mergeable = None
        if kept["state"] == "open" and self.sha(name, kept["head"]):
            mergeable = not self.conflicts(name, kept["base"], kept["head"])
        return 200, bodies.whole(self.simple(name, kept), mergeable)

    def _edit(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        changes = {key: body[key] for key in ("title", "body", "state", "base") if key in body}
        if changes.get("state") == "closed":
            changes["closed_at"] = self.moment()
        self.change(name, number, **changes)
        return self._show(request, body)

    def _merge(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        if self.pull(name, number)["state"] != "open":
            raise refused(405, "Pull Request is not mergeable")
        sha = self.merge(name, number)
        return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}

    def _reviewers(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        kept, wanted, teams = (
            self.pull(name, number),
            body.get("reviewers", []),
            body.get("team_reviewers", []),
        )
        if kept["author"] in wanted:
            raise refused(422, "Review cannot be requested from pull request author.")
        if not set(wanted) <= self.collaborators or not set(teams) <= self.teams:
            raise refused(422, "Reviews may only be requested from collaborators.")
        self.change(name, number, reviewers=[*kept["reviewers"], *wanted], teams=[*kept["teams"], *teams])
        return 201, self.simple(name, self.pull(name, number))

    def _labels(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        wanted = body["labels"] if isinstance(body, dict) else body
        labels = list(dict.fromkeys([*self.pull(name, number)["labels"], *wanted]))
        self.change(name, number, labels=labels)
        return 200, [bodies.label(self.api_url, text) for text in labels]

    def _search(self, request: web.Request, body: Any) -> tuple[int, Any]:
        words = [w.strip('"') for w in request.query.get("q", "").split() if ":" not in w]
        found = [
            bodies.found_issue(self.api_url, name, self.simple(name, kept))
            for name, pulls in self.kept["pulls"].items()
            for kept in pulls
            if all(word in f"{kept['title']} {kept['body']}" for word in words)
        ]
        return 200, {
            "total_count": len(found),
            "incomplete_results": False,
            "search_type": "lexical",
            "items": found,
        }

    def _graphql(self, request: web.Request, body: Any) -> tuple[int, Any]:
        """Make drafts ready, and ready ones drafts: the two mutations that REST has no word for."""
        node = body["variables"]["input"]["pullRequestId"]
        found = [
            (name, kept)
            for name, pulls in self.kept["pulls"].items()
            for kept in pulls
            if bodies.node_id(name, kept["number"]) == node
        ]
        if not found:
            words = f"Could not resolve to a node with the global id of '{node}'."
            return 200, {"data": None, "errors": [{"type": "NOT_FOUND", "message": words}]}
        [(name, kept)] = found
        draft = "convertPullRequestToDraft" in body["query"]
        mutation = "convertPullRequestToDraft" if draft else "markPullRequestReadyForReview"
        self.change(name, kept["number"], draft=draft)
        return 200, {"data": {mutation: {"clientMutationId": None, "pullRequest": {"isDraft": draft}}}}


def refused(status: int, message: str, **more: Any) -> Refused:
    """Return an error as GitHub words it."""
    return Refused(status, {"message": message, "documentation_url": "https://docs", **more})


def invalid(*errors: Json) -> Refused:
    """Return a refused body."""
    return refused(422, "Validation Failed", errors=list(errors))


def _custom(message: str) -> Json:
    return {"resource": "PullRequest", "code": "custom", "message": message}


if __name__ == "__main__":
    serve_alone(GitHubDouble, __doc__)
