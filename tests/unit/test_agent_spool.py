"""The spool: one transaction or none of it, exact counts, bounded."""

import json
import sqlite3

import pytest

from ai_ops.agent.dedup import Window
from ai_ops.agent.spool import Change, Outgoing, Spool
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.monitoring.checkpoint import Checkpoint
from tests.support.spools import break_spool, mend_spool

VERSION_1 = """
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, count INTEGER NOT NULL,
  event BLOB NOT NULL);
CREATE TABLE checkpoints (
  device TEXT, inode TEXT, path TEXT NOT NULL, "offset" INTEGER NOT NULL, generation INTEGER NOT NULL,
  identity TEXT NOT NULL, head_length INTEGER NOT NULL, head BLOB NOT NULL, tail_length INTEGER NOT NULL,
  tail BLOB NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (device, inode)) WITHOUT ROWID;
CREATE TABLE windows (
  key TEXT PRIMARY KEY, opened_at REAL NOT NULL, count INTEGER NOT NULL, counted_since REAL NOT NULL,
  event BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE patterns (pattern TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
INSERT INTO outbox (event_id, count, event) VALUES ('a', 1, x'41'), ('b', 2, x'4242');
INSERT INTO checkpoints VALUES ('1', '2', '/a', 10, 0, 'id', 2, x'68', 3, x'74', 100.0);
INSERT INTO patterns VALUES ('/a*');
INSERT INTO totals VALUES ('dropped', 7);
"""


def outgoing(number, count=1):
    return Outgoing(f"id-{number}", count, json.dumps({"event_id": f"id-{number}"}).encode())


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path / "spool", 5)
    yield made
    made.close()


def test_what_does_not_fit_is_dropped_newest_first_and_counted_exactly(spool):
    assert spool.commit(Change(events=[outgoing(n, count=n) for n in range(1, 9)])) == 6 + 7 + 8
    assert [waiting.event_id for waiting in spool.oldest(100, 1 << 20)] == [f"id-{n}" for n in range(1, 6)]
    assert spool.commit(Change(events=[outgoing(9)])) == 1
    assert spool.stats().dropped == 22
    assert spool.stats().waiting == 5


def test_counts_of_shut_windows_find_room_in_a_full_spool(spool):
    spool.commit(Change(events=[outgoing(n) for n in range(5)]))
    assert spool.commit(Change(counts=[outgoing("count", 7)])) == 0
    assert spool.stats().waiting == 6
    assert spool.room() == 0


def test_the_same_event_is_spooled_once(spool):
    spool.commit(Change(events=[outgoing(1), outgoing(1)]))
    spool.commit(Change(events=[outgoing(1)]))
    assert spool.stats().waiting == 1


def test_a_change_is_written_whole_or_not_at_all(spool):
    broken = Outgoing("id-2", 1, object())
    checkpoint = Checkpoint(1, 2, "/a", 10)
    with pytest.raises(TemporaryError, match="spool_unavailable"):
        spool.commit(Change(events=[outgoing(1), broken], checkpoints={checkpoint.key: checkpoint}))
    assert spool.oldest(10, 1 << 20) == []
    assert spool.checkpoints() == []
    assert spool.stats().waiting == 0


@pytest.mark.parametrize(
    "read",
    [
        lambda spool: spool.oldest(10, 1 << 20),
        Spool.stats,
        Spool.checkpoints,
        Spool.windows,
        Spool.patterns,
        Spool.positions,
    ],
    ids=["oldest", "stats", "checkpoints", "windows", "patterns", "positions"],
)
def test_a_spool_that_cannot_be_read_says_so_and_knows_what_waits(spool, read):
    spool.commit(Change(events=[outgoing(1)]))
    break_spool(spool)
    with pytest.raises(TemporaryError, match=r"spool_unavailable: .*spool\.db: interrupted"):
        read(spool)
    assert (spool.waiting, spool.room()) == (1, 4)
    mend_spool(spool)
    read(spool)


def test_everything_is_there_after_a_restart(tmp_path):
    spool = Spool(tmp_path / "spool", 5)
    checkpoint = Checkpoint(
        2**64 - 1, 2**63 + 5, "/a", 10, 1, "id", 2, b"h", 3, b"t", 100.0, "/b", 5.0, skipping=True
    )
    windows = {"a": Window("a", 1.0, 2, 3.0, b"{}"), "b": Window("b", 0.5)}
    spool.commit(
        Change([outgoing(1)], checkpoints={checkpoint.key: checkpoint}, windows=windows, patterns=["/a*"])
    )
    spool.commit(Change(windows={"b": None}))
    spool.close()
    again = Spool(tmp_path / "spool", 5)
    assert again.checkpoints() == [checkpoint]
    assert again.windows() == [windows["a"]]
    assert again.patterns() == ["/a*"]
    assert again.stats().waiting == 1
    again.acknowledge(again.oldest(10, 1 << 20))
    assert (again.stats().waiting, again.stats().shipped) == (0, 1)
    again.close()


