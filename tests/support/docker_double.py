"""A Docker engine's socket, as far as the agent uses it, over the bytes that a real one sends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

SECOND = 1_000_000_000
START = 1_772_366_400 * SECOND  # 2026-03-01T12:00:00Z


def stamp(at: int) -> bytes:
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % SECOND:09}Z".encode()


@dataclass
class FakeContainer:
    """``log`` holds (stdout 1 or stderr 2, nanoseconds, bytes with their newline, or without: a piece)."""

    id: str
    name: str
    tty: bool = False
    running: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    log: list[tuple[int, int, bytes]] = field(default_factory=list)
    readable: bool = True

    def write(self, text: str, *, stdio: int = 1, at: int = 0) -> None:
        """Log a line; its time is a microsecond after the one before, unless it is given."""
        last = max((one[1] for one in self.log), default=START)
        end = b"\r\n" if self.tty else b"\n"
        self.log.append((stdio, at or last + 1000, text.encode() + end))


class DockerDouble:
    """Serves containers on a unix socket. ``cut`` breaks a log's answer off after so many bytes."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.containers: dict[str, FakeContainer] = {}
        self.asked: list[str] = []
        self.cut = 0
        self.has_events = True
        self._watchers: list[asyncio.Queue[bytes]] = []
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._server = self._loop.run_until_complete(
                asyncio.start_unix_server(self._connected, str(socket))
            )
            started.set()
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        started.wait()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def add(self, name: str, **more) -> FakeContainer:
        """Start a container."""
        container = FakeContainer(f"{len(self.containers):02}{name}".ljust(64, "f"), name, **more)
        self.containers[container.id] = container
        self.tell("start", container)
        return container

    def end(self, container: FakeContainer) -> None:
        """Let a container exit."""
        container.running = False
        self.tell("die", container)

    def start(self, container: FakeContainer) -> None:
        """Start it again."""
        container.running = True
        self.tell("start", container)

    def tell(self, action: str, container: FakeContainer) -> None:
        """Send an event to those who listen."""
        line = json.dumps({"Type": "container", "Action": action, "Actor": {"ID": container.id}}).encode()
        for watcher in list(self._watchers):
            self._loop.call_soon_threadsafe(watcher.put_nowait, line + b"\n")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            first = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()
            method, target, _ = first.split(" ")
            assert method == "GET"
            self.asked.append(target)
            await self._answer(target, writer)
        writer.close()

    async def _answer(self, target: str, writer: asyncio.StreamWriter) -> None:
        path, query = unquote(urlsplit(target).path), parse_qs(urlsplit(target).query)
        if path == "/containers/json":
            assert query["all"] == ["1"]
            return await _say(writer, 200, [_listed(c) for c in self.containers.values()])
        if path == "/events":
            if not self.has_events:
                return await _say(writer, 500, {"message": "no"})
            return await self._events(writer)
        _, _, name, what = path.split("/")
        container = self.containers.get(name)
        if container is None:
            return await _say(writer, 404, {"message": f"No such container: {name}"})
        if what == "json":
            return await _say(writer, 200, {"Id": name, "Config": {"Tty": container.tty}})
        if not container.readable:
            return await _say(writer, 501, {"message": "configured logging driver does not support reading"})
        return await self._logs(container, query, writer)

    async def _events(self, writer: asyncio.StreamWriter) -> None:
        watcher: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers.append(watcher)
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                await writer.drain()
                await _chunk(writer, await watcher.get())
        finally:
            self._watchers.remove(watcher)

    async def _logs(
        self, container: FakeContainer, query: dict[str, list[str]], writer: asyncio.StreamWriter
    ) -> None:
        assert query["timestamps"] == query["stdout"] == query["stderr"] == ["1"]
        seconds, _, nanos = query["since"][0].partition(".")
        since = int(seconds) * SECOND + int(nanos or 0)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent, at = 0, 0
        while True:
            running = container.running
            for stdio, moment, text in container.log[at:]:
                at += 1
                if moment < since:
                    continue
                data = stamp(moment) + b" " + text
                if not container.tty:
                    data = bytes([stdio, 0, 0, 0]) + len(data).to_bytes(4, "big") + data
                if self.cut and sent + len(data) > self.cut:
                    await _chunk(writer, data[: self.cut - sent])
                    return
                sent += len(data)
                await _chunk(writer, data)
            if query["follow"] == ["0"] or not running:
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return
            await asyncio.sleep(0.01)


def _listed(container: FakeContainer) -> dict:
    state = "running" if container.running else "exited"
    return {"Id": container.id, "Names": [f"/{container.name}"], "State": state, "Labels": container.labels}


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


async def _say(writer: asyncio.StreamWriter, status: int, value) -> None:
    data = json.dumps(value).encode()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data)
    await writer.drain()


@contextlib.contextmanager
def docker_double(folder: Path) -> Iterator[DockerDouble]:
    double = DockerDouble(folder / "docker.sock")
    try:
        yield double
    finally:
        double.close()
