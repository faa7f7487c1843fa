"""The figures of the installation itself as metrics: runs, steps, money, workers, what is stored, its health.

The names follow the conventions of Prometheus: base units, ``_total`` for what only grows.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from ai_ops.core.orchestrator.oversight import Oversight
from ai_ops.core.ports import Clock, StoredFigures
from ai_ops.core.tally import Tally
from ai_ops.flow.health import HostUse
from ai_ops.flow.worker import WorkerState


class OwnFigures(Collector):
    """Collects them. ``refresh`` reads what takes a moment before it is asked."""

    def __init__(self, oversight: Oversight, clock: Clock) -> None:
        self._oversight = oversight
        self._clock = clock
        self._stored = StoredFigures()
        self._host: HostUse | None = None

    async def refresh(self) -> None:
        """Read what is stored, and what the host has left."""
        self._stored = await self._oversight.figures.read()
        self._host = await self._oversight.host()

    def collect(self) -> Iterable[Metric]:
        """Yield them."""
        yield from _of_runs(self._oversight.crew.tally)
        yield from self._of_workers()
        yield from self._of_what_is_stored()
        yield from self._of_health()

    def _of_workers(self) -> Iterable[Metric]:
        workers = self._oversight.supervisor.statuses()
        at = GaugeMetricFamily("ai_ops_workers", "Workers, by state.", labels=["state"])
        for state in WorkerState:
            at.add_metric([state.value], sum(each.state is state for each in workers))
        yield at
        beat = GaugeMetricFamily(
            "ai_ops_worker_heartbeat_age_seconds",
            "Time since a worker that works showed life; of an idle one 0.",
            labels=["worker"],
        )
        memory = GaugeMetricFamily(
            "ai_ops_worker_memory_bytes", "Memory of a worker's processes.", labels=["worker"]
        )
        for each in workers:
            beat.add_metric([str(each.number)], each.heartbeat_seconds)
            memory.add_metric([str(each.number)], each.memory_bytes)
        yield beat
        yield memory

    def _of_what_is_stored(self) -> Iterable[Metric]:
        stored, now = self._stored, self._clock.now()
        for name, words, labels, counts in (
            ("ai_ops_tasks", "Tasks, by kind and state.", ["kind", "state"], stored.tasks),
            ("ai_ops_issues", "Issues, by state.", ["state"], stored.issues),
            ("ai_ops_pull_requests", "Pull requests of ours, by state.", ["state"], stored.pull_requests),
            ("ai_ops_notifications", "Messages, by way and state.", ["way", "state"], stored.notifications),
        ):
            family = GaugeMetricFamily(name, words, labels=labels)
            for key, number in counts.items():
                family.add_metric([key] if isinstance(key, str) else list(key), number)
            yield family
        ages = (
            (
                "ai_ops_queue_oldest_age_seconds",
                "Time the oldest pending task has waited.",
                stored.pending_since,
            ),
            (
                "ai_ops_outbox_oldest_age_seconds",
                "Time the oldest message that is to go out has waited.",
                stored.unsent_since,
            ),
        )
        for name, words, since in ages:
            age = max(0.0, (now - since).total_seconds()) if since else 0.0
            yield GaugeMetricFamily(name, words, value=age)

    def _of_health(self) -> Iterable[Metric]:
        if self._host is not None:
            yield GaugeMetricFamily(
                "ai_ops_disk_free_bytes", "Free room where data lies.", value=self._host.disk_free
            )
        bad = GaugeMetricFamily("ai_ops_health", "1 for a check that is well, 0 else.", labels=["check"])
        for check in self._oversight.health.last:
            bad.add_metric([check.name], check.severity is None)
        yield bad
        alerts = GaugeMetricFamily(
            "ai_ops_alerts", "Open alerts, by severity and check.", labels=["severity", "check"]
        )
        for alert in self._oversight.health.open_alerts():
            alerts.add_metric([alert.severity.value, alert.key], 1)
        yield alerts


def _of_runs(tally: Tally) -> Iterable[Metric]:
    for name, words, labels, counts in (
        (
            "ai_ops_runs",
            "Runs that ended, by kind and the state of their task.",
            ["kind", "state"],
            tally.runs,
        ),
        (
            "ai_ops_model_tokens",
            "Tokens of model calls, by model, kind of task and direction.",
            ["model", "kind", "direction"],
            tally.tokens,
        ),
        (
            "ai_ops_model_cost_usd",
            "Money for model calls, by model and kind of task.",
            ["model", "kind"],
            tally.usd,
        ),
        ("ai_ops_workers_replaced", "Workers that were replaced, by reason.", ["reason"], tally.losses),
    ):
        family = CounterMetricFamily(name, words, labels=labels)
        for key, number in counts.items():
            family.add_metric(list(key), number)
        yield family
    took = HistogramMetricFamily(
        "ai_ops_step_duration_seconds", "Time of steps, by name and outcome.", labels=["step", "outcome"]
    )
    for key, durations in tally.steps.items():
        took.add_metric(list(key), durations.buckets(), durations.seconds)
    yield took
