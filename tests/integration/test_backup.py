"""Backups of real databases: whole or not there, whatever is written or killed meanwhile."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ai_ops.core.clock import SystemClock
from ai_ops.engine.data_lock import DataLock
from ai_ops.errors import PermanentError
from ai_ops.store import backup as backups
from ai_ops.store import restore as restores
from ai_ops.store.audit import AuditLog
from ai_ops.store.backup import Places, back_up
from ai_ops.store.database import open_database
from ai_ops.store.restore import finish, restore
from ai_ops.wiring.overseeing import finish_restoring, restoring

ROOT = Path(__file__).parents[2]
HEAD = """
import os, signal, sys
from pathlib import Path
from ai_ops.store import backup, restore
from ai_ops.store.backup import Places
places = Places(Path(sys.argv[1]), Path(sys.argv[1]) / "ai_ops.db")
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
async def places(tmp_path):
    """An installation with tables, a queue and a salt."""
    data = tmp_path / "data"
    database = await open_database(f"sqlite:///{data}/ai_ops.db")
    await database.close()
    (data / "salt").write_text("abc")
    with closing(sqlite3.connect(data / "engine.db")) as queue:
        queue.execute("CREATE TABLE pairs (a, b)")
        queue.commit()
    write(data, "first")
    return Places(data, data / "ai_ops.db")


def write(data, word):
    with closing(sqlite3.connect(data / "ai_ops.db")) as tables:
        tables.execute("CREATE TABLE IF NOT EXISTS words (word)")
        tables.execute("INSERT INTO words VALUES (?)", [word])
        tables.commit()


def words(data):
    with closing(sqlite3.connect(data / "ai_ops.db")) as tables:
        assert tables.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in tables.execute("SELECT word FROM words")]


def run_and_die(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code, *map(str, arguments)],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def rest(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def rewritten(file, change):
    """Rewrite a backup with its manifest and its files changed."""
    with tarfile.open(file) as tar:
        held = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}
    manifest = json.loads(held["manifest.json"])
    change(manifest, held)
    held["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(file, "w") as tar:
        for name, data in held.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, __import__("io").BytesIO(data))


