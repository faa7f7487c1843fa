"""The server's figures, kept in a registry of their own so that two servers in a process do not mix."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from ai_ops.server.services import Services

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


EVENT_OUTCOMES = ("stored", "only_counted", "duplicate", "rejected", "refused")


class _Removed(Collector):
    """What was removed by age, as the keeper of that count has it."""

    def __init__(self, removed: Mapping[str, int]) -> None:
        self._removed = removed

    def collect(self) -> Iterable[Metric]:
        """Yield it."""
        family = CounterMetricFamily("ai_ops_removed", "Records removed by age, by kind.", labels=["kind"])
        for kind, number in self._removed.items():
            family.add_metric([kind], number)
        yield family


class Metrics:
    """Counters fed by requests, and gauges read from the ports when they are asked for."""

    def __init__(self, removed: Mapping[str, int]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Removed(removed))
        self.events = Counter(
            "ai_ops_events_total",
            "Events sent here, by what became of them: stored, only_counted, duplicate, rejected (for good) "
            "or refused (to be sent again).",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in EVENT_OUTCOMES:
            self.events.labels(outcome)
        self.waiting = Gauge(
            "ai_ops_issues_waiting",
            "Open issues whose repair waits, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.requests = Counter(
            "ai_ops_http_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "ai_ops_http_request_duration_seconds",
            "Time to answer, streams excepted.",
            ["route"],
            registry=self.registry,
        )
        self.sender_items = Counter(
            "ai_ops_sender_items_total",
            "Items of senders that are not our agent (sentry, otlp), and what became of them.",
            ["sender", "outcome"],
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "ai_ops_queue_depth", "Runs that wait for their turn.", registry=self.registry
        )
        self.unfinished = Gauge(
            "ai_ops_tasks_unfinished", "Tasks not yet final, by state.", ["state"], registry=self.registry
        )

        self.pause = Gauge(
            "ai_ops_queue_pause_seconds",
            "Time until the queue goes on, while a limit of the model's API pauses it, by reason.",
            ["reason"],
            registry=self.registry,
        )

    async def refresh(self, services: Services) -> None:
        """Read the gauges."""
        self.queue_depth.set(await services.engine.queue_depth())
        for reason, number in (await services.issues.waiting()).items():
            self.waiting.labels(reason).set(number)
        self.pause.clear()
        if pause := await services.pauses.current():
            left = (pause.until - services.clock.now()).total_seconds()
            self.pause.labels(pause.code).set(max(0.0, left))
        self.unfinished.clear()
        for task in await services.tasks.unfinished():
            self.unfinished.labels(task.state).inc()


METRICS = web.AppKey("metrics", Metrics)


def middleware(metrics: Metrics) -> Middleware:
    """Return the middleware that counts; it stands outermost and sees the final answers."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        response = await handler(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        # A method is any word a client likes; each label would be kept for ever.
        method = request.method if request.method in _METHODS else "other"
        metrics.requests.labels(method, route, str(response.status)).inc()
        if not route.endswith("/stream"):
            metrics.seconds.labels(route).observe(time.perf_counter() - started)
        return response

    return count
