"""What the tests of the store share: a clock that stands still, and errors by number."""

from __future__ import annotations

import functools
import tempfile
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource, Frame
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Proof, Reason, Verdict
from ai_ops.store.migrate import upgrade

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
APP = Repository("git.example/acme/app", "https://git.example/acme/app", "github")


class FixedClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self.time

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.time += timedelta(seconds=seconds)


def fingerprint(number: int) -> str:
    """Return a fingerprint as grouping makes them."""
    return f"{number:064x}"


def event(
    number: int = 1, *, at: datetime = START, count: int = 1, event_id: str = "", **error: object
) -> Event:
    """Return a new event of the error with this number."""
    detail = ErrorDetail(
        "Traceback …\nZeroDivisionError: division by zero",
        "python",
        "ZeroDivisionError",
        "division by zero",
        (Frame("app/main.py", 3, "main"), Frame("app/calc.py", 7, "divide")),
        fingerprint(number),
        "v1",
    )
    return Event(
        event_id or str(uuid.uuid4()),
        at,
        EventRepo(APP.url, "github", "main"),
        replace(detail, **error),
        node="n1",
        service="shop",
        environment="production",
        release="abc",
        source=EventSource("/var/log/app.log", 17),
        level="ERROR",
        context=("before",),
        count=count,
    )


def denial(number: int = 1, **more: Any) -> Event:
    """Return an event that triage does not repair."""
    return event(number, exception_type="PermissionDenied", **more)


def pairs(*events: Event) -> list[tuple[Event, Repository]]:
    """Return events with the repository they belong to."""
    return [(one, APP) for one in events]


def pull_request(number: int = 1, **changes: Any) -> PullRequest:
    """Return the open pull request of the error with this number."""
    made = PullRequest(
        id=f"pr-{number}",
        repo_key=APP.key,
        repo_url=APP.url,
        code_host="github",
        number=number,
        url=f"https://git.example/acme/app/pull/{number}",
        state=PullRequestState.OPEN,
        branch=f"ai-ops/fix-{number}-1",
        base="main",
        base_sha="a" * 40,
        head_sha="b" * 40,
        title="Fix",
        body="because",
        diff="--- a\n+++ b\n",
        task_id="t",
        run_id="r",
        issue_id=None,
        fingerprint=fingerprint(number),
        episode=1,
        created_at=START,
        updated_at=START,
        proof=Proof(Verdict.PROVED, (Reason("red_to_green", "tests/x", "failed before, passed after"),)),
    )
    return replace(made, **changes)


def sqlite_url(folder: Path) -> str:
    """Return the URL of a database in a folder."""
    return f"sqlite:///{folder}/data/ai_ops.db"


def migrated_url(folder: Path) -> str:
    """Return the URL of a database in a folder, which has its tables already if it is new."""
    place = folder / "data" / "ai_ops.db"
    if not place.exists():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_bytes(_with_tables())
    return sqlite_url(folder)


@functools.cache
def _with_tables() -> bytes:
    """Return a database file as the migrations make it; they take longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.db")
        engine = create_engine(f"sqlite:///{made}")
        with engine.begin() as connection:
            upgrade(connection)
        engine.dispose()
        return made.read_bytes()
