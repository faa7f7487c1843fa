"""A whole installation of real parts in one folder: server, agent, code host, SMTP server, model.

The server and the agent are processes of their own, started as a service manager would, with a small
environment. The code host is a GitHub double that PyGithub and git really talk to. The model is the
scripted fixer, or the real Claude CLI that asks a Messages API double.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from ai_ops.workspace.toolbox import ensure_toolbox
from tests.support import shop
from tests.support.children import Child, adopting_orphans, commands, descendants, until
from tests.support.git_server import create_repository, git
from tests.support.github_double import GitHubDouble
from tests.support.mail_server import MailServer
from tests.support.messages_double import MessagesDouble
from tests.support.nursery import Nursery
from tests.support.store import migrated_url

RESTING = ("completed", "failed", "cancelled", "needs_human_review")
REPOSITORY = "acme/shop"
RECEIVER = "on-call@example.test"
_SENDER = "ai-ops@example.test"


def _secret(prefix: str) -> Any:
    return field(default_factory=lambda: prefix + secrets.token_hex(18))


@dataclass(frozen=True, slots=True)
class Planted:
    """The secrets of this installation, each of them really needed."""

    claude_key: str = _secret("sk-ant-api03-")
    github_token: str = _secret("ghp_")
    smtp_password: str = _secret("mail-")
    server_key: str = _secret("server-")
    agent_key: str = _secret("agent-")

    def all(self) -> tuple[str, ...]:
        return (self.claude_key, self.github_token, self.smtp_password, self.server_key, self.agent_key)


@dataclass(frozen=True, slots=True)
class Logged:
    """The secrets that the application logs and should not."""

    database_password: str = _secret("db-")
    api_key: str = _secret("sk-proj-")
    customer_token: str = _secret("ghp_")

    def all(self) -> tuple[str, ...]:
        return (self.database_password, self.api_key, self.customer_token)

    def error(self) -> str:
        """Return the shop's error, with each of them in a line as applications write it."""
        first, _, rest = shop.error().partition("\n")
        url = f"postgresql://shop:{self.database_password}@db.internal:5432/shop"
        return f"{first} db={url} api_key={self.api_key} Authorization: Bearer {self.customer_token}\n{rest}"


