"""A server for events that can misbehave on demand, and real agent processes."""

from __future__ import annotations

import contextlib
import ctypes
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, str], Any]
Behaviour = Callable[[list[dict[str, Any]], dict[str, str]], Answer | None]


class EventServer:
    """Takes ``POST /v1/events``. ``behave`` decides about each batch; None of it means to take it.

    ``events`` holds what was taken, by event id; an id that comes again must be the same event.
    """

    def __init__(self, port: int = 0) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[float, dict[str, str], int]] = []
        self.rejected: list[str] = []
        self.behave: Behaviour = lambda batch, headers: None
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                owner._connections.add(self.connection)

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # the agent was killed
                    super().handle()

            def finish(self) -> None:
                owner._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # the agent was killed
                assert self.path == "/v1/events"
                assert self.headers["Content-Encoding"] == "gzip"
                batch = json.loads(gzip.decompress(body))["events"]
                status, headers, answer = owner.take(batch, dict(self.headers))
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, batch: list[dict[str, Any]], headers: dict[str, str]) -> Answer:
        with self._lock:
            self.requests.append((time.monotonic(), headers, len(batch)))
            assert 0 < len(batch) <= 500
            answer = self.behave(batch, headers)
            if answer is not None and answer[0] != 200:
                return answer
            rejected = answer[2]["rejected"] if answer else []
            refused = {item["index"] for item in rejected}
            accepted = 0
            for index, event in enumerate(batch):
                if index in refused:
                    self.rejected.append(event["event_id"])
                    continue
                known = self.events.setdefault(event["event_id"], event)
                assert (known["count"], known["error"]) == (event["count"], event["error"])
                accepted += known is event
            duplicates = len(batch) - len(refused) - accepted
            return 200, {}, {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}

    @property
    def total(self) -> int:
        """How many occurrences were taken."""
        with self._lock:
            return sum(event["count"] for event in self.events.values())

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self._connections):  # kept ones would be served on
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def event_server(port: int = 0) -> Iterator[EventServer]:
    server = EventServer(port)
    try:
        yield server
    finally:
        server.close()


def problem(status: int, detail: str = "no", **headers: str) -> Answer:
    """Return an answer as an AI-Ops server gives it."""
    content = {"Content-Type": "application/problem+json"}
    return status, {**content, **{k.replace("_", "-"): v for k, v in headers.items()}}, {"detail": detail}


def lay_down_root() -> None:
    """Let root be refused like an ordinary user; runs in the child before the agent."""
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP


class AgentProcess:
    """A real agent in a folder of its own. It may read what its owner may, even when root runs the tests."""

    def __init__(self, folder: Path, url: str, *flags: str, stdin: Any = None, **environment: str) -> None:
        self.log = folder / "agent.stderr"
        self._stderr = self.log.open("ab")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ai_ops.agent",
                *("--repo-url", "https://git.example/acme/shop"),
                *("--server-url", url, "--data-dir", str(folder / "data")),
                *flags,
            ],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "DEBOUNCE_SECONDS": "0.05",
                "NODE_NAME": "node-1",
                **environment,
            },
            stdin=stdin,
            stderr=self._stderr,
            preexec_fn=lay_down_root if sys.platform == "linux" else None,
        )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._stderr.close()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout: float = 30) -> int:
        code = self.process.wait(timeout)
        self._stderr.close()
        return code


@contextmanager
def agent(
    folder: Path, url: str, *flags: str, stdin: Any = None, **environment: str
) -> Iterator[AgentProcess]:
    made = AgentProcess(folder, url, *flags, stdin=stdin, **environment)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.kill()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; fail when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
