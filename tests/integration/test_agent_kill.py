"""kill -9 anywhere: every occurrence is counted exactly once."""

import random
import shutil
import sqlite3
import threading
import time

import pytest

from tests.support.agents import agent, event_server, until

KINDS = 7


class Writer(threading.Thread):
    """Writes numbered errors and traces, half lines too, and rotates now and then."""

    def __init__(self, path, rotate, seed):
        super().__init__(daemon=True)
        self.path, self.rotate = path, rotate
        self.random = random.Random(seed)
        self.ended = threading.Event()
        self.written = 0
        self.rotations = 0

    def run(self):
        file = self.path.open("a")
        while not self.ended.is_set():
            for _ in range(self.random.randrange(1, 20)):
                text = self._record()
                cut = self.random.randrange(len(text))
                for part in (text[:cut], text[cut:]):
                    file.write(part)
                    file.flush()
                self.written += 1
            if self.rotate and self.random.random() < 0.1:
                file = self._rotate(file)
            time.sleep(0.01)
        file.close()

    def _record(self):
        kind = "abcdefg"[self.random.randrange(KINDS)]
        message = f"2026-03-01 12:00:00,000 ERROR kind {kind * 3} request {self.written} failed\n"
        noise = "2026-03-01 12:00:00,000 INFO all is well\n" * self.random.randrange(4)
        if self.random.random() < 0.2:
            trace = f'Traceback (most recent call last):\n  File "/app/{kind}.py", line 1, in f\n'
            return f"{noise}{message}{trace}    g()\nValueError: {kind * 3} of {self.written}\n"
        return noise + message

    def _rotate(self, file):
        self.rotations += 1
        if self.rotate == "rename":
            file.close()
            self.path.rename(self.path.with_name(f"app.log.{self.rotations}"))
            return self.path.open("a")
        shutil.copy(self.path, self.path.with_name(f"app.log.{self.rotations}"))
        file.truncate(0)
        return file


@pytest.mark.parametrize(
    ("rotate", "pattern", "window"),
    [
        ("", "app.log", "3600"),
        ("rename", "app.log", "0"),
        ("rename", "app.log*", "3600"),
        ("copytruncate", "app.log", "3600"),
        ("copytruncate", "app.log*", "0"),
    ],
    ids=["plain, counted", "rename", "rename, glob, counted", "copytruncate, counted", "copytruncate, glob"],
)
def test_each_occurrence_is_counted_once_over_kills_and_rotations(tmp_path, rotate, pattern, window):
    log = tmp_path / "app.log"
    log.touch()
    dice = random.Random(f"{rotate}{pattern}{window}")
    writer = Writer(log, rotate, dice.random())
    flags = ("--log-path", str(tmp_path / pattern), "--from-start")
    options = {"DEDUP_WINDOW_SECONDS": window}
    with event_server() as server:
        for attempt in range(4):
            with agent(tmp_path, server.url, *flags, **options) as running:
                if attempt == 0:
                    until(lambda: "following" in running.said)
                    writer.start()
                time.sleep(dice.uniform(0.3, 0.6))
                running.kill()
        writer.ended.set()
        writer.join()
        with agent(tmp_path, server.url, *flags, "--once", **options) as running:
            assert running.wait() == 0
        assert server.total == writer.written
        if window != "0":
            assert len(server.events) < writer.written / 4


def test_what_is_sent_again_arrives_once_over_kills(tmp_path):
    log = tmp_path / "app.log"
    log.write_text("".join(f"2026-03-01 12:00:00 ERROR part{n}x failed\n" for n in range(400)))
    flags = ("--log-path", str(log), "--from-start")
    dice = random.Random("again")
    with event_server() as server:
        server.behave = lambda batch, headers: (
            200,
            {},
            {"rejected": [{"index": index, "reason": "no"} for index in range(len(batch))]},
        )
        with agent(tmp_path, server.url, *flags, "--once", DEDUP_WINDOW_SECONDS="0") as running:
            assert running.wait() == 1
        assert len(list((tmp_path / "data" / "spool" / "rejected").iterdir())) == 400
        server.behave = lambda batch, headers: None
        with agent(tmp_path, server.url, *flags, "--resend-rejected") as running:
            until(lambda: len(list((tmp_path / "data" / "spool" / "rejected").glob("*.json"))) < 400)
            running.kill()
        for _ in range(6):
            with agent(tmp_path, server.url, *flags, "--resend-rejected") as running:
                time.sleep(dice.uniform(0.15, 0.5))
                running.kill()
        with agent(tmp_path, server.url, *flags, "--resend-rejected", "--once") as running:
            assert running.wait() == 0
        assert server.total == 400
    assert list((tmp_path / "data" / "spool" / "rejected").iterdir()) == []
    with sqlite3.connect(tmp_path / "data" / "spool" / "spool.db") as database:
        assert dict(database.execute("SELECT name, value FROM totals")) == {"shipped": 400, "rejected": 0}
