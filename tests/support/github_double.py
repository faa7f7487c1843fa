"""A small GitHub Enterprise: the part of the REST API we use, over real bare repositories.

The API is at ``/api/v3`` and git at ``/<owner>/<name>.git`` of one port. Git decides what a branch is;
this keeps only the pull requests, in ``github.json`` beside the repositories, so that they survive
``kill -9``. Run alone: ``python -m tests.support.github_double --root DIR --port N --token T``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import github_bodies as bodies
from tests.support.git_server import GitServer, git, listening

API = "/api/v3"
Json = dict[str, Any]


@dataclass
class ApiFaults:
    """What goes wrong with API requests of ``method`` (any when empty) whose path contains ``path``.

    ``after`` lets the work be done first: the answer is then lost (``drop``) or replaced (``status``).
    """

    status: int | None = None
    message: str = "planned"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    after: bool = False
    method: str = ""
    path: str = ""
    times: int = 1_000_000

    def hits(self, request: web.Request) -> bool:
        """Say whether this request is meant, and count it."""
        meant = (self.status or self.drop) and request.method == (self.method or request.method)
        if not meant or self.path not in request.path or self.times <= 0:
            return False
        self.times -= 1
        return True


@dataclass
class Exchange:
    """One API request and its answer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int
    answer: Any


class _Refused(Exception):
    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"message": message, "documentation_url": "https://docs", **more}


