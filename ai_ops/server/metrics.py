"""The server's figures, kept in a registry of their own so that two servers in a process do not mix."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from ai_ops.server.own_figures import OwnFigures
from ai_ops.server.services import Services

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


EVENT_OUTCOMES = ("stored", "only_counted", "duplicate", "rejected", "refused")


Counts = Callable[[], Sequence[tuple[tuple[str, ...], int]]]
"""What to count, by the values of its labels."""


class _Kept(Collector):
    """A count that somebody else keeps, as it is when it is asked for: labels → number."""

    def __init__(self, name: str, words: str, labels: tuple[str, ...], counts: Counts) -> None:
        self._named = (name, words)
        self._labels = labels
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        """Yield it."""
        family = CounterMetricFamily(*self._named, labels=self._labels)
        for labels, number in self._counts():
            family.add_metric(labels, number)
        yield family


class Metrics:
    """Counters fed by requests, and gauges read from the ports when they are asked for."""

    def __init__(self, services: Services) -> None:
        self.registry = CollectorRegistry()
        removed, watched = services.removed, services.watched
        self.own = OwnFigures(services.oversight, services.clock)
        self.registry.register(self.own)
        self.registry.register(
            _Kept(
                "ai_ops_removed",
                "Records removed by age, by kind.",
                ("kind",),
                lambda: [((kind,), number) for kind, number in removed.items()],
            )
        )
        self.registry.register(
            _Kept(
                "ai_ops_pull_request_looks",
                "Looks at open pull requests, by code host and outcome.",
                ("host", "outcome"),
                lambda: list(watched.looks.items()) if watched else [],
            )
        )
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

        self.maintenance = Gauge(
            "ai_ops_maintenance", "1 while maintenance lets no work begin.", registry=self.registry
        )
        self.accepting = Gauge(
            "ai_ops_queue_accepting", "0 while prompt tasks are refused.", registry=self.registry
        )
        self.counted = Gauge(
            "ai_ops_queue_prompt_tasks",
            "Prompt tasks that the cap of the queue counts.",
            registry=self.registry,
        )

        self.open_pull_requests = Gauge(
            "ai_ops_pull_requests_open",
            "Open pull requests of ours, by what CI says of them; held: a person has taken over.",
            ["ci"],
            registry=self.registry,
        )
        self.host_pause = Gauge(
            "ai_ops_code_host_pause_seconds",
            "The pause of a code host that is down or limits us; without one it is not there.",
            ["host"],
            registry=self.registry,
        )

    async def refresh(self, services: Services) -> None:
        """Read the gauges."""
        await self.own.refresh()
        await self._refresh_pull_requests(services)
        self.queue_depth.set(await services.engine.queue_depth())
        for reason, number in (await services.issues.waiting()).items():
            self.waiting.labels(reason).set(number)
        self.pause.clear()
        if pause := await services.pauses.current():
            left = (pause.until - services.clock.now()).total_seconds()
            self.pause.labels(pause.code).set(max(0.0, left))
        self.maintenance.set(services.maintenance.current() is not None)
        gate, pending = await services.gate.look()
        self.accepting.set(not gate.closed)
        self.counted.set(pending)
        self.unfinished.clear()
        for task in await services.tasks.unfinished():
            self.unfinished.labels(task.state).inc()

    async def _refresh_pull_requests(self, services: Services) -> None:
        self.open_pull_requests.clear()
        for pull_request in await services.pull_requests.open():
            self.open_pull_requests.labels("held" if pull_request.held else pull_request.ci.verdict).inc()
        self.host_pause.clear()
        for host, seconds in (services.watched.pauses if services.watched else {}).items():
            self.host_pause.labels(host).set(seconds)


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
