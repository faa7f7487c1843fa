"""The mailroom: puts into words what people are told, and works through the outbox, each way on its own.

First it is decided what goes out by itself and what in a digest, and that is committed; only then is
anything sent. So a message is never sent in two forms, and after a crash only with the same Message-ID.

What goes out goes on when nobody waits for it any more: a step may be cancelled, but a message that a thread
or a server has already cannot be taken back, and unmarked it would be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from ai_ops.core import retry
from ai_ops.core.mail_pacing import Pacing, plan
from ai_ops.core.notices import Notice, digest_key, digest_of
from ai_ops.core.ports import Clock, Notifier, Outbox
from ai_ops.core.report import Report
from ai_ops.errors import AiOpsError
from ai_ops.flow.notification import Notification, NotificationKind, WaitingNotification, Way, way_of
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.integrations.receivers import receiver_unknown

log = logging.getLogger(__name__)

_MAX_TRIES = 900
"""About three days: the waits double to five minutes."""

_CLOSE_SECONDS = 2.0
"""A stop has about ten seconds, of which runs and requests may need six; a chat answers in less than one."""

_THREAD_SECONDS = 7.0
"""What a chat may take beyond that: the process waits for its thread anyway, so it is marked too."""

_Tried = list[tuple[str, bool]]
"""The keys of what was tried, and whether it was sent."""

Wishes = Mapping[str, frozenset[NotificationKind]]
"""By receiver the kinds it wants to know of; who is not in it wants all."""


class Mailroom:
    """Delivers what is due; a failure puts it back with a later time, or ends it.

    Args:
        outbox: what is to be sent.
        notifier: sends mail.
        clock: the time.
        redact: masks what a receiving server says: it is kept, and may repeat our own password.
        others: the other ways.
        pacing: when people are told; programs always at once.
        wishes: who wants to know of what.
    """

    def __init__(
        self,
        outbox: Outbox,
        notifier: Notifier,
        clock: Clock,
        redact: Callable[[str], str],
        *,
        others: Mapping[Way, Notifier] | None = None,
        pacing: Pacing | None = None,
        wishes: Wishes | None = None,
    ) -> None:
        self._outbox = outbox
        self._ways = {Way.MAIL: notifier, **(others or {})}
        self._clock = clock
        self._redact = redact
        self._pacing = pacing or Pacing()
        self._wishes = wishes or {}
        self._renderer = MailRenderer()
        self._deciding = asyncio.Lock()
        # The loop and a run may both come; a notification is in one hand at a time.
        self._turns = {way: asyncio.Lock() for way in Way}
        self._going: set[asyncio.Task[_Tried]] = set()
        self._closed = False

    def render(self, key: str, report: Report, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the message of a report to those of the recipients that want to know of its kind."""
        made = self._renderer.render(key, report, recipients, now)
        return self._wanted(made)

    def notice(self, key: str, notice: Notice, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the message of other news, as ``render``."""
        return self._wanted(self._renderer.notice(key, notice, recipients, now))

    def _wanted(self, made: Notification) -> Notification:
        everything = frozenset(NotificationKind)
        who = tuple(each for each in made.recipients if made.kind in self._wishes.get(each, everything))
        return replace(made, recipients=who)

    async def deliver_unkept(self, notification: Notification) -> None:
        """Send to each recipient at once and once: news of an outbox that cannot be written are not kept.

        A failure is told in the log.
        """
        for recipient in notification.recipients:
            one = replace(notification, recipient=recipient, recipients=(recipient,))
            try:
                where = await self._notifier(one).deliver(one)
            except AiOpsError as failure:
                log.warning("%s %s: %s", one.way, one.key, self._redact(str(failure)))
            else:
                log.info("%s %s %s", one.way, one.key, where)

    async def deliver_due(self) -> frozenset[str]:
        """Try everything that is due once, and return the keys of what was sent to all who were tried.

        Cancelled, it no longer waits; what is going out goes on, and is marked when it was sent.
        """
        async with self._deciding:
            await self._decide(self._clock.now())
        going = [self._begin(way) for way in Way]
        try:
            await asyncio.wait(going)  # it cancels none of them when it is cancelled
        except asyncio.CancelledError:
            for each in going:
                each.add_done_callback(_tell_failure)
            raise
        outcomes = [each for tried in await asyncio.gather(*going) for each in tried]
        return frozenset(key for key, sent in outcomes if sent) - {key for key, sent in outcomes if not sent}

    def begin_nothing_more(self) -> None:
        """Let what is going out be the last of it."""
        self._closed = True

    async def close(self, within_seconds: float = _CLOSE_SECONDS) -> None:
        """Begin nothing more, and wait a while for what is going out, so that it can be marked as sent."""
        self.begin_nothing_more()
        if self._going:
            await asyncio.wait(self._going, timeout=within_seconds)
        if in_threads := [each for each in self._going if each.get_name() == Way.CHANNEL]:
            await asyncio.wait(in_threads, timeout=_THREAD_SECONDS)
        late = list(self._going)
        for each in late:
            each.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            log.warning("a receiver did not answer in time before the stop: it may get a message twice")

    async def run(self, every_seconds: float = 5.0) -> None:
        """Work through the outbox until cancelled."""
        while True:
            try:
                await self.deliver_due()
            except AiOpsError as failure:
                log.warning("outbox: %s", failure)
            await asyncio.sleep(every_seconds)

    async def _decide(self, now: datetime) -> None:
        """Release what may go out, gather what goes out together, and let the rest wait."""
        waiting = await self._outbox.waiting()
        if not waiting:
            return
        at_once = [each.id for each in waiting if way_of(each.recipient) is Way.WEBHOOK]
        if at_once:
            await self._outbox.release(at_once, now)
        sent = await self._outbox.released_since(now - self._pacing.memory)
        people = [each for each in waiting if way_of(each.recipient) is not Way.WEBHOOK]
        by_receiver = attrgetter("recipient")
        people.sort(key=attrgetter("recipient", "created_at"))
        for recipient, group in groupby(people, by_receiver):
            await self._decide_for(recipient, list(group), sent.get(recipient, ()), now)

    async def _decide_for(
        self, recipient: str, waiting: Sequence[WaitingNotification], sent: Sequence[datetime], now: datetime
    ) -> None:
        planned = plan(self._pacing, waiting, sent, now)
        if planned.single:
            await self._outbox.release(planned.single, now)
        if planned.digest:
            parts = [each for each in waiting if each.id in planned.digest]
            made = self._renderer.notice(digest_key(parts), digest_of(parts), [recipient], now)
            await self._outbox.gather(replace(made, released_at=now), planned.digest)
        if planned.until is not None:
            until = planned.until
            moved = [each.id for each in waiting if each.id in planned.held and each.next_attempt_at != until]
            if moved:
                await self._outbox.hold(moved, until, planned.reason)

    def _begin(self, way: Way) -> asyncio.Task[_Tried]:
        """Begin a way's turn, which is held here and not by who asked for it."""
        going = asyncio.create_task(self._deliver_way(way), name=way)
        self._going.add(going)
        going.add_done_callback(self._going.discard)
        return going

    async def _deliver_way(self, way: Way) -> _Tried:
        async with self._turns[way]:
            due = [] if self._closed else await self._outbox.due(self._clock.now(), way)
            return [(each.key, await self._deliver(each)) for each in due if not self._closed]

    async def _deliver(self, notification: Notification) -> bool:
        try:
            where = await self._notifier(notification).deliver(notification)
        except AiOpsError as failure:
            decision = retry.decide(failure, notification.attempts + 1, max_tries=_MAX_TRIES)
            later = timedelta(seconds=decision.delay_seconds)
            again = self._clock.now() + later if decision.retry else None
            words = self._redact(str(failure))
            await self._outbox.mark_failed(notification.id, words, again)
            log.warning("%s %s: %s (%s)", notification.way, notification.key, words, decision.reason)
            return False
        await self._outbox.mark_sent(notification.id, self._clock.now())
        log.info("%s %s %s", notification.way, notification.key, where)
        return True

    def _notifier(self, notification: Notification) -> Notifier:
        found = self._ways.get(notification.way)
        if found is None:
            raise receiver_unknown(notification.recipient)
        return found


def _tell_failure(going: asyncio.Task[_Tried]) -> None:
    """Tell what went wrong in a turn that nobody waits for."""
    if not going.cancelled() and (failure := going.exception()):
        log.warning("outbox: %s", failure, exc_info=failure)
