"""From the agent's options to the sources that are not files. An agent that has none never loads them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ai_ops.agent.options import Options, Source
from ai_ops.monitoring.detect import Detector

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from ai_ops.agent.streams import Streams
    from ai_ops.monitoring.sources.port import LogSource


def open_streams(options: Options, positions: Mapping[str, str], wake: Callable[[], None]) -> Streams | None:
    """Return the sources that are not files, ready to be read; None when there are none.

    Args:
        options: what to read.
        positions: how far each stream was read.
        wake: called when there is something to read.
    """
    wanted = {index: source for index, source in enumerate(options.sources) if source.kind != "file"}
    if not wanted:
        return None
    from ai_ops.agent.streams import Streams

    # Where the globs of two tables meet, the first has the container.
    earlier: list[tuple[str, ...]] = []
    made: dict[int, LogSource] = {}
    for index, source in wanted.items():
        made[index] = _made(options, source, tuple(earlier))
        if source.kind == "docker":
            earlier.append(source.containers)
    _log.info("reading %s", ", ".join(source.kind for source in wanted.values()))
    return Streams(
        made,
        Detector(options.keywords, options.log_filter),
        options.debounce_seconds,
        positions=positions,
        once=options.once,
        wake=wake,
    )


def _made(options: Options, source: Source, earlier: Sequence[Sequence[str]]) -> LogSource:
    follow, from_start = not options.once, options.from_start
    if source.kind == "stdin":
        from ai_ops.monitoring.sources.stdin import StdinSource

        return StdinSource()
    if source.kind == "journald":
        from ai_ops.monitoring.sources.journald import JournaldSource

        return JournaldSource(source.units, follow=follow, from_start=from_start)
    from ai_ops.monitoring.sources.http import Endpoint

    if source.kind == "docker":
        from ai_ops.monitoring.sources.docker import DockerSource

        engine = Endpoint.parse(options.docker_host)
        return DockerSource(engine, source.containers, earlier, follow=follow, from_start=from_start)
    from ai_ops.monitoring.sources.elk import MAX_PAGE, ElkOptions, ElkSource

    headers = {"Authorization": f"ApiKey {options.elk_api_key}"} if options.elk_api_key else {}
    elk = ElkOptions(
        index=source.index,
        query=source.query,
        poll_seconds=options.elk_poll_seconds,
        late_seconds=options.elk_late_seconds,
        page=min(MAX_PAGE, options.max_error_queue_size),  # a page goes into the spool as a whole
        follow=follow,
        from_start=from_start,
    )
    return ElkSource(Endpoint.parse(options.elk_url, headers), elk)
