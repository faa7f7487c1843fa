"""``ai-ops demo``: the main job once, from end to end, on embedded defaults."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.follow import print_step
from ai_ops.cli.output import line, reasons
from ai_ops.core.links import absolute

if TYPE_CHECKING:
    from ai_ops.core.ports import Trace
    from ai_ops.flow.pull_request import PullRequest
    from ai_ops.flow.task import Task
    from ai_ops.settings import Settings
    from ai_ops.wiring.system import System

_DEADLINE_SECONDS = 180.0
_REPLAYED = "a recorded model conversation, replayed through the real Claude CLI (no credential is set)"
_LIVE = "live: Claude answers, with the credential of the environment"


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files; emptied first.")] = Path(
        "demo"
    ),
) -> None:
    """Break an example app, watch the error become a proved local pull request."""
    try:
        proved = asyncio.run(_bounded(folder.absolute()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise CliError(Exit.FAILED, "the demo was interrupted") from None
    except TimeoutError:
        raise CliError(
            Exit.FAILED,
            f"no pull request after {_DEADLINE_SECONDS:g} s; see {folder}/server.log and {folder}/agent.log",
        ) from None
    raise typer.Exit(Exit.DONE if proved else Exit.FAILED)


def example_files() -> Path:
    """Return the folder of the examples: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent.parent
    for place in (package / "examples", package.parent / "examples"):
        if (place / "conversation.json").is_file():
            return place
    raise CliError(Exit.FAILED, "the examples are not part of this installation")


async def _bounded(folder: Path) -> bool:
    """Run the demo within its time; SIGTERM ends it and its agent."""
    here = asyncio.current_task()
    if here is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, here.cancel)
    async with asyncio.timeout(_DEADLINE_SECONDS):
        return await _demo(folder)


async def _demo(folder: Path) -> bool:
    examples = example_files()
    _empty(folder)
    remote = await _make_remote(examples / "shop", folder)
    async with _settings(examples, folder) as (settings, model):
        line(f"AI-Ops demo: {model}")
        from ai_ops.cli.logs import configure
        from ai_ops.wiring.masking import redactor
        from ai_ops.wiring.serving import serving

        configure("json", redactor(settings))
        _log_to_file(folder / "server.log")
        async with serving(settings) as (system, listening):
            line(f"server     {listening.url}")
            log = folder / "app.log"
            log.touch()
            async with _agent(folder, log, remote, listening.url):
                await _fail_once(examples, folder, log)
                proved = await _watch(system, folder)
        line(f"This was {model}.")
        return proved


def _empty(folder: Path) -> None:
    """Start from nothing, but never remove a folder that is not a demo's."""
    mark = folder / ".ai-ops-demo"
    if folder.exists() and any(folder.iterdir()) and not mark.is_file():
        raise CliError(Exit.USAGE, f"{folder} holds other files; choose another --folder")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    mark.touch()


