"""Measures of an installation → what is well and what is not, how bad that is, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ai_ops.core.wording import time_left
from ai_ops.flow.health import HealthCheck, HealthRules, Severity, Vitals

_SPACE = "Free some space, or move DATA_DIR: ai-ops system cleanup --days 30."
_LOW_MEMORY = 0.05
_LOW_INODES = 0.05
_CLOCK_OFF_SECONDS = 60.0
_CLOCK_BROKEN_SECONDS = 300.0


def judge(vitals: Vitals, rules: HealthRules) -> tuple[HealthCheck, ...]:
    """Return every check, those that are well too."""
    return tuple(_checks(vitals, rules))


def _checks(vitals: Vitals, rules: HealthRules) -> Iterator[HealthCheck]:
    host = vitals.host
    yield _disk(host.disk_free, rules.disk_floor)
    if host.inodes_free is not None and host.inodes_total:
        yield _inodes(host.inodes_free, host.inodes_total)
    if host.memory_available is not None and host.memory_total:
        yield _memory(host.memory_available, host.memory_total)
    yield _database(vitals)
    yield _queue(vitals, rules)
    yield _workers(vitals, rules)
    yield _outbox(vitals, rules)
    for name, peer in sorted(vitals.peers.items()):
        yield _reach(name, peer.failure)
    yield _clock(vitals)


def _disk(free: int, floor: int) -> HealthCheck:
    words = f"{free / 1000**3:.1f} GB free"
    if free >= floor:
        return HealthCheck("disk", words)
    low = Severity.P1 if free < floor / 5 else Severity.P2
    return HealthCheck("disk", f"{words}, {floor / 1000**3:.10g} GB is the floor", low, _SPACE)


def _inodes(free: int, total: int) -> HealthCheck:
    share, words = free / total, f"{free} inodes free"
    if share >= _LOW_INODES:
        return HealthCheck("inodes", words)
    low = Severity.P1 if share < _LOW_INODES / 5 else Severity.P2
    return HealthCheck("inodes", f"{words}, {share:.1%} of all", low, _SPACE)


def _memory(available: int, total: int) -> HealthCheck:
    share, words = available / total, f"{available // 2**20} MB of memory available"
    if share >= _LOW_MEMORY:
        return HealthCheck("memory", words)
    step = "Lower MAX_CONCURRENT_TASKS or WORKER_MEMORY_MB, or give the host more memory."
    return HealthCheck("memory", f"{words}, {share:.1%} of all", Severity.P2, step, flaps=True)


def _database(vitals: Vitals) -> HealthCheck:
    if not vitals.database_failure:
        return HealthCheck("database", "it can be written")
    step = "Nothing is acknowledged meanwhile, agents keep their events. See its disk and server."
    return HealthCheck("database", vitals.database_failure, Severity.P1, step, flaps=True)


def _queue(vitals: Vitals, rules: HealthRules) -> HealthCheck:
    waited = vitals.queue_seconds
    words = f"the oldest pending task waits for {_span(waited)}" if waited else "no task waits"
    if waited <= rules.queue_seconds or vitals.queue_paused:
        return HealthCheck("queue", words)
    late = Severity.P2 if waited > 4 * rules.queue_seconds else Severity.P3
    step = "See ai-ops worker list; raise MAX_CONCURRENT_TASKS if all are at work."
    return HealthCheck("queue", words, late, step)


def _workers(vitals: Vitals, rules: HealthRules) -> HealthCheck:
    silent = vitals.worker_silent_seconds
    if silent <= 1.5 * rules.worker_silent_seconds:
        words = f"the longest without a sign of life is {_span(silent)}" if silent >= 1 else "all show life"
        return HealthCheck("workers", words)
    words = f"a worker shows no life for {_span(silent)}, and was not replaced"
    return HealthCheck("workers", words, Severity.P1, "See ai-ops worker list; restart the server.")


def _outbox(vitals: Vitals, rules: HealthRules) -> HealthCheck:
    waited = vitals.outbox_seconds
    if waited <= rules.outbox_seconds:
        return HealthCheck("outbox", "messages go out")
    words = f"a message has waited for {_span(waited)} to go out"
    return HealthCheck("outbox", words, Severity.P2, "See ai-ops notification list --state pending.")


def _reach(peer: str, reason: str) -> HealthCheck:
    if not reason:
        return HealthCheck(peer, "it answers")
    step = "Runs wait for it. See its status page, DNS and the proxy."
    return HealthCheck(peer, f"it cannot be reached: {reason}", Severity.P2, step, flaps=True)


def _clock(vitals: Vitals) -> HealthCheck:
    off = max(abs(vitals.clock_off_seconds or 0.0), abs(vitals.clock_jump_seconds))
    if off < _CLOCK_OFF_SECONDS:
        return HealthCheck("clock", "it runs right")
    low = Severity.P2 if off >= _CLOCK_BROKEN_SECONDS else Severity.P3
    words = f"it is off, or jumped, by {off:.0f} s"
    return HealthCheck(
        "clock", words, low, "Let a time service set it: timedatectl set-ntp true.", flaps=True
    )


def _span(seconds: float) -> str:
    return time_left(seconds).removeprefix("in ") if seconds >= 1 else "no time"
