"""Delivery into ``.eml`` files, where no SMTP server is configured. Any mail reader opens them."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.flow.notification import Notification
from ai_ops.integrations.mail.message import build


class FileNotifier:
    """Writes each notification to ``folder``; the same one twice, or to several, is one file."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def deliver(self, notification: Notification) -> str:
        """Write the file, and say where."""
        name = notification.message_id.strip("<>").split("@")[0]
        readers = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(notification.recipients)).hex[:8]
        path = self._folder / f"{name}-{readers}.eml"
        try:
            await asyncio.to_thread(self._write, path, bytes(build(notification, self._sender)))
        except OSError as error:
            raise failed(
                "mail_unavailable",
                f"{path} cannot be written: {error.strerror}",
                next_step="Free disk space, or check the folder's permissions.",
            ) from error
        return f"written to {path} (SMTP_SERVER is not set)"

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