async def _make_remote(source: Path, folder: Path) -> Path:
    """Make a bare repository of the example, as a team's remote would be."""
    work, remote = folder / "shop", folder / "remotes" / "shop.git"
    shutil.copytree(source, work, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    remote.parent.mkdir()
    author = ["-c", "user.name=A Developer", "-c", "user.email=developer@example.com"]
    for argv in (
        ["init", "-q", "-b", "main", str(work)],
        ["-C", str(work), "add", "-A"],
        ["-C", str(work), *author, "commit", "-q", "-m", "A shop with ratings"],
        ["clone", "-q", "--bare", str(work), str(remote)],
    ):
        await _child("git", *argv)
    return remote


@contextlib.asynccontextmanager
async def _settings(examples: Path, folder: Path) -> AsyncIterator[tuple[Settings, str]]:
    """Yield settings for a local code host, with Claude live or replayed."""
    from ai_ops.config_loading import load
    from ai_ops.integrations.replay import ReplayServer
    from ai_ops.settings import Settings
    from ai_ops.wiring.adapters import claude_credential, with_free_port

    # Of the operator's settings those of Claude alone: the demo stands on its own defaults.
    names = [name for name in Settings.model_fields if name.startswith(("anthropic_", "claude_"))]
    found = load(only=names).settings
    keep = {name: getattr(found, name) for name in names}
    wanted: dict[str, Any] = keep | {
        "code_host": "local",
        "allowed_repos": (str(folder / "remotes"),),
        "data_dir": folder / "data",
        "workspaces_dir": folder / "workspaces",
        "http_port": 0,
    }
    if claude_credential(found) is not None:
        yield with_free_port(Settings(**wanted)), _LIVE
        return
    conversation = json.loads((examples / "conversation.json").read_text(encoding="utf-8"))
    async with ReplayServer(conversation) as replay:
        wanted["anthropic_base_url"] = replay.url
        yield with_free_port(Settings(**wanted)), _REPLAYED


def _log_to_file(path: Path) -> None:
    """Keep the server's log out of the story; it lies beside the demo's files."""
    import logging

    root = logging.getLogger()
    formatter = root.handlers[0].formatter
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(formatter)
    root.handlers[:] = [handler]


@contextlib.asynccontextmanager
async def _agent(folder: Path, log: Path, remote: Path, url: str) -> AsyncIterator[None]:
    """Run a real agent beside the app while entered."""
    from ai_ops import process

    output = (folder / "agent.log").open("wb")
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ai_ops.agent",
        "--log-path", str(log), "--repo-url", str(remote), "--server-url", url,
        "--code-host", "local", "--data-dir", str(folder / "agent"),
        "--service", "shop", "--environment", "demo", "--from-start",
        stdout=output, stderr=output, cwd=folder,
        # Not what the operator's own agent is told: the demo stands on its own defaults.
        env=process.clean_environment({"HOME": str(folder)}),
    )  # fmt: skip
    line(f"agent      follows {log}")
    try:
        yield
    finally:
        if agent.returncode is None:
            agent.terminate()
        await agent.wait()
        output.close()


async def _fail_once(examples: Path, folder: Path, log: Path) -> None:
    await _child(sys.executable, str(examples / "app.py"), "--log", str(log), "--shop", str(folder / "shop"))
    logged = await asyncio.to_thread(log.read_text)
    error = next((text for text in logged.splitlines() if "ERROR" in text), "")
    line(f"app        {error}")


async def _child(*argv: str) -> None:
    from ai_ops import process

    done = await process.run(argv, env=process.clean_environment({"HOME": "/nonexistent"}))
    if not done.ok:
        raise CliError(Exit.FAILED, f"{argv[0]} failed: {done.complaint or done.text}")


async def _watch(system: System, folder: Path) -> bool:
    """Print the run as it happens, then the pull request, the proof and where to look."""
    task = await _first_task(system)
    line(f"task       {task.id}")
    async for event in system.tools.trace.follow(task.trace_id or ""):
        if event.kind == "step":
            print_step(event.data)
    done = await system.tools.tasks.find(task.id)
    if done is None or done.pull_request_id is None:
        line(f"The task ended as {done.state if done else 'lost'}: {done.outcome_reason if done else ''}")
        return False
    found = await system.tools.pull_requests.find(done.pull_request_id)
    if found is None:
        return False
    await _print_result(system.tools.trace, done, found, folder, system.tools.policy.public_url)
    return found.proof.verdict == "proved"


async def _first_task(system: System) -> Task:
    from ai_ops.core.ports import TaskFilter

    while True:
        page = await system.tools.tasks.list(TaskFilter(), limit=1)
        if page.items and page.items[0].trace_id:
            return page.items[0]
        await asyncio.sleep(0.05)


async def _print_result(trace: Trace, task: Task, found: PullRequest, folder: Path, url: str) -> None:
    line()
    line(found.diff.rstrip("\n"))
    line()
    line(f"verdict    {found.proof.verdict}")
    reasons(asdict(found.proof))
    line(f"cost       {task.cost_usd:.4f} USD")
    line(f"pull request  {found.title}")
    line(f"              {found.branch} into {found.base}, {absolute(found.url, url)}")
    for mail in sorted((folder / "data" / "outbox").glob("*.eml")):
        line(f"mail       {mail}")
    names = ", ".join(artifact.name for artifact in await trace.artifacts(found.run_id))
    line(f"trace      {found.run_id} ({names})")
    line(f"look at    git -C {folder / 'remotes' / 'shop.git'} show {found.branch}")
