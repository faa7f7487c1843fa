"""A check's answer and the alert there is → the alert there will be, and what is told. It decides only.

Nothing is told twice: an alert is told when it opens, when it becomes worse, and when it is over. One that
lasts becomes worse by itself. It is over when the check has passed twice in a row.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ai_ops.core.notices import Notice
from ai_ops.flow.alert import Alert, AlertNews, AlertState
from ai_ops.flow.health import HealthCheck, Severity

_WELL_ENOUGH = 2
_SURE_ENOUGH = 2
_LASTING = {Severity.P3: timedelta(hours=24), Severity.P2: timedelta(hours=4)}
_WORSE = {Severity.P3: Severity.P2, Severity.P2: Severity.P1}


@dataclass(frozen=True, slots=True)
class AlertChange:
    """The alert as it is from now on, and what is told of it; None: nothing."""

    alert: Alert
    news: AlertNews | None = None


def change(check: HealthCheck, alert: Alert | None, now: datetime) -> AlertChange | None:
    """Return what a check changes, None when it changes nothing.

    Args:
        check: what was found now.
        alert: the one of this check that is not resolved.
        now: the moment of the check.
    """
    if check.severity is None:
        return None if alert is None else _well(alert, now)
    if alert is None:
        return _first(check, check.severity, now)
    return _again(check, check.severity, alert, now)


def _first(check: HealthCheck, severity: Severity, now: datetime) -> AlertChange:
    state = AlertState.RISING if check.flaps else AlertState.OPEN
    made = Alert(str(uuid.uuid4()), check.name, severity, state, check.text, check.next_step, now, now, now)
    return AlertChange(made, None if check.flaps else AlertNews.OPENED)


def _again(check: HealthCheck, severity: Severity, alert: Alert, now: datetime) -> AlertChange:
    seen = replace(
        alert, seen=alert.seen + 1, well=0, last_at=now, text=check.text, next_step=check.next_step
    )
    if alert.state is AlertState.RISING:
        worse = severity.worse_of(alert.severity)
        sure = replace(seen, state=AlertState.OPEN, severity=worse, changed_at=now)
        return AlertChange(sure, AlertNews.OPENED) if seen.seen >= _SURE_ENOUGH else AlertChange(seen)
    worse = severity.worse_of(alert.severity)
    if worse is alert.severity and alert.severity in _LASTING:
        lasts = now - alert.changed_at >= _LASTING[alert.severity]
        worse = _WORSE[alert.severity] if lasts else worse
    if worse is alert.severity:
        return AlertChange(seen)
    return AlertChange(replace(seen, severity=worse, changed_at=now), AlertNews.ESCALATED)


def _well(alert: Alert, now: datetime) -> AlertChange:
    better = replace(alert, well=alert.well + 1)
    if alert.state is AlertState.OPEN and better.well < _WELL_ENOUGH:
        return AlertChange(better)
    over = replace(better, state=AlertState.RESOLVED, resolved_at=now)
    return AlertChange(over, AlertNews.RESOLVED if alert.state is AlertState.OPEN else None)


def notice(alert: Alert, news: AlertNews, url: str) -> Notice:
    """Return what people are told of an alert. P1 waits for no quiet hour and no digest."""
    title = f"{alert.severity} {alert.key}: {_WORDS[news]}"
    items = [(f"First seen {alert.first_at:%Y-%m-%d %H:%M} UTC, {alert.seen} times.", "")]
    if alert.repair:
        items.append((f"Done about it: {alert.repair}", ""))
    return Notice(
        title=title,
        headline=f"{alert.text}."
        if news is not AlertNews.RESOLVED
        else f"It is well again; it was: {alert.text}.",
        items=tuple(items),
        url=f"{url}/v1/alerts/{alert.id}" if url else "",
        next_step="" if news is AlertNews.RESOLVED else alert.next_step,
        urgent=alert.severity is Severity.P1 and news is not AlertNews.RESOLVED,
    )


def notice_key(alert: Alert, news: AlertNews) -> str:
    """Return the key of that notice: told twice, it is one message."""
    return f"alert:{alert.id}:{news}:{alert.severity}"


_WORDS = {
    AlertNews.OPENED: "something is wrong",
    AlertNews.ESCALATED: "it became worse",
    AlertNews.RESOLVED: "well again",
}
