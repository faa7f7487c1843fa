"""Failure → whether to try again, when, and why. It decides; the orchestrator waits and tries.

A failure that says how long to wait is believed. Otherwise the wait doubles from one second to five
minutes, shortened a little by a share that follows from the failure itself, so that many tasks that
failed together do not come back together and a repeated decision is still the same decision.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ai_ops.core.failures import Recovery, codes_with
from ai_ops.errors import AiOpsError, TemporaryError

MAX_TRIES = 5
_JITTER = 0.25

OUTAGE_CODES = codes_with(Recovery.OUTAGE)
"""A host, or the way to it, is away: nothing is wrong with what was asked, and it comes back."""

OUTAGE_TRIES = 80
"""For so long is an outage waited out: about six hours, at most a try every five minutes from then on."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How often it is tried in all; the first wait between, and the longest: each is twice the one before."""

    max_tries: int = MAX_TRIES
    first_seconds: float = 1.0
    longest_seconds: float = 300.0


DEFAULT = RetryRules()


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Whether to try again. ``delay_seconds`` is 0 when not; ``reason`` is for people."""

    retry: bool
    delay_seconds: float
    reason: str


def decide(
    failure: AiOpsError,
    attempt: int,
    *,
    spread: str = "",
    max_tries: int | None = None,
    rules: RetryRules = DEFAULT,
) -> RetryDecision:
    """Return what to do after a failed try.

    Args:
        failure: what went wrong.
        attempt: how many tries there were, this one included; the first is 1.
        spread: whose try it is, for example a run's id. Different ones come back at different times;
            empty leaves the doubling exact.
        max_tries: how many tries there may be, if not as many as the rules say.
        rules: how many there may be, and how long the waits are.
    """
    max_tries = rules.max_tries if max_tries is None else max_tries
    if not isinstance(failure, TemporaryError):
        return RetryDecision(False, 0.0, f"{failure.code} does not pass by itself")
    if attempt >= max_tries:
        return RetryDecision(False, 0.0, f"{failure.code} is still there after {attempt} tries")
    delay = _delay(failure, attempt, spread, rules)
    return RetryDecision(
        True, delay, f"{failure.code} may pass: try {attempt + 1} of {max_tries} in {delay:g} s"
    )


def tries_for(failure: AiOpsError, rules: RetryRules = DEFAULT) -> int:
    """Return how many tries a failure is worth."""
    return OUTAGE_TRIES if failure.code in OUTAGE_CODES else rules.max_tries


def _delay(failure: TemporaryError, attempt: int, spread: str, rules: RetryRules) -> float:
    if failure.delay is not None:
        return max(0.0, failure.delay)
    doubled = min(rules.longest_seconds, rules.first_seconds * 2.0 ** min(max(0, attempt - 1), 60))
    if not spread:
        return doubled
    share = zlib.crc32(f"{spread}:{failure.code}:{attempt}".encode()) / 2**32
    return round(doubled * (1.0 - _JITTER * share), 3)
