"""The mailroom: renders reports, and works through the outbox, one delivery at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from ai_ops.core import retry
from ai_ops.core.ports import Clock, Notifier, Outbox
from ai_ops.core.report import Report
from ai_ops.errors import AiOpsError
from ai_ops.flow.notification import Notification
from ai_ops.integrations.mail.render import MailRenderer

log = logging.getLogger(__name__)

_MAX_TRIES = 900
"""About three days: the waits double to five minutes."""


class Mailroom:
    """Delivers what is due; a failure puts a mail back with a later time, or ends it.

    ``redact`` masks what a mail server says: it is kept with the mail, and may repeat our own password.
    """

    def __init__(
        self, outbox: Outbox, notifier: Notifier, clock: Clock, redact: Callable[[str], str]
    ) -> None:
        self._outbox = outbox
        self._notifier = notifier
        self._clock = clock
        self._redact = redact
        self._renderer = MailRenderer()
        self._turn = asyncio.Lock()

    def render(self, key: str, report: Report, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the mail of a report."""
        return self._renderer.render(key, report, recipients, now)

    async def deliver_due(self) -> frozenset[str]:
        """Try everything that is due once, and return the keys of what was sent."""
        sent: set[str] = set()
        async with self._turn:  # the loop and a run may both come; a mail is in one hand at a time
            for notification in await self._outbox.due(self._clock.now()):
                if await self._deliver(notification):
                    sent.add(notification.key)
        return frozenset(sent)

    async def run(self, every_seconds: float = 5.0) -> None:
        """Work through the outbox until cancelled."""
        while True:
            try:
                await self.deliver_due()
            except AiOpsError as failure:
                log.warning("outbox: %s", failure)
            await asyncio.sleep(every_seconds)

    async def _deliver(self, notification: Notification) -> bool:
        try:
            where = await self._notifier.deliver(notification)
        except AiOpsError as failure:
            decision = retry.decide(failure, notification.attempts + 1, max_tries=_MAX_TRIES)
            later = timedelta(seconds=decision.delay_seconds)
            again = self._clock.now() + later if decision.retry else None
            words = self._redact(str(failure))
            await self._outbox.mark_failed(notification.key, words, again)
            log.warning("mail %s: %s (%s)", notification.key, words, decision.reason)
            return False
        await self._outbox.mark_sent(notification.key)
        log.info("mail %s %s", notification.key, where)
        return True
