"""Logs of Docker containers, read from the engine's socket.

The list of containers is the truth, the engine's events only make it be read sooner. Each container is a
stream of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from ai_ops.errors import AiOpsError
from ai_ops.monitoring.sources.docker_containers import Container, is_meant, listed
from ai_ops.monitoring.sources.docker_position import ContainerPosition
from ai_ops.monitoring.sources.docker_stream import log_lines
from ai_ops.monitoring.sources.http import Endpoint, ask, refusal, request
from ai_ops.monitoring.sources.lines import LineSplitter
from ai_ops.monitoring.sources.port import BEGINNING, Entry, Mark

_log = logging.getLogger(__name__)

_ANSWER_BYTES = 16 << 20
_LOOK_SECONDS = 10.0
_QUEUE = 100
_STREAM = "docker"


class DockerSource:
    """Reads the logs of containers that are there and of those that appear.

    Args:
        endpoint: the engine's socket.
        globs: which containers; none of them: all but the agent's own.
        others: the globs of other sources, which have the containers that they match.
        follow: go on when everything was read.
        from_start: read containers that are there at the first start from their beginning.
        clock: Unix seconds; the engine's own time should be the same.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        globs: Sequence[str] = (),
        others: Sequence[Sequence[str]] = (),
        *,
        follow: bool = True,
        from_start: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._globs = tuple(globs)
        self._others = tuple(others)
        self._began = f"{_STREAM}[{','.join(sorted(globs))}]"
        self._follow = follow
        self._from_start = from_start
        self._clock = clock

    async def entries(self, positions: Mapping[str, str]) -> AsyncGenerator[Entry | Mark, None]:
        """Yield the lines; see ``LogSource``."""
        following = _Following(self._endpoint, positions, follow=self._follow)
        # Containers that appear later are read whole, also those that appeared while nobody looked.
        began = self._began in positions or self._from_start
        start = BEGINNING if began else str(ContainerPosition.at(int(self._clock() * 1e9)))
        hinting = asyncio.create_task(following.take_hints()) if self._follow else None
        try:
            while True:
                for mark in following.look(await self._containers(), start):
                    yield mark
                start = BEGINNING
                yield Mark(self._began, "began")
                async for entry in following.until_next_look():
                    yield entry
                if not self._follow:
                    if following.broken is not None:  # what comes after its position is still to be read
                        raise following.broken
                    return
        finally:
            await following.stop(hinting)

    async def _containers(self) -> list[Container]:
        answer = await ask(self._endpoint, "GET", "/containers/json?all=1", limit=_ANSWER_BYTES)
        return [
            container
            for container in listed(answer)
            if is_meant(container, self._globs)
            and not any(is_meant(container, globs) for globs in self._others)
        ]


