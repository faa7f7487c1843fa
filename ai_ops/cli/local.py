"""``ai-ops local``: the whole loop in one process, without HTTP."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_ops.cli.output import note
from ai_ops.cli.serve import CodeHostOption, DataDir, stop_signal

if TYPE_CHECKING:
    from ai_ops.agent.delivery import Acknowledgement
    from ai_ops.server.services import Services
    from ai_ops.settings import Settings

LogPath = Annotated[list[str] | None, typer.Option("--log-path", help="File or glob to follow; repeats.")]
RepoUrl = Annotated[str | None, typer.Option("--repo-url", help="Repository of the logs. [AGENT_REPO_URL]")]


def local(
    log_path: LogPath = None,
    repo_url: RepoUrl = None,
    data_dir: DataDir = None,
    code_host: CodeHostOption = None,
) -> None:
    """Follow logs and repair their errors in this one process."""
    from ai_ops.cli.logs import configure
    from ai_ops.settings import load
    from ai_ops.wiring import redactor

    flags = {
        "log_file_path": tuple(log_path) if log_path else None,
        "agent_repo_url": repo_url,
        "data_dir": data_dir,
        "code_host": code_host,
    }
    settings = load(flags).settings
    configure(settings.log_format, redactor(settings))
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    from ai_ops.agent.agent import Agent
    from ai_ops.agent.options import load
    from ai_ops.wiring import build, services

    options = load(
        {
            "LOG_FILE_PATH": list(settings.log_file_path) or None,
            "LOG_SOURCE": list(settings.log_source) or None,
            "AGENT_REPO_URL": settings.agent_repo_url or None,
            "CODE_HOST": settings.code_host,
            "DATA_DIR": str(settings.data_dir),
        }
    )
    stop = stop_signal()
    stopping = threading.Event()
    async with build(settings, settings.public_url.rstrip("/")) as system:
        agent = Agent(options, StoreDelivery(services(system), asyncio.get_running_loop()))
        following = asyncio.create_task(asyncio.to_thread(agent.run, stopping))
        note(f"AI-Ops follows {', '.join(source.path for source in options.sources)}")
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        agent.wake()
        await following
        waiting.cancel()


class StoreDelivery:
    """Hands the agent's events to the store of the same process; it is called from the agent's thread."""

    def __init__(self, services: Services, loop: asyncio.AbstractEventLoop) -> None:
        self._services = services
        self._loop = loop

    def deliver(self, batch: list[dict[str, Any]]) -> Acknowledgement:
        """Return when the batch is durable."""
        from ai_ops.agent.delivery import Acknowledgement
        from ai_ops.server.intake import take_batch

        taken = asyncio.run_coroutine_threadsafe(take_batch(batch, self._services), self._loop).result()
        rejected = tuple((item["index"], item["reason"]) for item in taken.rejected)
        return Acknowledgement(taken.accepted, taken.duplicates, rejected)