class GitHubDouble:
    """The double. ``login`` is whom the token belongs to; ``collaborators`` may be asked for review."""

    def __init__(self, root: Path, token: str) -> None:
        self.root = root
        self.token = token
        self.login = "ai-ops-bot"
        self.collaborators = {"ada", "grace"}
        self.git = GitServer(root, token)
        self.faults = ApiFaults()
        self.exchanges: list[Exchange] = []
        self.url = ""
        # One thread of its own: clients in this process may hold all of the loop's.
        self._threads = ThreadPoolExecutor(1)
        self._file = root / "github.json"
        self._pulls: dict[str, list[Json]] = json.loads(self._file.read_text()) if self._file.exists() else {}

    @property
    def api_url(self) -> str:
        """The API root."""
        return self.url + API

    def pulls(self, name: str) -> list[Json]:
        """Return the pull requests of ``owner/name`` as they are kept."""
        return self._pulls.get(name, [])

    def count(self, method: str, path: str = "") -> int:
        """Return how many requests of a method named a path."""
        return sum(e.method == method and path in e.path for e in self.exchanges)

    def close(self, name: str, number: int) -> None:
        """Close a pull request unmerged, as a person would."""
        self._change(name, number, state="closed", closed_at=_now())

    def merge(self, name: str, number: int) -> str:
        """Merge a pull request with real git, as a person would; return the merge commit."""
        kept, bare = self._kept(name, number), self._bare(name)
        tree = git("merge-tree", "--write-tree", kept["base"], kept["head"], cwd=bare)
        parents = ("-p", kept["base"], "-p", kept["head"])
        sha = git("commit-tree", tree, *parents, "-m", f"Merge pull request #{number}", cwd=bare)
        git("update-ref", f"refs/heads/{kept['base']}", sha, cwd=bare)
        now = _now()
        self._change(name, number, state="closed", closed_at=now, merged_at=now, merge_commit_sha=sha)
        return sha

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[GitHubDouble]:
        """Serve on a loopback port; ``url`` is its root."""
        async with listening(self.application(), port) as bound:
            self.url = self.git.url = f"http://127.0.0.1:{bound}"
            yield self

    def application(self) -> web.Application:
        """Return the application: the API and git."""
        app = web.Application(client_max_size=1 << 30)
        repo = API + "/repos/{owner}/{name}"
        routes: list[tuple[str, str, Callable[[web.Request, Any], tuple[int, Any]]]] = [
            ("GET", API + "/user", self._user),
            ("GET", API + "/search/issues", self._search),
            ("GET", repo, self._repository),
            ("GET", repo + "/git/ref/{ref:.+}", self._ref),
            ("GET", repo + "/pulls", self._list),
            ("POST", repo + "/pulls", self._create),
            ("GET", repo + "/pulls/{number}", self._show),
            ("PATCH", repo + "/pulls/{number}", self._edit),
            ("PUT", repo + "/pulls/{number}/merge", self._merge),
            ("POST", repo + "/pulls/{number}/requested_reviewers", self._reviewers),
            ("POST", repo + "/issues/{number}/labels", self._labels),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, self._handled(handler))
        app.router.add_route("*", API + "/{rest:.*}", self._handled(self._unknown))
        app.add_routes(self.git.routes())
        return app

    def _handled(
        self, handler: Callable[[web.Request, Any], tuple[int, Any]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            body = json.loads(raw) if raw else None
            fault, headers = self.faults.hits(request), {"X-GitHub-Request-Id": "1"}
            status, answer = 0, None
            if not fault or self.faults.after:
                work = (self._answer, handler, request, body)
                status, answer = await asyncio.get_running_loop().run_in_executor(self._threads, *work)
            if fault and self.faults.status:
                status, answer = self.faults.status, {"message": self.faults.message}
                headers |= self.faults.headers
            query, sent = dict(request.query), dict(request.headers)
            self.exchanges.append(Exchange(request.method, request.path, query, sent, body, status, answer))
            if fault and self.faults.drop:
                request.transport.abort()
            return web.json_response(answer, status=status or 500, headers=headers)

        return handle

    def _answer(
        self, handler: Callable[[web.Request, Any], tuple[int, Any]], request: web.Request, body: Any
    ) -> tuple[int, Any]:
        try:
            if request.headers.get("Authorization") not in (f"token {self.token}", f"Bearer {self.token}"):
                raise _Refused(401, "Bad credentials")
            return handler(request, body)
        except _Refused as refused:
            return refused.status, refused.body

    # --- what is asked ---

    def _unknown(self, request: web.Request, body: Any) -> tuple[int, Any]:
        raise _Refused(404, "Not Found")

    def _user(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, bodies.private_user(self.api_url, self.login)

    def _repository(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self._name(request)
        return 200, bodies.repository(self.api_url, name, self._default_branch(name))

    def _ref(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, ref = self._name(request), request.match_info["ref"]
        sha = self._sha(name, ref.removeprefix("heads/")) if ref.startswith("heads/") else None
        if sha is None:
            raise _Refused(404, "Not Found")
        url = f"{self.api_url}/repos/{name}/git"
        target = {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"}
        return 200, {"ref": f"refs/{ref}", "node_id": "REF", "url": f"{url}/refs/{ref}", "object": target}

    def _list(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, query = self._name(request), request.query
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
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        return 200, [self._simple(name, kept) for kept in found[size * (page - 1) : size * page]]

    def _create(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self._name(request)
        owner, head, base = name.partition("/")[0], str(body.get("head", "")), str(body.get("base", ""))
        branch = head.removeprefix(f"{owner}:")
        head_sha, base_sha = self._sha(name, branch), self._sha(name, base)
        for side, sha in (("head", head_sha), ("base", base_sha)):
            if sha is None:
                self._invalid({"resource": "PullRequest", "field": side, "code": "invalid"})
        if git("rev-list", "--count", f"{base}..{branch}", cwd=self._bare(name)) == "0":
            self._invalid(_custom(f"No commits between {base} and {branch}"))
        if any(k["state"] == "open" and (k["head"], k["base"]) == (branch, base) for k in self.pulls(name)):
            self._invalid(_custom(f"A pull request already exists for {owner}:{branch}."))
        if not body.get("title"):
            self._invalid({"resource": "PullRequest", "field": "title", "code": "missing_field"})
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
            "labels": [],
            "reviewers": [],
            "created_at": _now(),
            "updated_at": _now(),
            "closed_at": None,
            "merged_at": None,
            "merge_commit_sha": None,
        }
        self._pulls.setdefault(name, []).append(kept)
        self._keep()
        return 201, bodies.whole(self._simple(name, kept))

    def _show(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = self._name(request)
        return 200, bodies.whole(self._simple(name, self._kept(name, self._number(request))))

    def _edit(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self._name(request), self._number(request)
        changes = {key: body[key] for key in ("title", "body", "state", "base") if key in body}
        if changes.get("state") == "closed":
            changes["closed_at"] = _now()
        self._change(name, number, **changes)
        return self._show(request, body)

    def _merge(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self._name(request), self._number(request)
        if self._kept(name, number)["state"] != "open":
            raise _Refused(405, "Pull Request is not mergeable")
        sha = self.merge(name, number)
        return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}

    def _reviewers(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number, wanted = self._name(request), self._number(request), body.get("reviewers", [])
        if self.login in wanted:
            raise _Refused(422, "Review cannot be requested from pull request author.")
        if not set(wanted) <= self.collaborators or body.get("team_reviewers"):
            raise _Refused(422, "Reviews may only be requested from collaborators.")
        self._change(name, number, reviewers=[*self._kept(name, number)["reviewers"], *wanted])
        return 201, self._simple(name, self._kept(name, number))

    def _labels(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name, number = self._name(request), self._number(request)
        wanted = body["labels"] if isinstance(body, dict) else body
        labels = list(dict.fromkeys([*self._kept(name, number)["labels"], *wanted]))
        self._change(name, number, labels=labels)
        return 200, [bodies.label(self.api_url, text) for text in labels]

    def _search(self, request: web.Request, body: Any) -> tuple[int, Any]:
        words = [w.strip('"') for w in request.query.get("q", "").split() if ":" not in w]
        found = [
            bodies.found_issue(self.api_url, name, self._simple(name, kept))
            for name, pulls in self._pulls.items()
            for kept in pulls
            if all(word in f"{kept['title']} {kept['body']}" for word in words)
        ]
        return 200, {
            "total_count": len(found),
            "incomplete_results": False,
            "search_type": "lexical",
            "items": found,
        }

    # --- what is kept ---

    def _bare(self, name: str) -> Path:
        return self.root / f"{name}.git"

    def _name(self, request: web.Request) -> str:
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        if not self._bare(name).is_dir():
            raise _Refused(404, "Not Found")
        return name

    def _number(self, request: web.Request) -> int:
        text = request.match_info["number"]
        return int(text) if text.isdigit() else 0

    def _kept(self, name: str, number: int) -> Json:
        for kept in self.pulls(name):
            if kept["number"] == number:
                return kept
        raise _Refused(404, "Not Found")

    def _simple(self, name: str, kept: Json) -> Json:
        now = self._sha(name, kept["head"]) if kept["state"] == "open" else None
        shown = {**kept, "head_sha": now or kept["head_sha"]}
        return bodies.pull_request(self.api_url, name, shown, self.login, self._default_branch(name))

    def _change(self, name: str, number: int, **changes: Any) -> None:
        self._kept(name, number).update(changes, updated_at=_now())
        self._keep()

    def _keep(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._pulls, indent=1))
        fresh.replace(self._file)

    def _sha(self, name: str, branch: str) -> str | None:
        listed = git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", cwd=self._bare(name))
        return listed.split("\n")[0] or None

    def _default_branch(self, name: str) -> str:
        return git("symbolic-ref", "--short", "HEAD", cwd=self._bare(name))

    def _invalid(self, *errors: Json) -> None:
        raise _Refused(422, "Validation Failed", errors=list(errors))


def _custom(message: str) -> Json:
    return {"resource": "PullRequest", "code": "custom", "message": message}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", required=True)
    options = parser.parse_args()
    options.root.mkdir(parents=True, exist_ok=True)
    async with GitHubDouble(options.root, options.token).running(options.port) as double:
        print(f"listening on {double.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
