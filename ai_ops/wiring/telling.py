"""Settings in, the ways of telling people out: webhooks, chat channels, and at what pace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from ai_ops.core.failures import failed
from ai_ops.core.mail_pacing import Pacing, QuietHours
from ai_ops.core.ports import Clock, Notifier
from ai_ops.flow.notification import NotificationKind, Way
from ai_ops.integrations.channels import ChannelNotifier
from ai_ops.integrations.webhooks import Endpoint, WebhookNotifier, key_of
from ai_ops.settings import Settings
from ai_ops.wiring.masking import channels, secret_of_table


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
        words = secret_of_table(table.secret, table.secret_file, f"[[webhook]] {table.name}")
        try:
            key = key_of(words)
        except ValueError as error:
            raise failed(
                "configuration_invalid", f"The secret of [[webhook]] {table.name} {error}."
            ) from None
        made[table.name] = Endpoint(table.url, key, table.private)
    return made
