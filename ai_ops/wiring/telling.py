"""Settings in, the ways of telling people out: webhooks, chat channels, and at what pace."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from ai_ops.core.failures import failed
from ai_ops.core.mail_pacing import Pacing, QuietHours
from ai_ops.core.ports import Clock, Notifier
from ai_ops.flow.notification import NotificationKind, Way
from ai_ops.integrations.channels import ChannelNotifier
from ai_ops.integrations.webhooks import Endpoint, WebhookNotifier, key_of
from ai_ops.settings import Settings

_PARTS = re.compile(r"[/:?&=@,]+")
_LEAST_SECRET = 12


def pacing(settings: Settings) -> Pacing:
    """Return when people are told."""
    start, _, end = settings.mail_quiet_hours.partition("-")
    return Pacing(
        digest=settings.mail_digest,
        digest_at=time.fromisoformat(settings.mail_digest_at),
        burst=settings.mail_burst,
        burst_window=timedelta(seconds=settings.mail_burst_seconds),
        per_hour=settings.mail_per_hour,
        quiet=QuietHours(time.fromisoformat(start), time.fromisoformat(end)) if end else None,
        zone=ZoneInfo(settings.mail_timezone),
    )


def others(settings: Settings, clock: Clock) -> Mapping[Way, Notifier]:
    """Return the ways besides mail."""
    return {
        Way.WEBHOOK: WebhookNotifier(endpoints(settings), clock),
        Way.CHANNEL: ChannelNotifier(channels(settings)),
    }


def receivers(settings: Settings) -> tuple[str, ...]:
    """Return who is told besides people by mail."""
    hooks = (f"{Way.WEBHOOK}:{table.name}" for table in settings.webhook)
    return (*hooks, *(f"{Way.CHANNEL}:{name}" for name in channels(settings)))


def wishes(settings: Settings) -> Mapping[str, frozenset[NotificationKind]]:
    """Return which of them want to know only of some kinds; a digest may hold any."""
    tables = [(Way.WEBHOOK, table.name, table.events) for table in settings.webhook]
    tables += [(Way.CHANNEL, table.name, table.events) for table in settings.channel]
    return {f"{way}:{name}": frozenset(events) for way, name, events in tables if events}


def endpoints(settings: Settings) -> dict[str, Endpoint]:
    """Return the webhooks by name.

    Raises:
        PermanentError: ``configuration_invalid``.
    """
    made = {}
    for table in settings.webhook:
        words = _said(table.secret, table.secret_file, f"[[webhook]] {table.name}")
        try:
            key = key_of(words)
        except ValueError as error:
            raise failed(
                "configuration_invalid", f"The secret of [[webhook]] {table.name} {error}."
            ) from None
        made[table.name] = Endpoint(table.url, key, table.private)
    return made


def channels(settings: Settings) -> dict[str, str]:
    """Return the addresses of the chat channels by name; those of ``NOTIFY_URLS`` are named after themselves.

    Raises:
        PermanentError: ``configuration_invalid``.
    """
    made = {
        table.name: _said(table.url, table.url_file, f"[[channel]] {table.name}")
        for table in settings.channel
    }
    for secret in settings.notify_urls:
        url = secret.get_secret_value()
        scheme = re.sub(r"[^a-z0-9]", "", url.partition(":")[0].lower())[:20]
        made[f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"] = url
    return made


def secrets(settings: Settings) -> list[str]:
    """Return the secrets among all this, whole and in parts: a chat's address is made of its tokens."""
    urls = channels(settings).values()
    parts = (part for url in urls for part in _PARTS.split(url))
    told = [_said(table.secret, table.secret_file, "") for table in settings.webhook]
    return [*told, *urls, *(part for part in parts if len(part) >= _LEAST_SECRET and "." not in part)]


def _said(secret: SecretStr | None, file: Path | None, where: str) -> str:
    if secret is not None:
        return secret.get_secret_value()
    assert file is not None  # the table has one of them
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise failed(
            "configuration_invalid", f"{where} names {file}, which cannot be read: {reason.lower()}."
        ) from None