def test_what_was_backed_up_is_there_again_and_what_was_there_is_kept(places, tmp_path):
    made = back_up(places, tmp_path / "b.tar")
    assert list(made.files) == ["engine.db", "ai_ops.db", "salt"] and made.schema
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    write(places.data_dir, "second")
    (places.data_dir / "salt").write_text("other")
    done = restore(places, tmp_path / "b.tar")
    assert words(places.data_dir) == ["first"]
    assert (places.data_dir / "salt").read_text() == "abc"
    [kept] = done.kept
    assert words(kept) == ["first", "second"] and (kept / "salt").read_text() == "other"
    for path in (places.tables, places.data_dir / "salt"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert rest(tmp_path) == [] and not (places.data_dir / "restore.json").exists()


def test_what_stands_only_in_the_write_ahead_log_is_backed_up_and_does_not_come_back(places, tmp_path):
    with closing(sqlite3.connect(places.tables)) as open_still:
        open_still.execute("INSERT INTO words VALUES ('in the log')")
        open_still.commit()
        assert (places.data_dir / "ai_ops.db-wal").stat().st_size
        back_up(places, tmp_path / "b.tar")
        open_still.execute("INSERT INTO words VALUES ('later')")
        open_still.commit()
        restore(places, tmp_path / "b.tar")
    assert words(places.data_dir) == ["first", "in the log"]


def test_a_backup_beside_a_writer_is_of_one_moment(places, tmp_path):
    stop = threading.Event()

    def pairs():
        with closing(sqlite3.connect(places.tables, timeout=30)) as tables:
            tables.execute("CREATE TABLE pairs (a)")
            number = 0
            while not stop.is_set():
                number += 1
                tables.execute("BEGIN IMMEDIATE")
                tables.execute("INSERT INTO pairs VALUES (?)", [number])
                tables.execute("INSERT INTO pairs VALUES (?)", [-number])
                tables.execute("COMMIT")

    writer = threading.Thread(target=pairs)
    writer.start()
    try:
        for number in range(5):
            back_up(places, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    restore(places, tmp_path / "4.tar")
    with closing(sqlite3.connect(places.tables)) as tables:
        assert tables.execute("SELECT coalesce(sum(a), 0) FROM pairs").fetchone() == (0,)


@pytest.mark.parametrize("place", ["_snapshot", "_add", "digest", "sync_folder"])
def test_a_backup_that_is_killed_leaves_nothing_that_looks_like_one(places, tmp_path, place):
    file = tmp_path / "b.tar"
    run_and_die(f"backup.{place} = die\nbackup.back_up(places, Path(sys.argv[2]))", places.data_dir, file)
    if place != "sync_folder":  # the name comes last
        assert not file.exists()
        back_up(places, file)
    restore(places, file)
    assert words(places.data_dir) == ["first"]


KILLS = {
    "while it is unpacked": ("restore._check = die", ["first", "second"]),
    "before it is decided": ("restore._write_mark = die", ["first", "second"]),
    "once it is decided": (
        "restore.finish = lambda folder: die() if restore.is_broken_off(folder) else ()",
        None,
    ),
    "as the old files move away": (
        "keep = Path.rename\nPath.rename = lambda self, to: (keep(self, to), die())",
        None,
    ),
    "between two files": (
        "move, times = Path.replace, []\n"
        "def replace(self, to):\n"
        "    if self.name.endswith('.restoring'):\n"
        "        times.append(to)\n"
        "        if len(times) == 2: die()\n"
        "    return move(self, to)\n"
        "Path.replace = replace",
        None,
    ),
    "before the mark goes": (
        "gone = Path.unlink\n"
        "Path.unlink = lambda self, **more: die() if self.name == 'restore.json' else gone(self, **more)",
        None,
    ),
}


@pytest.mark.parametrize(("code", "left"), KILLS.values(), ids=KILLS)
def test_a_restoring_that_is_killed_leaves_the_old_or_is_finished_at_the_next_start(
    places, tmp_path, code, left
):
    back_up(places, tmp_path / "b.tar")
    write(places.data_dir, "second")
    run_and_die(f"{code}\nrestore.restore(places, Path(sys.argv[2]))", places.data_dir, tmp_path / "b.tar")
    finish_restoring(places.data_dir)
    assert words(places.data_dir) == (left or ["first"])
    if left is None:
        [kept] = places.data_dir.glob("before-restore-*")
        assert words(kept) == ["first", "second"]
    restore(places, tmp_path / "b.tar")
    assert words(places.data_dir) == ["first"] and rest(places.data_dir) == []


def test_what_was_made_beside_a_broken_off_restoring_does_not_push_the_old_out(places, tmp_path):
    back_up(places, tmp_path / "b.tar")
    write(places.data_dir, "second")
    code = KILLS["between two files"][0]
    run_and_die(f"{code}\nrestore.restore(places, Path(sys.argv[2]))", places.data_dir, tmp_path / "b.tar")
    places.tables.unlink(missing_ok=True)
    write(places.data_dir, "a stranger")
    finish(places.data_dir)
    [kept] = places.data_dir.glob("before-restore-*")
    assert words(kept) == ["first", "second"] and words(places.data_dir) == ["first"]


def newer(manifest, held):
    manifest["schema"] = "9999"


def another_format(manifest, held):
    manifest["format"] = 2


def a_flipped_bit(manifest, held):
    data = bytearray(held["ai_ops.db"])
    data[5000] ^= 1
    held["ai_ops.db"] = bytes(data)


def cut_short(manifest, held):
    held["ai_ops.db"] = held["ai_ops.db"][:-10]


def another_place(manifest, held):
    manifest["files"][2]["name"] = "../../etc/passwd"


def no_tables(manifest, held):
    manifest["files"] = manifest["files"][:1]


def a_missing_file(manifest, held):
    del held["salt"]


REFUSED = {
    "backup_newer": (newer, another_format),
    "backup_damaged": (a_flipped_bit, cut_short, another_place, no_tables, a_missing_file),
}
CASES = [(code, change) for code, changes in REFUSED.items() for change in changes]


@pytest.mark.parametrize(("code", "change"), CASES, ids=[change.__name__ for _, change in CASES])
def test_a_backup_that_cannot_be_used_changes_nothing(places, tmp_path, code, change):
    back_up(places, tmp_path / "b.tar")
    rewritten(tmp_path / "b.tar", change)
    write(places.data_dir, "second")
    with pytest.raises(PermanentError, match=code):
        restore(places, tmp_path / "b.tar")
    assert words(places.data_dir) == ["first", "second"]
    assert rest(places.data_dir) == [] and list(places.data_dir.glob("before-*")) == []


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\0" * 10240], ids=["empty", "text", "zeros"])
def test_what_is_no_backup_is_refused(places, tmp_path, data):
    (tmp_path / "b.tar").write_bytes(data)
    with pytest.raises(PermanentError, match="backup_damaged"):
        restore(places, tmp_path / "b.tar")
    assert words(places.data_dir) == ["first"]


def test_a_file_that_is_there_is_not_replaced(places, tmp_path):
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(PermanentError, match="backup_exists"):
        back_up(places, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "mine"


def test_without_a_database_there_is_nothing_to_back_up(tmp_path):
    with pytest.raises(PermanentError, match="backup_failed"):
        back_up(Places(tmp_path, tmp_path / "ai_ops.db"), tmp_path / "b.tar")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_restored_beside_a_running_server(places):
    lock = DataLock(places.data_dir)
    lock.take()
    try:
        with pytest.raises(PermanentError, match="data_dir_in_use"), restoring(places.data_dir):
            pass
    finally:
        lock.release()
    with restoring(places.data_dir):
        pass


def test_a_damaged_database_is_put_aside_as_it_is(places, tmp_path):
    back_up(places, tmp_path / "b.tar")
    places.tables.write_bytes(b"damaged")
    [kept] = restore(places, tmp_path / "b.tar").kept
    assert (kept / "ai_ops.db").read_bytes() == b"damaged" and words(places.data_dir) == ["first"]


def test_the_modules_that_are_killed_above_have_the_names_that_are_replaced_there():
    for name in ("_snapshot", "_add", "digest", "sync_folder"):
        assert callable(getattr(backups, name))
    for name in ("_check", "_write_mark", "finish"):
        assert callable(getattr(restores, name))


async def audited(data, *verbs):
    """Write lines of the audit log as a server would; return what is wrong with it."""
    database = await open_database(f"sqlite:///{data}/ai_ops.db")
    try:
        audit = AuditLog(database, SystemClock(), data / "audit-head.json")
        for verb in verbs:
            await audit.append("key", verb)
        count, faults = await audit.verify()
        newest = await audit.newest("system.restored")
        return count, faults, newest.detail if newest else None
    finally:
        await database.close()


async def test_the_audit_log_goes_on_from_a_restored_line_and_tells_it(places, tmp_path):
    await audited(places.data_dir, "one", "two")
    back_up(places, tmp_path / "b.tar")
    await audited(places.data_dir, "three", "four")
    [kept] = restore(places, tmp_path / "b.tar").kept
    assert await audited(places.data_dir) == (2, (), None)
    assert await audited(places.data_dir, "five") == (4, (), {"kept": kept.name})
    assert await audited(kept) == (4, (), None)  # with its own anchor


async def test_a_start_writes_down_that_a_backup_was_restored_and_only_once(places, tmp_path):
    await audited(places.data_dir, "one")
    back_up(places, tmp_path / "b.tar")
    await audited(places.data_dir, "two")
    [kept] = restore(places, tmp_path / "b.tar").kept
    for _ in range(2):
        database = await open_database(f"sqlite:///{places.data_dir}/ai_ops.db")
        audit = AuditLog(database, SystemClock(), places.data_dir / "audit-head.json")
        await audit.note_restored()
        newest = await audit.newest("system.restored")
        assert (newest.seq, newest.subject, newest.detail) == (2, kept.name, {"kept": kept.name})
        await database.close()
    assert await audited(places.data_dir, "three") == (3, (), {"kept": kept.name})


@pytest.mark.parametrize("name", ["version", "created_at"])
def test_a_manifest_that_lacks_a_word_changes_nothing(places, tmp_path, name):
    back_up(places, tmp_path / "b.tar")
    rewritten(tmp_path / "b.tar", lambda manifest, _: manifest.pop(name))
    write(places.data_dir, "second")
    with pytest.raises(PermanentError) as refused:
        restore(places, tmp_path / "b.tar")
    assert refused.value.code == "backup_damaged"
    assert words(places.data_dir) == ["first", "second"]


def test_a_manifest_of_nested_brackets_is_damaged(places, tmp_path):
    data = b"[" * 500_000
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(data)
        tar.addfile(entry, __import__("io").BytesIO(data))
    with pytest.raises(PermanentError) as refused:
        restore(places, tmp_path / "b.tar")
    assert refused.value.code == "backup_damaged"
