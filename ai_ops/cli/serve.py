"""``ai-ops server``: run until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ai_ops.cli.output import note
from ai_ops.garbage import loading

if TYPE_CHECKING:
    from ai_ops.settings import Settings

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on. [HTTP_HOST]")]
Port = Annotated[
    int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one. [HTTP_PORT]")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept. [DATA_DIR]")]
CodeHostOption = Annotated[
    str | None, typer.Option("--code-host", help="github, gitlab or local. [CODE_HOST]")
]


def server(
    host: Host = None, port: Port = None, data_dir: DataDir = None, code_host: CodeHostOption = None
) -> None:
    """Run the server: takes events and tasks, repairs, opens pull requests."""
    from ai_ops.cli.logs import configure, file_of, warn_of, warn_of_idle
    from ai_ops.config_loading import forget_secrets, load
    from ai_ops.preflight import require_startable, warnings

    flags = {"http_host": host, "http_port": port, "data_dir": data_dir, "code_host": code_host}
    loaded = require_startable(load(flags))
    forget_secrets(os.environ)
    with loading():
        from ai_ops.wiring.adapters import with_free_port  # some libraries start programs when imported
        from ai_ops.wiring.masking import redactor
        from ai_ops.workspace.mounts import enter_private_mounts

    settings = with_free_port(loaded.settings)
    configure(settings.log_format, redactor(settings), file_of(settings))
    warn_of(warnings(loaded))
    warn_of_idle(loaded.idle)
    overlays = enter_private_mounts(settings.workspaces_dir)  # before there is a second thread
    asyncio.run(_serve(settings, overlays=overlays))


async def _serve(settings: Settings, *, overlays: bool) -> None:
    from ai_ops.wiring.serving import serving

    stop = stop_signal()
    async with contextlib.AsyncExitStack() as stack:
        with loading():
            _, listening = await stack.enter_async_context(serving(settings, overlays=overlays))
        note(
            f"AI-Ops listens on {listening.url} (code host: {settings.code_host}, data: {settings.data_dir})"
        )
        await stop.wait()
        note("stopping; unfinished runs go on at the next start")


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
