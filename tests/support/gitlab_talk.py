"""What people and machines say about a merge request at the GitLab double: notes, reviews, pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import gitlab_bodies as bodies
from tests.support.api_double import Answer, ApiDouble, Handler, Json, Refused, page

_STATUSES = {
    "passed": "success",
    "failed": "failed",
    "pending": "running",
    "skipped": "skipped",
    "neutral": "skipped",
}


class GitLabTalk(ApiDouble):
    """Notes and pipelines, made by people through methods and read by the API."""

    def __init__(self, root: Path, token: str, relative_root: str = "") -> None:
        super().__init__(root, token, relative_root)
        self.relative_root = relative_root

    @property
    def base_url(self) -> str:
        """The root of the instance."""
        return self.url + self.relative_root

    def accounts(self) -> set[str]:
        """Return everybody who has an account."""
        return {*self.collaborators, self.login, "stranger"}

    def name(self, request: web.Request) -> str:
        """Return the path that a request names and may see."""
        raise NotImplementedError

    def say(self, name: str, number: int, login: str, body: str) -> Json:
        """Write a note, as a person would."""
        return self._note(name, number, login, body)

    def on_line(
        self, name: str, number: int, login: str, path: str, line: int, body: str, reply_to: str = ""
    ) -> Json:
        """Write a note on a line of the diff."""
        position = {"position_type": "text", "new_path": path, "old_path": path, "new_line": line}
        return self._note(name, number, login, body, thread=reply_to, position=position)

    def review(self, name: str, number: int, login: str, body: str) -> Json:
        """Ask for changes: GitLab notes that by itself, and what was written is another note."""
        if body:
            self._note(name, number, login, body)
        return self._note(name, number, login, "requested changes", system=True)

    def ci(self, name: str, sha: str, check: str, state: str, *, log: str = "", status: bool = False) -> Json:
        """Let a job of a commit's pipeline stand like this; ``status`` puts it into one of its own."""
        source = "external" if status else "push"
        there = [p for p in self.listed("pipelines", name) if (p["sha"], p["source"]) == (sha, source)]
        pipeline = there[-1] if there else self.add("pipelines", name, sha=sha, ref="branch", source=source)
        return self.add(
            "jobs",
            name,
            pipeline=pipeline["id"],
            check=check,
            status=_STATUSES[state],
            allow_failure=False,
            log=log,
        )

    def talk_routes(self, project: str, merge: str) -> list[tuple[str, str, Handler]]:
        """Return the routes of notes and pipelines."""
        return [
            ("GET", merge + "/discussions", self._discussions),
            ("POST", merge + "/discussions/{thread}/notes", self._reply),
            ("POST", merge + "/notes", self._create_note),
            ("GET", project + "/pipelines", self._pipelines),
            ("GET", project + "/pipelines/{pipeline}", self._pipeline),
            ("GET", project + "/pipelines/{pipeline}/jobs", self._jobs),
            ("GET", project + "/jobs/{job}/trace", self._trace),
        ]

    def number(self, request: web.Request) -> int:
        """Return the number that a request names."""
        text = request.match_info["iid"]
        return int(text) if text.isdigit() else 0

    def pull(self, name: str, number: int) -> Json:
        """Return a merge request as it is kept."""
        for kept in self.pulls(name):
            if kept["number"] == number:
                return kept
        raise Refused(404, {"message": "404 Not found"})

    def change(self, name: str, number: int, **changes: Any) -> None:
        """Change a kept merge request."""
        self.pull(name, number).update(changes, updated_at=self.moment())
        self.keep()

    def basic(self, name: str, kept: Json) -> Json:
        """Return a merge-request-basic."""
        now = self.sha(name, kept["head"]) if kept["state"] == "opened" else None
        conflicts = bool(now) and self.conflicts(name, kept["base"], kept["head"])
        return bodies.merge_request(
            self.base_url, name, {**kept, "head_sha": now or kept["head_sha"]}, conflicts
        )

    def head_pipeline(self, name: str, kept: Json) -> Json | None:
        """Return the pipeline of a merge request that runs on a made-up merged result, if any."""
        found = [p for p in self.listed("pipelines", name) if p.get("merge") == kept["number"]]
        return self._shown(name, found[-1]) if found else None

    def _note(
        self,
        name: str,
        number: int,
        login: str,
        body: str,
        *,
        thread: str = "",
        system: bool = False,
        position: Json | None = None,
    ) -> Json:
        made = self.add(
            "notes",
            name,
            pull=number,
            login=login,
            body=body,
            type="DiscussionNote" if thread else None,
            system=system,
            position=position,
        )
        made["thread"] = thread or f"{made['id']:040x}"
        self.keep()
        return made

    def _discussions(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        self.pull(name, number)
        threads: dict[str, list[Json]] = {}
        for one in self.listed("notes", name):
            if one["pull"] == number:
                threads.setdefault(one["thread"], []).append(one)
        found = [bodies.discussion(self.base_url, name, *pair) for pair in threads.items()]
        return 200, page(request, found)

    def _reply(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number, thread = self.name(request), self.number(request), request.match_info["thread"]
        if all(one["thread"] != thread for one in self.listed("notes", name)):
            raise Refused(404, {"message": "404 Discussion Not Found"})
        made = self._note(name, number, self.login, body["body"], thread=thread)
        return 201, bodies.note(self.base_url, name, made)

    def _create_note(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self.name(request), self.number(request)
        self.pull(name, number)
        return 201, bodies.note(self.base_url, name, self.say(name, number, self.login, body["body"]))

    def _pipelines(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, sha = self.name(request), request.query.get("sha")
        found = [one for one in reversed(self.listed("pipelines", name)) if sha in (None, one["sha"])]
        return 200, [self._shown(name, one) for one in page(request, found)]

    def _pipeline(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, self._shown(self.name(request), self._one("pipelines", request, "pipeline"))

    def _shown(self, name: str, one: Json) -> Json:
        statuses = [job["status"] for job in self._newest(name, one["id"])]
        worst = next((s for s in ("running", "failed") if s in statuses), "success")
        return bodies.pipeline(self.base_url, name, one, one.get("status") or worst)

    def _newest(self, name: str, pipeline: int) -> list[Json]:
        newest = {job["check"]: job for job in self.listed("jobs", name) if job["pipeline"] == pipeline}
        return list(newest.values())

    def _jobs(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, pipeline = self.name(request), self._one("pipelines", request, "pipeline")
        found = page(request, self._newest(name, pipeline["id"]))
        return 200, [bodies.job(self.base_url, name, one, one["status"]) for one in found]

    def _trace(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, Answer(self._one("jobs", request, "job")["log"])

    def _one(self, kind: str, request: web.Request, part: str) -> Json:
        wanted = request.match_info[part]
        for one in self.listed(kind, self.name(request)):
            if str(one["id"]) == wanted:
                return one
        raise Refused(404, {"message": "404 Not found"})