class Scenario:
    """The installation. Settings go in by environment; ``settings`` overrides what is set here."""

    def __init__(self, folder: Path, settings: Mapping[str, str], nursery: Nursery | None) -> None:
        self.folder = folder
        self.planted = Planted()
        self.logged = Logged()
        self.settings = dict(settings)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.github = GitHubDouble(folder / "github", self.planted.github_token)
        self.mail = MailServer(folder / "mail", "ai-ops", self.planted.smtp_password)
        self.messages: MessagesDouble | None = None
        self.server = Child(
            "tests.support.crashing_server", folder / "server", folder / "server.log", nursery
        )
        self.agent = Child("ai_ops.agent", folder / "agent", folder / "agent.log")
        self.data = folder / "server" / "data"
        self.workspaces = folder / "server" / "workspaces"
        self.log = folder / "app.log"
        # Sockets lie there, and the path of a socket is short.
        self.temporary = Path(tempfile.mkdtemp(prefix="ai-ops-test-"))
        for name in ("github", "mail", "server/data", "agent", "home"):
            (folder / name).mkdir(parents=True)
        self._client: aiohttp.ClientSession | None = None
        self._others = {process.pid for process in descendants()}

    # --- the parts ---

    def repository(self, name: str = REPOSITORY, files: Mapping[str, Any] | None = None) -> Path:
        """Make a bare repository on the code host, the shop when no files are given."""
        return create_repository(self.github.root, name, shop.files() if files is None else files)

    def repo_url(self, name: str = REPOSITORY) -> str:
        """Return a repository's address."""
        return f"{self.github.url}/{name}"

    def script(self, answers: Mapping[str, Any]) -> None:
        """Let the scripted fixer answer."""
        path = self.folder / "answers.json"
        path.write_text(json.dumps(answers))
        self.settings["SCRIPTED_ANSWERS"] = str(path)

    def environment(self) -> dict[str, str]:
        """Return the server's whole environment."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.temporary),
            "CODE_HOST": "github",
            "GITHUB_BASE_URL": self.github.api_url,
            "GITHUB_TOKEN": self.planted.github_token,
            "ANTHROPIC_API_KEY": self.planted.claude_key,
            "SERVER_API_KEY": self.planted.server_key,
            "SERVER_AGENT_KEYS": self.planted.agent_key,
            "HTTP_PORT": str(self.port),
            "SMTP_SERVER": "127.0.0.1",
            "SMTP_PORT": str(self.mail.port),
            "SMTP_USER": self.mail.user,
            "SMTP_PASSWORD": self.planted.smtp_password,
            "SMTP_SENDER": _SENDER,
            "SMTP_CA_FILE": str(self.mail.ca_file),
            "RECEIVER_EMAIL": RECEIVER,
            "MAIL_REVIEWERS": "false",  # one mail an end
            **({"ANTHROPIC_BASE_URL": self.messages.url} if self.messages else {}),
            **self.settings,
        }

    async def start_server(self, crash_at: str = "") -> None:
        """Start the server and wait until it answers."""
        self.launch_server(crash_at)
        await until("the server answers", self._healthy, hint=self.server.tail)

    def launch_server(self, crash_at: str) -> None:
        """Start the server; it may die before it answers."""
        self.server.start(self.environment() | {"CRASH_AT": crash_at})

    async def restart_server(self) -> None:
        """Start the server again after its death."""
        assert not self.server.running
        await self.start_server()

    async def _healthy(self) -> bool:
        assert self.server.running, f"the server ended\n{self.server.tail()}"
        with contextlib.suppress(aiohttp.ClientError):
            async with self.client.get("/healthz") as answer:
                return answer.status == 200
        return False

    def start_agent(self, *arguments: str, **settings: str) -> None:
        """Start the agent on ``log``, which it reads from the start at its first time."""
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.temporary),
            "AGENT_API_KEY": self.planted.agent_key,
            "AGENT_SERVER_URL": self.url,
            "AGENT_REPO_URL": self.repo_url(),
            "CODE_HOST": "github",
            "DEBOUNCE_SECONDS": "0.1",
            **settings,
        }
        self.agent.start(environment, "--log-path", str(self.log), "--from-start", *arguments)

    # --- the API ---

    @property
    def client(self) -> aiohttp.ClientSession:
        """A client that holds the server's key."""
        if self._client is None:
            headers = {"X-API-Key": self.planted.server_key}
            self._client = aiohttp.ClientSession(self.url, headers=headers)
        return self._client

    async def get(self, path: str) -> Any:
        """Return what the server answers to a GET that succeeds."""
        async with self.client.get(path) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return json.loads(text) if answer.content_type == "application/json" else text

    async def post(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Return what the server answers to a POST."""
        async with self.client.post(path, json=body) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return json.loads(text)

    async def report(self, *errors: str, repo_url: str = "") -> None:
        """Ship errors as an agent would."""
        events = [wire_event(text, repo_url or self.repo_url()) for text in errors]
        answer = await self.post("/v1/events", {"events": events})
        assert answer["accepted"] == len(events), answer

    async def items(self, path: str) -> list[Any]:
        """Return the items of a list."""
        return (await self.get(path))["items"]

    async def ended(self, seconds: float = 60.0) -> Any:
        """Wait until there is one task and its run is over; return it."""

        async def over() -> Any:
            tasks = await self.items("/v1/tasks")
            assert len(tasks) <= 1, tasks
            if not tasks or tasks[0]["state"] not in RESTING:
                return None
            trace = await self.get(f"/v1/traces/{tasks[0]['trace_id']}")
            return tasks[0] if trace["ended_at"] else None

        return await until("the one task has ended", over, seconds, self.server.tail)

    async def artifacts(self, trace_id: str) -> dict[str, str]:
        """Return the artifacts of a run by name."""
        listed = await self.items(f"/v1/traces/{trace_id}/artifacts")
        return {each["name"]: str(await self.get(each["href"])) for each in listed}

    # --- the world ---

    def branches(self, name: str = REPOSITORY) -> list[str]:
        """Return the branches of ours on the code host."""
        bare = self.github.root / f"{name}.git"
        listed = git("for-each-ref", "--format=%(refname:short)", cwd=bare) if bare.exists() else ""
        return [branch for branch in listed.split() if branch != "main"]

    def pulls(self, name: str = REPOSITORY) -> list[dict[str, Any]]:
        """Return the pull requests on the code host."""
        return self.github.pulls(name)

    def processes(self) -> list[psutil.Process]:
        """Return the living processes of this installation, orphans too."""
        return [process for process in descendants() if process.pid not in self._others]

    async def leaves_nothing_behind(self) -> None:
        """Stop what runs; no process and no workspace may be left."""
        for child in (self.agent, self.server):
            if child.running:
                await child.stop()
        await until(
            "every process is gone",
            lambda: not self.processes(),
            10,
            lambda: "\n".join(" ".join(command)[:300] for command in commands(self.processes())),
        )
        assert list(self.workspaces.glob("[!.]*")) == []


def stands(task: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """Return a task's state, verdict and deciding word: a failure's code, or the first reason's rule."""
    reasons = task["proof"]["reasons"]
    word = task["error"]["code"] if task["error"] else reasons[0]["rule"] if reasons else ""
    return task["state"], task["proof"]["verdict"], word


def wire_event(text: str, repo_url: str) -> dict[str, Any]:
    """Return an event as it is on the wire."""
    return {
        "schema_version": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": datetime.now(UTC).isoformat(),
        "service": "shop",
        "repo": {"repo_url": repo_url},
        "error": {"raw_excerpt": text},
    }


@contextlib.asynccontextmanager
async def installed(
    folder: Path,
    *,
    toolbox: Path | None = None,
    nursery: Nursery | None = None,
    conversation: Mapping[str, Any] | None = None,
    files: Mapping[str, Any] | None = None,
    **settings: str,
) -> AsyncIterator[Scenario]:
    """Make an installation with the shop on its code host; nothing of it survives.

    Args:
        folder: an empty folder.
        toolbox: a toolbox that was built before.
        nursery: what starts the server faster than its imports are; the database has its tables then.
        conversation: what the model says to the real CLI; without it, ``Scenario.script`` is needed.
        files: the repository, instead of the shop.
        settings: further settings of the server.
    """
    with adopting_orphans():
        scenario = Scenario(folder, settings, nursery)
        if toolbox is not None:
            shutil.copytree(toolbox, scenario.data / "toolbox", symlinks=True, copy_function=os.link)
        if nursery is not None:
            migrated_url(scenario.data.parent)
        scenario.repository(files=files)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(scenario.github.running())
            await stack.enter_async_context(scenario.mail.running())
            if conversation is not None:
                scenario.messages = await stack.enter_async_context(MessagesDouble(conversation))
            try:
                yield scenario
            finally:
                await scenario.agent.kill()
                await scenario.server.kill()
                if scenario._client is not None:
                    await scenario._client.close()
                shutil.rmtree(scenario.temporary)


async def _built(folder: Path) -> Path:
    await ensure_toolbox(folder)
    return folder / "toolbox"


def build_toolbox(folder: Path) -> Path:
    """Build the toolbox once for many installations."""
    return asyncio.run(_built(folder))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
