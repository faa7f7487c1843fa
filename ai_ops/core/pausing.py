"""A limit of the model's API stops everybody, so it pauses the whole queue: until when, and how that ends.

While the pause lasts nobody asks. Then one run may try, the prober; the others wait for what it finds. It
ends with the prober's first word from the model, and begins anew when the prober meets the limit again.
Pure: who keeps the pause asks here what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ai_ops.core import retry
from ai_ops.core.failures import Recovery, codes_with
from ai_ops.core.model_failures import failure
from ai_ops.errors import AiOpsError, TemporaryError

WINDOW_CODES: Final = codes_with(Recovery.RESET)
"""Limits that last: hours, or until somebody pays."""

LIMIT_CODES: Final = WINDOW_CODES | codes_with(Recovery.PAUSE)
"""Failures that mean: Claude is there, but not for us now."""

UNSTATED_SECONDS: Final = 3600.0
"""How long a limit that lasts is waited for by default when nobody says when it ends."""

PROBE: Final = timedelta(minutes=2)
"""For so long the others wait for a prober that says nothing; it may have died."""

_LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody asks the model until ``until``, because a limit was met (``code``) ``failures`` times in a row.

    ``prober`` is the run that tries first, for at most until ``probe_until``; empty while there is none.
    """

    code: str
    since: datetime
    until: datetime
    failures: int = 1
    prober: str = ""
    probe_until: datetime | None = None

    def wait_seconds(self, run_id: str, now: datetime) -> float:
        """Return how long a run has to wait before it looks again; 0: it may try."""
        if now < self.until:
            return (self.until - now).total_seconds()
        probed = self.probe_until is not None and now < self.probe_until and self.prober != run_id
        return _LOOK_SECONDS if probed else 0.0


def entered(pause: Pause, run_id: str, now: datetime) -> Pause:
    """Return the pause after a run came to ask: it is the prober now, if it may try."""
    if pause.wait_seconds(run_id, now):
        return pause
    return replace(pause, prober=run_id, probe_until=now + PROBE)


def met(
    pause: Pause | None,
    run_id: str,
    limit: TemporaryError,
    now: datetime,
    unstated_seconds: float = UNSTATED_SECONDS,
) -> Pause:
    """Return the pause after a run met a limit.

    With no stated end, one that lasts is waited for ``unstated_seconds``; another one doubles at each probe,
    from a second.

    Runs that had asked before the pause began meet it too; their word only counts where it lasts longer.
    """
    own = pause is None or pause.prober == run_id
    failures = pause.failures + own if pause is not None else 1
    if limit.delay is None and limit.code in WINDOW_CODES:
        until = now + timedelta(seconds=unstated_seconds)
    else:
        decided = retry.decide(limit, failures, max_tries=failures + 1)
        until = now + timedelta(seconds=decided.delay_seconds)
    if pause is None:
        return Pause(limit.code, now, until)
    if own:
        return Pause(limit.code, pause.since, until, failures)
    return replace(pause, code=limit.code, until=until) if until > pause.until else pause


def given_up(pause: Pause, run_id: str) -> Pause:
    """Return the pause after a run ended without a word on the limit: another may try."""
    return replace(pause, prober="", probe_until=None) if pause.prober == run_id else pause


def lifted(pause: Pause, now: datetime) -> Pause:
    """Return the pause after a person ended the waiting: whoever comes first looks whether it is over."""
    return replace(pause, until=min(pause.until, now), prober="", probe_until=None)


def closed(pause: Pause, run_id: str, now: datetime) -> AiOpsError:
    """Return the failure of a run that has to wait."""
    words = f"met by another run; no task asks before {pause.until:%Y-%m-%d %H:%M:%S} UTC"
    return failure(pause.code, words, delay=pause.wait_seconds(run_id, now))
