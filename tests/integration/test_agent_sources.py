"""Logs that are not files: kill -9 between reading and committing loses nothing and doubles nothing."""

import os
import random
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.agents import agent, event_server, until
from tests.support.docker_double import docker_double
from tests.support.elk_double import elk_double
from tests.support.journal import REAL, journal

TRACE = 'Traceback (most recent call last):\n  File "/app/a.py", line 1, in f\n    g()\nValueError: '


@contextmanager
def elk(folder):
    with elk_double() as double:

        def write(number, text):
            late = timedelta(seconds=random.Random(number).uniform(0, 20))
            stamp = (datetime.now(UTC) - late).isoformat(timespec="milliseconds")
            double.add("logs", refresh=number % 3 == 0, **{"@timestamp": stamp, "message": text})

        flags = ("--source", "elk")
        yield write, double.refresh, flags, {"ELK_URL": double.url, "ELK_POLL_SECONDS": "0.02"}


@contextmanager
def docker(folder):
    with tempfile.TemporaryDirectory() as short, docker_double(Path(short)) as double:
        containers = [double.add("web-1"), double.add("web-2", tty=True)]

        def write(number, text):
            for line in text.split("\n"):
                containers[number % 2].write(line, stdio=1 + number // 2 % 2)

        flags = ("--source", "docker", "--container", "web-*")
        yield write, lambda: None, flags, {"DOCKER_HOST": double.url}


def journald(real):
    @contextmanager
    def made(folder):
        with journal(real=real) as log:

            def write(number, text):
                for line in text.split("\n"):
                    log.write(line)

            flags = ("--source", "journald", "--unit", "shop.service")
            yield write, lambda: None, flags, {"PATH": f"{log.path}:{os.environ['PATH']}"}

    return made


needs_journald = pytest.mark.skipif(not REAL, reason="needs root, bubblewrap and systemd-journald")


@pytest.mark.parametrize(
    "kind",
    [elk, docker, journald(False), pytest.param(journald(True), marks=needs_journald)],
    ids=["elk", "docker", "journald double", "journald"],
)
@pytest.mark.parametrize("window", ["0", "3600"], ids=["single", "counted"])
def test_each_occurrence_is_counted_once_over_kills(tmp_path, kind, window):
    dice, ended, written = random.Random(window), threading.Event(), [0]
    with kind(tmp_path) as (write, settle, flags, environment), event_server() as server:

        def keep_writing():
            while not ended.is_set():
                number = written[0]
                trace = f"\n{TRACE}{'abcdefg'[number % 7] * 3}" if number % 5 == 0 else ""
                write(number, f"2026-03-01 12:00:00,000 ERROR kind {'abc'[number % 3]} of {number}{trace}")
                written[0] += 1
                time.sleep(0.005)

        # A journal takes a record line by line, and on a busy machine there may be a while between two.
        options = {**environment, "DEDUP_WINDOW_SECONDS": window, "DEBOUNCE_SECONDS": "5"}
        writer = threading.Thread(target=keep_writing, daemon=True)
        writer.start()
        for _ in range(4):
            before = server.total
            with agent(tmp_path, server.url, "--from-start", *flags, **options) as running:
                if window == "0":
                    until(lambda: server.total > before)  # noqa: B023 - it is called at once
                time.sleep(dice.uniform(0.2, 0.5))
                running.kill()
        ended.set()
        writer.join()
        settle()
        with agent(tmp_path, server.url, "--from-start", "--once", *flags, **options) as running:
            assert running.wait(60) == 0, running.said
        assert server.total == written[0]
        if window != "0":
            assert len(server.events) < written[0] / 2


def numbered(count):
    return "".join(f"ERROR kind {n % 3} of {n}\nall is well\n" for n in range(count))


def test_standard_input_is_read_to_its_end_shipped_and_left(tmp_path):
    with (
        event_server() as server,
        agent(tmp_path, server.url, "--stdin", stdin=subprocess.PIPE, DEDUP_WINDOW_SECONDS="0") as running,
    ):
        running.process.stdin.write(f"noise\nERROR boom\n{TRACE}no\nlast ERROR without an end".encode())
        running.process.stdin.close()
        assert running.wait() == 0, running.said
        assert {event["source"]["path"] for event in server.events.values()} == {"stdin"}
        assert sorted(event["error"]["exception_type"] for event in server.events.values()) == [
            "",
            "ValueError",
        ]


def test_a_dash_for_a_log_path_is_standard_input(tmp_path):
    with (
        event_server() as server,
        agent(
            tmp_path, server.url, "--log-path", "-", stdin=subprocess.PIPE, DEDUP_WINDOW_SECONDS="0"
        ) as running,
    ):
        running.process.stdin.write(b"ERROR boom\n")
        running.process.stdin.close()
        assert running.wait() == 0
        assert server.total == 1


def test_an_open_pipe_is_shipped_from_as_it_goes_and_left_on_a_signal(tmp_path):
    with event_server() as server, agent(tmp_path, server.url, "--stdin", stdin=subprocess.PIPE) as running:
        running.process.stdin.write(b"ERROR boom\n")
        running.process.stdin.flush()
        until(lambda: server.total == 1)
        assert running.terminate() == 0


def test_a_file_as_standard_input_is_gone_on_with_after_a_kill(tmp_path):
    text, count = tmp_path / "old.log", 4000
    text.write_text(numbered(count))
    with event_server() as server:
        for moment in (0.25, 0.3, 0.35):
            with (
                text.open() as stdin,
                agent(tmp_path, server.url, "--stdin", stdin=stdin, DEDUP_WINDOW_SECONDS="0") as running,
            ):
                time.sleep(moment)
                running.kill()
        with (
            text.open() as stdin,
            agent(tmp_path, server.url, "--stdin", stdin=stdin, DEDUP_WINDOW_SECONDS="0") as running,
        ):
            assert running.wait(60) == 0, running.said
        assert server.total == count


def test_a_pipe_doubles_nothing_over_kills_and_keeps_what_was_not_read(tmp_path):
    read, write = os.pipe()
    with event_server() as server:
        for round_ in range(3):
            with agent(tmp_path, server.url, "--stdin", stdin=read, DEDUP_WINDOW_SECONDS="0") as running:
                os.write(write, f"ERROR round {'abc'[round_]}\n".encode())
                until(lambda: server.total == round_ + 1)  # noqa: B023 - it is called at once
                running.kill()
        os.write(write, b"ERROR the last one\n")
        os.close(write)
        with agent(tmp_path, server.url, "--stdin", stdin=read, DEDUP_WINDOW_SECONDS="0") as running:
            assert running.wait() == 0
        os.close(read)
        assert server.total == 4


def test_a_source_that_needs_a_person_fails_a_single_run_and_files_are_read_nevertheless(tmp_path):
    log = tmp_path / "app.log"
    log.write_text("ERROR boom\n")
    flags = ("--source", "elk", "--log-path", str(log), "--from-start", "--once")
    with event_server() as server, elk_double() as double:
        double.authorization = "ApiKey right"
        with agent(tmp_path, server.url, *flags, ELK_URL=double.url, ELK_API_KEY="wrong") as running:
            assert running.wait() == 1
            assert "401" in running.said
        assert server.total == 1
        with agent(tmp_path, server.url, *flags, ELK_URL=double.url, ELK_API_KEY="right") as running:
            assert running.wait() == 0


def test_an_agent_without_other_sources_does_not_load_them(tmp_path):
    code = "import sys; import ai_ops.agent.__main__; sys.exit('asyncio' in sys.modules)"
    env = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]}
    python = Path(os.sys.executable)
    assert subprocess.run([python, "-c", code], env=env).returncode == 0