def test_files_not_seen_for_a_month_are_forgotten(spool):
    old, new = Checkpoint(1, 2, "/a", 10, seen_at=1000.0), Checkpoint(1, 3, "/b", 10, seen_at=31 * 86_400.0)
    spool.commit(Change(checkpoints={old.key: old, new.key: new}))
    spool.forget(86_400.0, [old.key])
    assert spool.checkpoints() == [old, new]
    spool.forget(86_400.0)
    assert spool.checkpoints() == [new]


def test_a_spool_that_is_full_in_bytes_takes_no_more_and_counts_what_it_drops(tmp_path):
    spool = Spool(tmp_path / "spool", 100, max_bytes=250)
    spool.commit(Change(events=[Outgoing(str(n), 1, b"x" * 100) for n in range(3)]))
    assert spool.room() == 0
    assert spool.commit(Change(events=[Outgoing("more", 5, b"x")])) == 5
    spool.close()
    spool = Spool(tmp_path / "spool", 100, max_bytes=250)
    assert (spool.room(), spool.stats().waiting, spool.stats().dropped) == (0, 3, 5)
    spool.acknowledge(spool.oldest(1, 1 << 20))
    assert spool.room() == 98
    spool.close()


def test_the_same_inode_may_have_held_several_contents(spool):
    first, second = Checkpoint(1, 2, "/a", 10), Checkpoint(1, 2, "/b", 20, generation=1)
    spool.commit(Change(checkpoints={(1, 2, 0): first, (1, 2, 1): second}))
    assert spool.checkpoints() == [first, second]


def test_a_spool_of_the_first_version_is_taken_over(tmp_path):
    (tmp_path / "spool").mkdir()
    with sqlite3.connect(tmp_path / "spool" / "spool.db") as old:
        old.executescript(VERSION_1)
    spool = Spool(tmp_path / "spool", 10)
    assert spool.checkpoints() == [Checkpoint(1, 2, "/a", 10, 0, "id", 2, b"h", 3, b"t", 100.0)]
    assert (spool.stats().waiting, spool.stats().dropped) == (2, 7)
    assert spool.patterns() == ["/a*"]
    spool.close()
    Spool(tmp_path / "spool", 10).close()


def test_a_spool_of_the_second_version_is_taken_over(tmp_path):
    checkpoint = Checkpoint(1, 2, "/a", 10, 0, "id", 2, b"h", 3, b"t", 100.0, "/b", 5.0)
    spool = Spool(tmp_path, 10)
    spool.commit(Change([outgoing(1)], checkpoints={(1, 2, 0): checkpoint}))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as old:
        old.executescript("ALTER TABLE checkpoints DROP COLUMN skipping; PRAGMA user_version = 2;")
    for _ in range(2):
        spool = Spool(tmp_path, 10)
        assert (spool.checkpoints(), spool.stats().waiting) == ([checkpoint], 1)
        spool.close()


def test_a_batch_is_bounded_in_bytes_but_never_empty(spool):
    spool.commit(Change(events=[Outgoing(str(n), 1, b"x" * 100) for n in range(3)]))
    assert [len(spool.oldest(10, size)) for size in (10, 150, 250)] == [1, 1, 2]


def test_a_damaged_spool_is_named_and_left_as_it_is(tmp_path):
    (tmp_path / "spool.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(PermanentError, match="spool_damaged"):
        Spool(tmp_path, 5)
    assert (tmp_path / "spool.db").read_bytes().startswith(b"no database")


def test_a_spool_that_is_in_use_is_refused_and_free_after_closing(tmp_path):
    first = Spool(tmp_path, 5)
    with pytest.raises(PermanentError, match="spool_in_use"):
        Spool(tmp_path, 5)
    first.close()
    Spool(tmp_path, 5).close()


def test_each_commit_is_synced(tmp_path, spool):
    with sqlite3.connect(tmp_path / "spool" / "spool.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert spool._database.execute("PRAGMA synchronous").fetchone() == (2,)
