"""When people are told: at once, later, or of several things in one message. Decides; sends nothing.

What is urgent waits for nothing. Everything else waits for the end of quiet hours and for the hour of the
digest. A burst, and what is more than a receiver takes in an hour, becomes a digest by itself: nothing is
lost, and a storm of errors is one mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

from ai_ops.core.wording import counted
from ai_ops.flow.notification import WaitingNotification

HOUR = timedelta(hours=1)
MOST_IN_A_DIGEST = 1000


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``start`` to ``end`` of the wall clock; over midnight where the end is the earlier one."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Pacing:
    """How people want to be told.

    Args:
        digest: ``hourly`` at the full hour, ``daily`` at ``digest_at``, or ``off``.
        digest_at: of the wall clock in ``zone``.
        burst: more than this many messages to one receiver within ``burst_window`` are a burst; 0: none is.
        per_hour: messages to one receiver in an hour; 0: any number.
        quiet: when nothing is sent.
        zone: of the wall clock.
    """

    digest: Literal["off", "hourly", "daily"] = "off"
    digest_at: time = time(8)
    burst: int = 0
    burst_window: timedelta = timedelta(minutes=10)
    per_hour: int = 0
    quiet: QuietHours | None = None
    zone: tzinfo = field(default=UTC)

    @property
    def memory(self) -> timedelta:
        """How far back what was sent still counts."""
        return max(HOUR, self.burst_window)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with what waits for one receiver, by id; the rest waits until ``until``."""

    single: tuple[str, ...] = ()
    digest: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    until: datetime | None = None
    reason: str = ""


def plan(
    pacing: Pacing, waiting: Sequence[WaitingNotification], sent: Sequence[datetime], now: datetime
) -> Plan:
    """Return what becomes of the notifications that wait for one receiver.

    Args:
        pacing: the rules.
        waiting: oldest first.
        sent: when messages went to this receiver, within ``pacing.memory``.
        now: aware, as all times here.
    """
    urgent = tuple(each.id for each in waiting if each.urgent)
    rest = [each for each in waiting if not each.urgent]
    if not rest:
        return Plan(urgent)
    ids = tuple(each.id for each in rest)
    until, reason, together = _waits(pacing, rest, sent, now)
    if until is None:
        room = pacing.per_hour - len(_after(sent, now - HOUR)) if pacing.per_hour else len(ids)
        if room < 1:
            until = sorted(sent)[-pacing.per_hour] + HOUR
            reason = f"{counted(pacing.per_hour, 'message')} went to this receiver within an hour"
        together = together or len(ids) > room
    if until is not None:
        return Plan(urgent, held=ids, until=until, reason=reason)
    if together and len(ids) > 1:
        return Plan(urgent, digest=ids[:MOST_IN_A_DIGEST])
    return Plan((*urgent, *ids))


def _waits(
    pacing: Pacing, rest: Sequence[WaitingNotification], sent: Sequence[datetime], now: datetime
) -> tuple[datetime | None, str, bool]:
    """Return until when all of it waits and why, or None and whether it goes out together."""
    if pacing.quiet and (end := quiet_until(pacing.quiet, pacing.zone, now)):
        return end, "quiet hours", False
    first = min(each.created_at for each in rest)
    if pacing.digest != "off":
        slot = next_slot(pacing, first)
        return (slot, f"the {pacing.digest} digest", True) if now < slot else (None, "", True)
    lately = len(_after(sent, now - pacing.burst_window))
    if pacing.burst and len(rest) + lately > pacing.burst:
        calm = first + pacing.burst_window
        return (calm, "a burst is gathered into one digest", True) if now < calm else (None, "", True)
    return None, "", False


def _after(sent: Sequence[datetime], moment: datetime) -> list[datetime]:
    return [each for each in sent if each > moment]


def quiet_until(quiet: QuietHours, zone: tzinfo, now: datetime) -> datetime | None:
    """Return the end of the quiet hours that ``now`` lies in, or None."""
    local = now.astimezone(zone)
    clock, over_midnight = local.time(), quiet.end <= quiet.start
    inside = (
        (clock >= quiet.start or clock < quiet.end) if over_midnight else quiet.start <= clock < quiet.end
    )
    if not inside:
        return None
    day = local.date() + timedelta(days=int(clock >= quiet.end))
    end = datetime.combine(day, quiet.end, zone).replace(fold=local.fold).astimezone(UTC)
    return max(end, now + timedelta(seconds=1))  # a clock that is set back repeats an hour


def next_slot(pacing: Pacing, moment: datetime) -> datetime:
    """Return when the digest goes out that holds what was made at ``moment``."""
    if pacing.digest == "hourly":
        return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    local = moment.astimezone(pacing.zone)
    day = local.date() + timedelta(days=int(local.time() >= pacing.digest_at))
    return datetime.combine(day, pacing.digest_at, pacing.zone).astimezone(UTC)
