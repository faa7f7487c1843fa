"""Holds each node to its rate of events. One that is above it is told when to come back; it loses nothing."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable

from ai_ops.core.rate import Bucket, draw

_REMEMBERED_NODES = 10_000


class NodeRates:
    """The buckets of the nodes that were heard of lately.

    Args:
        per_minute: events a node may send a minute; 0 means any number.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait_seconds(self, nodes: Iterable[str]) -> float:
        """Return how long the sender of a batch has to wait; 0 takes it into account and lets it pass.

        ``nodes`` names the node of each event. When one of several is above its rate, none is charged.
        """
        if not self._per_minute:
            return 0.0
        now = self._clock()
        drawn = {
            node: draw(self._buckets.get(node), now, events, self._per_minute)
            for node, events in Counter(nodes).items()
        }
        wait = max((seconds for _, seconds in drawn.values()), default=0.0)
        if wait > 0:
            return wait
        for node, (bucket, _) in drawn.items():
            self._buckets[node] = bucket
            self._buckets.move_to_end(node)
        while len(self._buckets) > _REMEMBERED_NODES:
            self._buckets.popitem(last=False)
        return 0.0
