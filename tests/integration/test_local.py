"""``ai-ops local``: the whole loop in one process, as a person starts it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from tests.support.agents import until
from tests.support.local_server import ROOT, SCRIPT, TRACEBACK, make_remote

OTHER = TRACEBACK.replace("ZeroDivisionError: division by zero", "ValueError: no such product")


class Local:
    """``ai-ops local`` in a folder of its own."""

    def __init__(self, folder, *arguments, **environment):
        self.folder = folder
        self.log = folder / "local.stderr"
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ai_ops", "local", *arguments],
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": "/nonexistent",
                    "PYTHONPATH": str(ROOT),
                    "CODE_HOST": "local",
                    "ALLOWED_REPOS": str(folder / "remotes"),
                    "SCRIPTED_ANSWERS": str(folder / "script.json"),
                    "DEBOUNCE_SECONDS": "0.05",
                    **environment,
                },
                stderr=stderr,
            )

    @property
    def said(self):
        return self.log.read_text()

    def errors(self):
        """Return the exception types that were taken."""
        path = self.folder / "data" / "ai_ops.db"
        if not path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return sorted(row[0] for row in database.execute("SELECT exception_type FROM issues"))
        except sqlite3.OperationalError:  # it is still being made
            return []

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def local(folder, *arguments, **environment):
    running = Local(folder, *arguments, **environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


@pytest.fixture
def folder(tmp_path):
    make_remote(tmp_path)
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
    (tmp_path / "app.log").write_text(f"2026-03-01 12:00:00 ERROR request failed\n{TRACEBACK}")
    return tmp_path


def append(folder, text):
    with (folder / "app.log").open("a") as log:
        log.write(f"2026-03-01 12:00:01 ERROR request failed\n{text}")


def flags(folder, *more):
    return ("--log-path", "app.log", "--repo-url", str(folder / "remotes" / "shop.git"), *more)


def test_without_from_start_only_new_lines_are_read(folder):
    with local(folder, *flags(folder)) as running:
        until(lambda: "following" in running.said)
        append(folder, OTHER)
        until(lambda: running.errors() == ["ValueError"])
        assert running.end() == 0


def test_from_start_reads_old_lines_once(folder):
    for _ in range(2):
        with local(folder, *flags(folder, "--from-start")) as running:
            until(lambda: "following" in running.said)
            until(lambda: running.errors() == ["ZeroDivisionError"])
            assert running.end() == 0
    with closing(sqlite3.connect(folder / "data" / "ai_ops.db")) as database:
        assert database.execute("SELECT sum(count) FROM issues").fetchone() == (1,)


def test_what_was_rejected_is_sent_again_when_the_settings_are_mended(folder):
    wrong = ("--log-path", "app.log", "--repo-url", str(folder / "elsewhere.git"), "--from-start")
    with local(folder, *wrong) as running:
        until(lambda: "--resend-rejected sends it again" in running.said)
        assert "must lie below a folder named in ALLOWED_REPOS. Set ALLOWED_REPOS" in running.said
        assert running.end() == 0
    with local(folder, *flags(folder, "--resend-rejected")) as running:
        until(lambda: running.errors() == ["ZeroDivisionError"])
        assert "1 rejected event is sent again" in running.said
        assert running.end() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--repo-url", "https://git.example/a/b"), "name a log with --log-path"),
        (("--log-path", "app.log"), "AGENT_REPO_URL: is missing"),
        (("--nonsense",), "No such option"),
    ],
    ids=["no log", "no repository", "no such option"],
)
def test_an_option_that_is_missing_or_wrong_ends_with_2_and_makes_nothing(folder, arguments, words):
    with local(folder, *arguments) as running:
        assert running.process.wait(30) == 2
        assert words in running.said
    assert not (folder / "data").exists()


def test_tables_of_the_file_are_followed_as_the_agent_does(folder):
    remote = folder / "remotes" / "shop.git"
    (folder / "ai-ops.toml").write_text(f'[[source]]\npath = "app.log"\nrepo_url = "{remote}"\n')
    with local(folder, "--from-start") as running:
        until(lambda: running.errors() == ["ZeroDivisionError"])
        assert running.end() == 0
