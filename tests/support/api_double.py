"""What the doubles of code hosts share: faults, a record of exchanges, kept state, real bare repositories.

Git decides what a branch is and what merges; a double keeps only what a host adds, in one JSON file beside
the repositories, so that it survives ``kill -9``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tests.support.git_server import GitServer, git, listening

Json = dict[str, Any]
Handler = Callable[[web.Request, Any], tuple[int, Any]]


@dataclass
class ApiFaults:
    """What goes wrong with API requests of a ``method`` (or several, or any) whose path contains ``path``.

    ``after`` lets the work be done first: the answer is then lost (``drop``) or replaced (``status``).
    ``delay`` holds the answer back, in seconds; ``body`` stands for the error's usual one.
    """

    status: int | None = None
    message: str = "planned"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    after: bool = False
    delay: float = 0.0
    method: str = ""
    path: str = ""
    times: int = 1_000_000
    body: Any = None

    def hits(self, request: web.Request) -> bool:
        """Say whether this request is meant, and count it."""
        meant = not self.method or request.method in self.method.split()
        if (
            not (self.status or self.drop or self.delay)
            or not meant
            or self.path not in request.path
            or self.times <= 0
        ):
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


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


@dataclass
class Answer:
    """An answer that is no JSON."""

    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiDouble:
    """A host. ``login`` is whom the token belongs to; ``collaborators`` may push and be asked for review."""

    file_name = "host.json"

    def __init__(self, root: Path, token: str, git_prefix: str = "") -> None:
        self.root = root
        self.token = token
        self.login = "ai-ops-bot"
        self.collaborators = {"ada", "grace"}
        self.git = GitServer(root, token, git_prefix)
        self.faults = ApiFaults()
        self.exchanges: list[Exchange] = []
        self.answer_headers: dict[str, str] = {}
        self.unchanged = 0  # answers that were 304
        self.url = ""
        # One thread of its own: clients in this process may hold all of the loop's.
        self._threads = ThreadPoolExecutor(1)
        self._file = root / self.file_name
        self.kept: Json = json.loads(self._file.read_text()) if self._file.exists() else {"pulls": {}}

    def pulls(self, name: str) -> list[Json]:
        """Return the pull requests of a repository as they are kept."""
        found: list[Json] = self.kept["pulls"].get(name, [])
        return found

    def count(self, method: str, path: str = "") -> int:
        """Return how many requests of a method named a path."""
        return sum(e.method == method and path in e.path for e in self.exchanges)

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[Self]:
        """Serve on a loopback port; ``url`` is its root."""
        async with listening(self.application(), port) as bound:
            self.url = self.git.url = f"http://127.0.0.1:{bound}"
            yield self

    def application(self) -> web.Application:
        """Return the application: the API and git."""
        app = web.Application(client_max_size=1 << 30)
        for method, path, handler in self.api_routes():
            app.router.add_route(method, path, self._handled(handler))
        app.add_routes(self.git.routes())
        return app

    def api_routes(self) -> list[tuple[str, str, Handler]]:
        """Return method, path and handler of each route."""
        raise NotImplementedError

    def authorise(self, request: web.Request) -> None:
        """Refuse a request without a good token."""
        raise NotImplementedError

    def error_body(self, message: str) -> Any:
        """Return the body of an error, for faults."""
        return {"message": message}

    def _handled(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            body = json.loads(raw) if raw else None
            faults = self.faults
            fault, headers = faults.hits(request), {"X-GitHub-Request-Id": "1"} | self.answer_headers
            status, answer = 0, None
            if fault and faults.delay:
                await asyncio.sleep(faults.delay)
            if not (fault and (faults.status or faults.drop)) or faults.after:
                work = (self._answer, handler, request, body)
                status, answer = await asyncio.get_running_loop().run_in_executor(self._threads, *work)
            if fault and faults.status:
                status, answer = faults.status, faults.body or self.error_body(faults.message)
                headers |= faults.headers
            shown = answer.text if isinstance(answer, Answer) else answer
            query, sent = dict(request.query), dict(request.headers)
            path = request.rel_url.raw_path
            self.exchanges.append(Exchange(request.method, path, query, sent, body, status, shown))
            headers |= next_page(request, answer)
            if fault and faults.drop and request.transport is not None:
                request.transport.abort()
            if isinstance(answer, Answer):
                return web.Response(status=status, text=answer.text, headers=headers | dict(answer.headers))
            if request.method == "GET" and status == 200:
                headers["ETag"] = f'"{hashlib.sha256(json.dumps(answer).encode()).hexdigest()}"'
                if request.headers.get("If-None-Match") == headers["ETag"]:
                    self.unchanged += 1
                    return web.Response(status=304, headers=headers)
            return web.json_response(answer, status=status or 500, headers=headers)

        return handle

    def _answer(self, handler: Handler, request: web.Request, body: Any) -> tuple[int, Any]:
        try:
            self.authorise(request)
            return handler(request, body)
        except Refused as refused:
            return refused.status, refused.body

    # --- what is kept ---

    def bare(self, name: str) -> Path:
        """Return the bare repository of a name."""
        return self.root / f"{name}.git"

    def keep(self) -> None:
        """Write down what is kept."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self.kept, indent=1))
        fresh.replace(self._file)

    def listed(self, kind: str, name: str) -> list[Json]:
        """Return what is kept of a kind in a repository, to be added to."""
        found: list[Json] = self.kept.setdefault(kind, {}).setdefault(name, [])
        return found

    def add(self, kind: str, name: str, **fields: Any) -> Json:
        """Keep one more of a kind, with an id of its own and the present moment; return it."""
        number = self.kept["last_id"] = self.kept.get("last_id", 100) + 1
        made = {"id": number, "created_at": self.moment(), **fields}
        self.listed(kind, name).append(made)
        self.keep()
        return made

    def moment(self) -> str:
        """Return a moment that no other one of this double equals: whole seconds, ever later."""
        last = self.kept.get("last_moment")
        now = datetime.now(UTC).replace(microsecond=0)
        if last is not None:
            now = max(now, datetime.fromisoformat(last) + timedelta(seconds=1))
        self.kept["last_moment"] = now.isoformat()
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def sha(self, name: str, branch: str) -> str | None:
        """Return the head of a branch."""
        listed = git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", cwd=self.bare(name))
        return listed.split("\n")[0] or None

    def default_branch(self, name: str) -> str:
        """Return the default branch."""
        return git("symbolic-ref", "--short", "HEAD", cwd=self.bare(name))

    def merged(self, name: str, base: str, head: str, title: str) -> str:
        """Merge with real git, as a person would; return the merge commit."""
        bare = self.bare(name)
        tree = git("merge-tree", "--write-tree", base, head, cwd=bare)
        sha = git("commit-tree", tree, "-p", base, "-p", head, "-m", title, cwd=bare)
        git("update-ref", f"refs/heads/{base}", sha, cwd=bare)
        return sha

    def conflicts(self, name: str, base: str, head: str) -> bool:
        """Ask git whether two branches conflict."""
        try:
            git("merge-tree", "--write-tree", base, head, cwd=self.bare(name))
        except RuntimeError:
            return True
        return False


def next_page(request: web.Request, answer: Any) -> dict[str, str]:
    """Return what names the next page of a list that fills this one."""
    size, number = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    if not isinstance(answer, list) or len(answer) < size:
        return {}
    following = request.url.update_query(page=str(number + 1))
    return {"Link": f'<{following}>; rel="next"', "X-Next-Page": str(number + 1)}


def page(request: web.Request, found: list[Json]) -> list[Json]:
    """Return the page of a list that is asked for."""
    size, number = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    return found[size * (number - 1) : size * number]


def serve_alone(double: Callable[[Path, str], ApiDouble], words: str | None) -> None:
    """Run a double as a program: ``--root DIR --port N --token T``."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", required=True)
    options = parser.parse_args()
    options.root.mkdir(parents=True, exist_ok=True)

    async def serve() -> None:
        async with double(options.root, options.token).running(options.port) as running:
            print(f"listening on {running.url}", flush=True)
            await asyncio.Event().wait()

    asyncio.run(serve())
