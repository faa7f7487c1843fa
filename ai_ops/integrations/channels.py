"""Notifications to chat: Slack, Teams, DingTalk, Feishu, WeCom, Telegram and what else apprise can reach.

Apprise is an extra, so it is imported when a channel is used. It escapes our plain text for each chat's
own markup; what a chat acts on in plain text, mentions and addresses, ``core.notices`` has broken before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ai_ops.core.failures import failed
from ai_ops.core.notices import chat, harmless
from ai_ops.flow.notification import Notification
from ai_ops.integrations.receivers import receiver_unknown

_MOST_SAID = 500


def apprise_module() -> ModuleType:
    """Return apprise.

    Raises:
        PermanentError: ``channels_missing``.
    """
    try:
        import apprise
    except ImportError:
        raise failed("channels_missing") from None
    return apprise


def service_of(url: str) -> Any:
    """Return what apprise makes of an address.

    Raises:
        PermanentError: ``channels_missing``, ``channel_invalid``.
    """
    apprise = apprise_module()
    asset = apprise.AppriseAsset(
        app_id="AI-Ops",
        app_desc="AI-Ops",
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise failed(
            "channel_invalid",
            next_step="Write it as the list of apprise's services says: https://appriseit.com/services/.",
        )
    return service


class ChannelNotifier:
    """Writes each notification into its channel. ``urls`` are secrets, by the channel's name."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls

    async def deliver(self, notification: Notification) -> str:
        """Write it, and say by which service."""
        name = notification.recipient.partition(":")[2]
        url = self._urls.get(name)
        if url is None:
            raise receiver_unknown(notification.recipient)
        service, said = await asyncio.to_thread(self._write, url, notification)
        if said is None:
            return f"taken by {service}"
        raise failed(
            "channel_unavailable",
            f"{service} did not take it for the channel {name}: {said or 'no reason was given'}",
        )

    def _write(self, url: str, notification: Notification) -> tuple[str, str | None]:
        """Return the service's name, and what it complained of; None when it took the message."""
        apprise = apprise_module()
        service = service_of(url)
        sender = apprise.Apprise(asset=service.asset)
        sender.add(service)
        heard = _Heard()
        vendor = logging.getLogger("apprise")
        vendor.addHandler(heard)
        try:
            taken = sender.notify(
                body=chat(notification.data),
                title=harmless(notification.subject),
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as fault:  # noqa: BLE001 - over a hundred plugins, each with failures of its own
            return str(service.service_name), type(fault).__name__
        finally:
            vendor.removeHandler(heard)
        return str(service.service_name), None if taken else heard.words


class _Heard(logging.Handler):
    """Remembers what the service was said to have done wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())

    @property
    def words(self) -> str:
        """Return it on one line."""
        return " ".join(" ".join(self._said).split())[:_MOST_SAID]
