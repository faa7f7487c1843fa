"""What people and machines say about a pull request at the GitHub double: comments, reviews, checks."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from tests.support import github_talk_bodies as bodies
from tests.support.api_double import Answer, Handler, Json, Refused, page
from tests.support.git_server import git
from tests.support.github_base import STORAGE, GitHubBase

_CONCLUSIONS = {"passed": "success", "failed": "failure", "skipped": "skipped", "neutral": "neutral"}
_STATUSES = {"passed": "success", "failed": "failure", "pending": "pending"}


class TalkDouble(GitHubBase):
    """Comments, reviews and checks, said by people through methods and read by the API."""

    def say(self, name: str, number: int, login: str, body: str) -> Json:
        """Comment below a pull request, as a person would."""
        return self.add("comments", name, pull=number, login=login, body=body)

    def on_line(
        self, name: str, number: int, login: str, path: str, line: int, body: str, reply_to: int = 0
    ) -> Json:
        """Comment on a line of the diff."""
        return self.add(
            "lines", name, pull=number, login=login, body=body, path=path, line=line, root=reply_to
        )

    def review(self, name: str, number: int, login: str, body: str, state: str = "CHANGES_REQUESTED") -> Json:
        """Review a pull request."""
        return self.add("reviews", name, pull=number, login=login, body=body, state=state)

    def ci(self, name: str, sha: str, check: str, state: str, *, log: str = "", status: bool = False) -> Json:
        """Let a check run, or a commit status, of a commit stand like this; ``log`` makes it a job's."""
        return self.add("statuses" if status else "checks", name, sha=sha, check=check, state=state, log=log)

    def talk_routes(self, api: str, repo: str) -> list[tuple[str, str, Handler]]:
        """Return the routes of comments, reviews and checks."""
        return [
            ("GET", repo + "/collaborators/{login}/permission", self._permission),
            ("GET", repo + "/issues/{number}/comments", self._comments),
            ("POST", repo + "/issues/{number}/comments", self._comment),
            ("GET", repo + "/pulls/{number}/comments", self._lines),
            ("POST", repo + "/pulls/{number}/comments/{id}/replies", self._reply),
            ("GET", repo + "/pulls/{number}/reviews", self._reviews),
            ("GET", repo + "/commits/{ref}/status", self._status),
            ("GET", repo + "/commits/{ref}/check-runs", self._check_runs),
            ("GET", repo + "/commits/{ref}", self._commit),
            ("GET", repo + "/check-runs/{id}", self._check_run),
            ("GET", repo + "/check-runs/{id}/annotations", self._annotations),
            ("GET", repo + "/actions/jobs/{id}/logs", self._job_log),
            ("GET", STORAGE + "/{owner}/{name}/{id}", self._stored),
        ]

    def _permission(self, request: web.Request, body: Any) -> tuple[int, Any]:
        self.name(request)
        login = request.match_info["login"]
        if login.endswith("[bot]") or login == "nobody":
            raise Refused(404, {"message": "Not Found", "documentation_url": "https://docs"})
        permission = "write" if login in self.collaborators else "read"
        return 200, bodies.permission(self.api_url, login, permission)

    def _of(self, kind: str, request: web.Request) -> list[Json]:
        name, number = self.name(request), self.number(request)
        self.pull(name, number)
        since = request.query.get("since", "")
        return [
            one for one in self.listed(kind, name) if one["pull"] == number and one["created_at"] >= since
        ]

    def _comments(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        return 200, [
            bodies.comment(self.api_url, name, one) for one in page(request, self._of("comments", request))
        ]

    def _comment(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        self.pull(name, number)
        return 201, bodies.comment(
            self.api_url, name, self.say(name, number, self.actor(request), body["body"])
        )

    def _lines(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        return 200, [
            bodies.line(self.api_url, name, one) for one in page(request, self._of("lines", request))
        ]

    def _reply(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        root = self._numbered("lines", request)
        if root["root"]:
            raise Refused(422, {"message": "Validation Failed", "documentation_url": "https://docs"})
        made = self.on_line(
            name, number, self.actor(request), root["path"], root["line"], body["body"], reply_to=root["id"]
        )
        return 201, bodies.line(self.api_url, name, made)

    def _reviews(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        return 200, [
            bodies.review(self.api_url, name, one) for one in page(request, self._of("reviews", request))
        ]

    def _commit(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, sha = self.name(request), self._known(request)
        email, message = git("log", "-1", "--format=%ae%n%s", sha, cwd=self.bare(name)).split("\n", 1)
        login = email.partition("@")[0]
        return 200, bodies.commit(
            self.api_url, name, sha, login if login in self.collaborators else "", email, message
        )

    def _known(self, request: web.Request) -> str:
        sha = request.match_info["ref"]
        try:
            git("cat-file", "-e", f"{sha}^{{commit}}", cwd=self.bare(self.name(request)))
        except RuntimeError:
            raise Refused(
                422, {"message": f"No commit found for SHA: {sha}", "documentation_url": "d"}
            ) from None
        return sha

    def _on(self, kind: str, request: web.Request) -> list[Json]:
        sha = self._known(request)
        return [one for one in reversed(self.listed(kind, self.name(request))) if one["sha"] == sha]

    def _status(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, sha = self.name(request), self._known(request)
        latest = {one["check"]: one for one in reversed(self._on("statuses", request))}
        states = {one["check"]: _STATUSES[one["state"]] for one in latest.values()}
        shown = [bodies.status(self.api_url, name, one, states[one["check"]]) for one in latest.values()]
        order = ("failure", "pending", "success")
        worst = next((state for state in order if state in states.values()), "pending")
        return 200, bodies.combined(self.api_url, name, sha, worst, shown)

    def _check_runs(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self.name(request)
        latest = {one["check"]: one for one in reversed(self._on("checks", request))}
        runs = [self._run(name, one) for one in latest.values()]
        return 200, {"total_count": len(runs), "check_runs": runs}

    def _check_run(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, self._run(self.name(request), self._numbered("checks", request))

    def _run(self, name: str, one: Json) -> Json:
        return bodies.check_run(self.api_url, name, one, _CONCLUSIONS.get(one["state"]))

    def _annotations(self, request: web.Request, body: Any) -> tuple[int, Any]:
        one = self._numbered("checks", request)
        return 200, [bodies.annotation(self.api_url, self.name(request), one)]

    def _job_log(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, one = self.name(request), self._numbered("checks", request)
        if not one["log"]:
            raise Refused(404, {"message": "Not Found", "documentation_url": "https://docs"})
        return 302, Answer(headers={"Location": f"{self.url}{STORAGE}/{name}/{one['id']}"})

    def _stored(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, Answer(self._numbered("checks", request)["log"])

    def _numbered(self, kind: str, request: web.Request) -> Json:
        wanted = int(re.sub(r"\D", "", request.match_info["id"]) or 0)
        for one in self.listed(kind, self.name(request)):
            if one["id"] == wanted:
                return one
        raise Refused(404, {"message": "Not Found", "documentation_url": "https://docs"})