class _Following:
    """The containers whose logs are being read."""

    def __init__(self, endpoint: Endpoint, positions: Mapping[str, str], *, follow: bool) -> None:
        self._endpoint = endpoint
        self._follow = follow
        self._at = {
            stream: ContainerPosition.parse(position)
            for stream, position in positions.items()
            if stream.startswith(f"{_STREAM}:")
        }
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._queue: asyncio.Queue[Entry | None] = asyncio.Queue(_QUEUE)  # None: look again
        self._changes: Counter[str] = Counter()
        self._drained: dict[str, int] = {}
        self._complained: set[str] = set()
        self._marked: set[str] = set()
        self.broken: AiOpsError | None = None
        """Why the reading of a log broke off last."""

    def look(self, containers: Sequence[Container], start: str) -> list[Mark]:
        """Begin to read what is not being read; return where reading of each began."""
        marks = []
        for container in containers:
            changes = self._changes[container.id]
            read = self._drained.get(container.id) == changes and not container.running
            if container.id in self._reading or read:
                continue
            stream = f"{_STREAM}:{container.id}"
            if container.id not in self._marked:  # later its position runs ahead of what was yielded
                self._marked.add(container.id)
                at = self._at.setdefault(stream, ContainerPosition.parse(start))
                marks.append(Mark(stream, str(at)))
            self._reading[container.id] = asyncio.create_task(self._read(container, stream, changes))
        there = {container.id for container in containers}
        self._drained = {name: n for name, n in self._drained.items() if name in there}
        return marks

    async def until_next_look(self) -> AsyncIterator[Entry]:
        """Yield entries until it is time to look at the list again, or all has been read."""
        end = time.monotonic() + _LOOK_SECONDS
        while self._follow or self._reading or not self._queue.empty():
            left = end - time.monotonic() if self._follow else None
            try:
                async with asyncio.timeout(left):
                    entry = await self._queue.get()
            except TimeoutError:
                return
            if entry is not None:
                yield entry
            if self._follow and (entry is None or time.monotonic() >= end):
                return

    async def stop(self, *more: asyncio.Task[None] | None) -> None:
        """End all reading."""
        tasks = [task for task in (*self._reading.values(), *more) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take_hints(self) -> None:
        """Have the list looked at as soon as a container starts or ends."""
        query = urlencode(
            {"filters": json.dumps({"type": ["container"], "event": ["start", "die", "rename"]})}
        )
        while True:
            try:
                async with request(self._endpoint, "GET", f"/events?{query}", endless=True) as response:
                    if response.status != 200:
                        raise refusal(self._endpoint, response, b"")
                    self._drained.clear()  # whatever happened meanwhile was not heard of
                    await self._queue.put(None)
                    lines = LineSplitter()
                    async for chunk in response.body:
                        for line, _ in lines.feed(chunk):
                            self._changes[_container_of(line)] += 1
                            await self._queue.put(None)
            except AiOpsError as failure:
                _log.debug("no events of containers: %s", failure.message)
            await asyncio.sleep(_LOOK_SECONDS / 2)

    async def _read(self, container: Container, stream: str, changes: int) -> None:
        """Read one container's log until it ends."""
        try:
            await self._read_log(container, stream)
            self._drained[container.id] = changes
            self._complained.discard(container.id)
        except AiOpsError as failure:
            if failure.code == "source_unreachable":
                self.broken = failure
            if container.id not in self._complained:
                self._complained.add(container.id)
                _log.warning("cannot read the log of container %s: %s", container.name, failure.message)
        finally:
            self._reading.pop(container.id, None)
        await self._queue.put(None)

    async def _read_log(self, container: Container, stream: str) -> None:
        place = f"/containers/{quote(container.id, safe='')}"
        about = await ask(self._endpoint, "GET", f"{place}/json", limit=_ANSWER_BYTES)
        position = self._at[stream] = self._at[stream].resumed()
        query = {
            "stdout": 1,
            "stderr": 1,
            "timestamps": 1,
            "follow": int(self._follow),
            "since": position.since,
        }
        async with request(
            self._endpoint, "GET", f"{place}/logs?{urlencode(query)}", endless=True
        ) as response:
            if response.status != 200:
                raise refusal(self._endpoint, response, b"")
            async for line in log_lines(response.body, terminal=_has_terminal(about)):
                number = position.take(line.stdio, line.at)
                if number is None:
                    continue
                origin = f"docker:{container.name}/{line.stdio}"
                identity = f"{stream}/{line.stdio}/{number}"
                moment = line.at / 1e9
                await self._queue.put(
                    Entry(stream, str(position), origin, line.text, identity, line.at, time=moment)
                )


def _has_terminal(about: Any) -> bool:
    config = about.get("Config") if isinstance(about, dict) else None
    return bool(config.get("Tty")) if isinstance(config, dict) else False


def _container_of(line: bytes) -> str:
    """Return the id of the container that an event is about; empty when it names none."""
    try:
        value = json.loads(line)
        return str(value["Actor"]["ID"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
