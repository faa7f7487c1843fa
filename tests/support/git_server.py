"""A real smart-HTTP git server: ``git http-backend`` over bare repositories in a folder, with faults.

git itself decides about every push and every refusal; this only carries the bytes, checks the token,
and breaks things when a test asks for it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.test",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.test",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}


def git(*arguments: str, cwd: Path, stdin: bytes = b"", date: str = "") -> str:
    """Run git as Ada, an ordinary developer, and return what it said."""
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=_ENVIRONMENT | dates, input=stdin, capture_output=True
    )
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout.decode().strip()


def write_files(folder: Path, files: Mapping[str, str | bytes | None]) -> None:
    """Write, or with None remove, files below a folder."""
    for name, content in files.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def create_repository(
    root: Path, name: str, files: Mapping[str, str | bytes | None] | None = None, branch: str = "main"
) -> Path:
    """Make the bare repository ``root/name.git``, with one commit when there are files."""
    bare = root / f"{name}.git"
    bare.mkdir(parents=True)
    git("init", "--quiet", "--bare", f"--initial-branch={branch}", ".", cwd=bare)
    if files:
        push_files(bare, files, branch)
    return bare


def push_files(
    bare: Path, files: Mapping[str, str | bytes | None], branch: str = "main", message: str = "Work"
) -> str:
    """Commit files on a branch of a bare repository as a developer would; return the commit."""
    work = bare.parent / f".{bare.name}.work"
    if not work.exists():
        git("clone", "--quiet", str(bare), str(work), cwd=bare.parent)
    git("fetch", "--quiet", "--prune", "origin", cwd=work)
    known = git("branch", "--remotes", "--list", f"origin/{branch}", cwd=work)
    if known:
        git("checkout", "--quiet", "--detach", f"origin/{branch}", cwd=work)
    write_files(work, files)
    git("add", "--all", "--force", cwd=work)
    git("commit", "--quiet", "--allow-empty", "-m", message, cwd=work)
    git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=work)
    return git("rev-parse", "HEAD", cwd=work)


@dataclass
class GitFaults:
    """What goes wrong. ``only`` narrows it to one service: ``git-receive-pack``, ``git-upload-pack``."""

    status: int | None = None
    message: str = ""
    drop_after_apply: bool = False
    drop_midway: bool = False
    bytes_per_second: int | None = None
    redirect_to: str = ""
    only: str = ""

    def away(self, method: str, path: str) -> bool:
        """Say whether this request is meant; those that know a time say so of their own."""
        return self.only in path


@dataclass
class GitRequest:
    """One request as it came in."""

    method: str
    path: str
    user: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


class GitServer:
    """Serves ``/<owner>/<name>.git`` from ``root``. Basic auth with ``token``; none when it is empty.

    ``prefix`` stands before the path, as where a host is served below one. ``more_tokens`` are good too.
    ``redirects``: an address without ``.git`` is redirected to the one with it, as on GitLab.
    """

    def __init__(self, root: Path, token: str = "", prefix: str = "") -> None:
        self.root = root
        self.token = token
        self.prefix = prefix
        self.more_tokens: set[str] = set()
        self.redirects = False
        self.faults = GitFaults()
        self.requests: list[GitRequest] = []
        self.url = ""

    def reject_pushes(self, name: str, words: str) -> None:
        """Let a pre-receive hook refuse every push to a repository with these words."""
        hook = self.root / f"{name}.git" / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
        hook.chmod(0o755)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be mounted in an application of one's own too.

        As on GitHub, an address may leave out ``.git``.
        """
        services = "info/refs|git-upload-pack|git-receive-pack"
        return [
            web.route("*", rf"{self.prefix}/{{path:.+?}}.git/{{rest:.*}}", self._serve),
            web.route("*", rf"{self.prefix}/{{path:[^/]+/.+}}/{{rest:{services}}}", self._serve_short),
        ]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[GitServer]:
        """Serve on a free loopback port; ``url`` is its root."""
        app = web.Application(client_max_size=1 << 30)
        app.add_routes(self.routes())
        async with listening(app) as port:
            self.url = f"http://127.0.0.1:{port}"
            yield self

    def _authorised(self, request: web.Request) -> tuple[bool, str]:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if not self.token:
            return True, "anonymous"
        if kind.lower() != "basic":
            return False, ""
        user, _, password = base64.b64decode(value).decode().partition(":")
        return password in {self.token, *self.more_tokens}, user

    async def _serve_short(self, request: web.Request) -> web.StreamResponse:
        if self.redirects:
            whole = f"{self.prefix}/{request.match_info['path']}.git/{request.match_info['rest']}"
            return web.Response(status=301, headers={"Location": f"{whole}?{request.query_string}"})
        return await self._serve(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        good, user = self._authorised(request)
        self.requests.append(GitRequest(request.method, request.path_qs, user, dict(request.headers)))
        if not good:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        faults = self.faults if self.faults.away(request.method, request.path_qs) else GitFaults()
        if faults.redirect_to:
            return web.Response(status=302, headers={"Location": faults.redirect_to + request.path_qs})
        if faults.status:
            return web.Response(status=faults.status, text=faults.message)
        return await self._backend(request, user, faults)

    async def _backend(self, request: web.Request, user: str, faults: GitFaults) -> web.StreamResponse:
        body = await request.read()
        headers = request.headers
        child = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_ENVIRONMENT
            | {
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": "/{path}.git/{rest}".format_map(request.match_info),
                "QUERY_STRING": request.query_string,
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                # aiohttp has inflated a gzip body already
                "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
                "REMOTE_USER": user or "anonymous",
                "REMOTE_ADDR": "127.0.0.1",
            },
        )
        output, _ = await child.communicate(body)
        head, _, content = output.partition(b"\r\n\r\n")
        if faults.drop_after_apply and request.method == "POST":
            request.transport.abort()
            return web.Response()
        return await _answer(request, head.decode(), content, faults)


async def _answer(request: web.Request, head: str, content: bytes, faults: GitFaults) -> web.StreamResponse:
    status, answer = 200, web.StreamResponse()
    for line in head.splitlines():
        name, _, value = line.partition(": ")
        if name == "Status":
            status = int(value.split()[0])
        else:
            answer.headers[name] = value
    answer.set_status(status)
    answer.content_length = len(content)
    await answer.prepare(request)
    step = max(1, faults.bytes_per_second // 20) if faults.bytes_per_second else len(content) or 1
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(content), step):
            if faults.drop_midway and request.method == "POST":
                await answer.write(content[: len(content) // 2])
                request.transport.abort()
                return answer
            await answer.write(content[start : start + step])
            if faults.bytes_per_second:
                await asyncio.sleep(0.05)
        await answer.write_eof()
    return answer


@contextlib.asynccontextmanager
async def listening(app: web.Application, port: int = 0) -> AsyncIterator[int]:
    """Serve an application on the loopback and yield its port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
