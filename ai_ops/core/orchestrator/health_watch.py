"""Looks at the installation from time to time, mends what it can, and tells people of what it cannot.

What is open is held here and kept in the database too: with a database that cannot be written people are
told all the same, past the outbox, and the file of alerts is written.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from ai_ops.core.alerts import AlertChange, change, notice, notice_key
from ai_ops.core.health import judge
from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import AlertLog, Alerts, Gauges
from ai_ops.errors import AiOpsError
from ai_ops.flow.alert import Alert, AlertNews, AlertState
from ai_ops.flow.health import HealthCheck, HealthRules
from ai_ops.flow.notification import Notification

log = logging.getLogger(__name__)

_REPAIR_AGAIN = timedelta(hours=1)

Repair = Callable[[], Awaitable[str]]
"""Mends something, and says in a few words what it did; empty: there was nothing to be done."""


class HealthWatch:
    """The checks, and the alerts that come of them.

    Args:
        tools: tell people.
        gauges: measure.
        alerts: where they are kept.
        alert_log: the file of them.
        rules: from when on a measure is bad.
        repairs: by the name of a check, what may mend it.
        every_seconds: how often it is looked.
    """

    def __init__(
        self,
        tools: Tools,
        gauges: Gauges,
        alerts: Alerts,
        alert_log: AlertLog,
        rules: HealthRules,
        *,
        repairs: dict[str, Repair] | None = None,
        every_seconds: float = 60.0,
    ) -> None:
        self._tools = tools
        self._gauges = gauges
        self._alerts = alerts
        self._alert_log = alert_log
        self._rules = rules
        self._repairs = repairs or {}
        self._every_seconds = every_seconds
        self._open: dict[str, Alert] | None = None
        self._repaired: dict[str, datetime] = {}
        self.last: tuple[HealthCheck, ...] = ()
        """What the last look found, empty before the first."""
        self.last_at: datetime | None = None
        """When that was."""

    async def run(self) -> None:
        """Look until cancelled."""
        await again_and_again("health", self._every_seconds, self.look)

    async def look(self) -> Sequence[HealthCheck]:
        """Measure once, and act on it."""
        if self._open is None:
            self._open = await self._kept()
        self.last = judge(await self._gauges.vitals(), self._rules)
        self.last_at = self._tools.clock.now()
        for check in self.last:
            done = await self._repair(check)
            await self._note(check, done)
        for key in self._open.keys() - {check.name for check in self.last}:  # nobody asks it any more
            await self._note(HealthCheck(key, "it is not asked any more"), "")
        return self.last

    def open_alerts(self) -> Sequence[Alert]:
        """Return the alerts that last and were told."""
        return [one for one in (self._open or {}).values() if one.state is AlertState.OPEN]

    async def _kept(self) -> dict[str, Alert]:
        try:
            return {one.key: one for one in await self._alerts.unresolved()}
        except AiOpsError as failure:
            log.warning("health: the open alerts are not known: %s", failure)
            return {}

    async def _repair(self, check: HealthCheck) -> str:
        repair, now = self._repairs.get(check.name), self._tools.clock.now()
        last = self._repaired.get(check.name)
        if check.severity is None or repair is None or (last is not None and now - last < _REPAIR_AGAIN):
            return ""
        self._repaired[check.name] = now
        try:
            done = await repair()
        except (AiOpsError, OSError) as failure:
            log.warning("health: %s is not mended: %s", check.name, failure)
            return ""
        if done:
            log.info("health: %s is low, so %s", check.name, done)
        return done

    async def _note(self, check: HealthCheck, repair: str) -> None:
        assert self._open is not None  # it is read before the first look
        now = self._tools.clock.now()
        changed = change(check, self._open.get(check.name), now)
        if changed is None:
            return
        if repair:
            changed = replace(changed, alert=replace(changed.alert, repair=repair))
        alert = changed.alert
        if alert.state is AlertState.RESOLVED:
            self._open.pop(check.name, None)
        else:
            self._open[check.name] = alert
        await self._record(changed, now, repair)

    async def _record(self, changed: AlertChange, now: datetime, repair: str) -> None:
        """Write down what changed and tell it; what cannot be kept is told all the same."""
        alert, news = changed.alert, changed.news
        told = news is not None or repair
        if told:
            words = news.value if news is not None else "repaired"
            await self._alert_log.append({"at": now.isoformat(), "news": words, **_plain(alert)})
        kept = alert.state is AlertState.OPEN or news is AlertNews.RESOLVED
        try:
            if kept:
                await self._alerts.save(alert)
            if news is not None:
                await self._tell(alert, news, now)
        except AiOpsError as failure:
            log.warning("health: the alert %s is not kept: %s", alert.key, failure)
            if news is not None:
                await self._tools.mailroom.deliver_unkept(self._message(alert, news, now))

    async def _tell(self, alert: Alert, news: AlertNews, now: datetime) -> None:
        level = logging.INFO if news is AlertNews.RESOLVED else logging.ERROR
        log.log(level, "alert %s %s %s: %s", alert.severity, alert.key, news, alert.text)
        if self._tools.policy.recipients:
            await self._tools.outbox.put(self._message(alert, news, now))

    def _message(self, alert: Alert, news: AlertNews, now: datetime) -> Notification:
        told = notice(alert, news, self._tools.policy.public_url)
        return self._tools.mailroom.notice(notice_key(alert, news), told, self._tools.policy.recipients, now)


def _plain(alert: Alert) -> dict[str, object]:
    """Return an alert as JSON has it."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(alert).items()
    }
