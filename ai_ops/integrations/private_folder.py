"""Folders of one call that nobody else can enter, with a path short enough for the sockets in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

_MOST_TEMPDIR = 60  # bytes; a socket's path has room for about a hundred


@contextlib.asynccontextmanager
async def private_folder() -> AsyncIterator[Path]:
    """Yield a new folder (0700); it goes away with the call."""
    short = len(os.fsencode(tempfile.gettempdir())) <= _MOST_TEMPDIR
    where = None if short else "/tmp"  # noqa: S108
    root = await asyncio.to_thread(tempfile.mkdtemp, prefix="ai-ops-ask-", dir=where)
    try:
        yield Path(root).resolve()  # noqa: ASYNC240
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
