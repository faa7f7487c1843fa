"""``ai-ops local``: the whole loop in one process, without HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from ai_ops.cli.output import note
from ai_ops.cli.serve import CodeHostOption, DataDir, stop_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai_ops.agent.delivery import Acknowledgement
    from ai_ops.agent.options import Options
    from ai_ops.server.services import Services
    from ai_ops.settings import Settings

LogPath = Annotated[list[str] | None, typer.Option("--log-path", help="File or glob to follow; repeats.")]
RepoUrl = Annotated[str | None, typer.Option("--repo-url", help="Repository of the logs. [AGENT_REPO_URL]")]
FromStart = Annotated[
    bool,
    typer.Option(
        "--from-start",
        help="Read files that are there at the start from their beginning, not from their end; "
        "a file that was read before goes on where it was left.",
    ),
]
ResendRejected = Annotated[
    bool, typer.Option("--resend-rejected", help="Begin by sending rejected events again.")
]


def local(
    log_path: LogPath = None,
    repo_url: RepoUrl = None,
    data_dir: DataDir = None,
    code_host: CodeHostOption = None,
    from_start: FromStart = False,
    resend_rejected: ResendRejected = False,
) -> None:
    """Follow logs and repair their errors in this one process."""
    from ai_ops.agent.options import load as load_options
    from ai_ops.cli.logs import configure, file_of, warn_of, warn_of_idle
    from ai_ops.config_loading import forget_secrets, load
    from ai_ops.preflight import require_startable, warnings

    flags = {
        "log_file_path": tuple(log_path) if log_path else None,
        "agent_repo_url": repo_url,
        "data_dir": data_dir,
        "code_host": code_host,
    }
    loaded = require_startable(load(flags))
    settings = loaded.settings
    options = load_options(
        {
            "LOG_FILE_PATH": log_path,
            "AGENT_REPO_URL": repo_url,
            "CODE_HOST": code_host,
            "DATA_DIR": str(settings.data_dir),
            "FROM_START": from_start,
            "RESEND_REJECTED": resend_rejected,
        }
    )
    forget_secrets(os.environ)
    from ai_ops.wiring.masking import redactor  # some libraries start programs when imported
    from ai_ops.workspace.mounts import enter_private_mounts

    configure(settings.log_format, redactor(settings), file_of(settings))
    warn_of(warnings(loaded))
    warn_of_idle(loaded.idle)
    overlays = enter_private_mounts(settings.workspaces_dir)  # before there is a second thread
    asyncio.run(_run(settings, options, overlays=overlays))


async def _run(settings: Settings, options: Options, *, overlays: bool) -> None:
    from ai_ops.agent.agent import Agent
    from ai_ops.wiring.serving import services
    from ai_ops.wiring.system import build

    stop = stop_signal()
    stopping = threading.Event()
    async with build(settings, settings.public_url.rstrip("/"), overlays=overlays) as system:
        agent = Agent(options, StoreDelivery(services(system), asyncio.get_running_loop()))
        if options.resend_rejected:
            agent.resend_rejected()
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

    def deliver(self, batch: Sequence[bytes]) -> Acknowledgement:
        """Return when the batch is durable."""
        from ai_ops.agent.delivery import Acknowledgement
        from ai_ops.server.intake import take_batch

        events = [json.loads(event) for event in batch]
        taken = asyncio.run_coroutine_threadsafe(take_batch(events, self._services), self._loop).result()
        rejected = tuple((item["index"], item["reason"]) for item in taken.rejected)
        return Acknowledgement(taken.accepted, taken.duplicates, rejected)
