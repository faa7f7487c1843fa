"""What rotation does to followed files: nothing is lost, nothing is read twice."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ai_ops.monitoring import log_monitor, matching
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.log_monitor import LogMonitor


class Watcher:
    """A monitor and the durable state that an agent would keep for it; ``restart`` is a kill and a start."""

    def __init__(self, *patterns, from_start=False, debounce=0.0):
        self.patterns = [str(pattern) for pattern in patterns]
        self.debounce = debounce
        self.checkpoints = {}
        self.followed = []
        self.records = []
        self.from_start = from_start
        self._open()

    def _open(self):
        self.monitor = LogMonitor(
            self.patterns,
            Detector(),
            self.debounce,
            known=self.checkpoints.values(),
            followed_before=self.followed,
            from_start=self.from_start,
        )
        self.look()
        self.followed = self.monitor.patterns

    def stop(self):
        self.monitor.close()

    def restart(self):
        self.monitor.close()
        self._open()

    def look(self):
        for checkpoint in self.monitor.discover():
            self.checkpoints[checkpoint.key, checkpoint.generation] = checkpoint

    def read(self, *, final=False, now=None):
        for _ in range(100):
            more = False
            for progress in self.monitor.read(
                lambda: 1000, time.monotonic() if now is None else now, final=final
            ):
                self.records += progress.records
                checkpoint = progress.checkpoint
                self.checkpoints[checkpoint.key, checkpoint.generation] = checkpoint
                more = more or progress.more
            if not more:
                break

    def poll(self):
        self.look()
        self.read()
        self.read()

    @property
    def numbers(self):
        """The numbers of the lines that were read, in order of reading."""
        return [int(record.raw.split(b"number ")[1].split()[0]) for record in self.records]


def lines(*numbers):
    return "".join(f"2026-03-01 12:00:00 ERROR number {number} failed\n" for number in numbers)


def append(path, *numbers):
    with path.open("a") as file:
        file.write(lines(*numbers))


@pytest.fixture(params=["exact", "glob"])
def pattern(request, tmp_path):
    return tmp_path / ("app.log" if request.param == "exact" else "app*")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.touch()
    return path


@pytest.fixture
def watcher(pattern, log):
    made = Watcher(pattern)
    append(log, 0, 1)
    made.poll()
    yield made
    made.stop()


def test_what_is_appended_is_read_once(watcher, log):
    append(log, 2)
    watcher.poll()
    append(log, 3)
    watcher.poll()
    watcher.poll()
    assert watcher.numbers == [0, 1, 2, 3]


def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(watcher, log):
    append(log, 2)
    log.rename(log.with_name("app.log.1"))
    append(log, 3)
    watcher.poll()
    with log.with_name("app.log.1").open("a") as late:
        late.write(lines(4))
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]


def test_two_renames_between_two_looks_lose_nothing(watcher, log):
    append(log, 2)
    log.rename(log.with_name("app.log.2"))
    append(log, 3)
    log.rename(log.with_name("app.log.1"))
    append(log, 4)
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]


def test_a_file_that_came_and_went_between_the_last_look_and_a_kill_is_read(watcher, log):
    log.rename(log.with_name("app.log.1"))
    append(log, 2)
    time.sleep(0.1)
    log.rename(log.with_name("app.log.2"))
    append(log.with_name("app.log.1"), 3)
    time.sleep(0.1)
    watcher.read()  # of the first file, later than all of the second
    append(log, 4)
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]


def test_a_new_rotation_with_the_same_long_banner_is_no_copy(tmp_path, log):
    banner = "=" * 2000 + "\n"
    log.write_text(banner)
    watcher = Watcher(tmp_path / "app*")
    append(log, 0)
    watcher.poll()
    log.with_name("app.log.1").write_text(banner + lines(1, 2))
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [0, 1, 2]


def test_a_second_copy_of_what_was_truncated_is_not_read_again(watcher, log):
    append(log, 2)
    for number in (1, 2):
        shutil.copy(log, log.with_name(f"app.log.{number}"))
    os.truncate(log, 0)
    append(log, 3)
    watcher.poll()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


def test_a_file_that_was_quiet_for_months_is_not_forgotten_at_a_start(watcher, log):
    (key,) = watcher.checkpoints
    watcher.checkpoints = {k: replace(c, seen_at=1000.0) for k, c in watcher.checkpoints.items()}
    watcher.restart()
    assert watcher.monitor.forget(time.time() + 60) == [key[0]]
    append(log, 2)
    watcher.poll()
    watcher.restart()
    watcher.poll()
    assert watcher.numbers == [0, 1, 2]


BANNER = "Server version 1.2 starting\n"


@pytest.fixture
def idle(tmp_path, log):
    """A watcher of a log that holds its banner alone."""
    log.write_text(BANNER)
    made = Watcher(tmp_path / "*.log", from_start=True)
    made.poll()
    yield made
    made.stop()


def age(path):
    """Let a file be older than a copy in the making."""
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))


def test_a_new_log_that_begins_like_an_idle_one_is_read_at_once(idle, log):
    second = log.with_name("app-2.log")
    second.write_text(BANNER + lines(1))
    idle.poll()
    assert idle.numbers == [1]
    append(second, 2)
    second.unlink()
    second.write_text(BANNER)
    idle.poll()
    append(log, 3)
    append(second, 4)
    idle.poll()
    assert sorted(idle.numbers) == [1, 2, 3, 4]


def test_a_new_log_with_nothing_but_the_banner_of_an_idle_one_is_followed_when_it_is_no_copy(idle, log):
    second = log.with_name("app-2.log")
    second.write_text(BANNER)
    age(second)
    idle.poll()
    append(second, 1)
    second.unlink()
    idle.poll()
    assert idle.numbers == [1]


@pytest.mark.parametrize("grown", [False, True], ids=["as long", "outgrown"])
def test_a_copy_that_lies_beside_its_original_for_long_is_not_read_again(watcher, log, grown):
    copy = log.with_name("app.log.1")
    shutil.copy(log, copy)
    watcher.poll()
    if grown:
        append(log, 2)
        watcher.poll()
    age(copy)
    watcher.poll()
    os.truncate(log, 0)
    append(log, 3)
    watcher.poll()
    watcher.restart()
    watcher.poll()
    assert watcher.numbers == ([0, 1, 2, 3] if grown else [0, 1, 3])


def test_what_an_old_copy_holds_of_an_original_that_was_not_read_on_is_read_once(watcher, log):
    append(log, 2)
    copy = log.with_name("app.log.1")
    shutil.copy(log, copy)
    age(copy)
    watcher.look()  # and there is no room to read
    watcher.look()
    os.truncate(log, 0)
    append(log, 3)
    watcher.look()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


def test_a_packed_copy_that_its_original_outgrew_is_not_read_again(watcher, log):
    shutil.copy(log, log.with_name("app.log.1"))
    copy = packed(log.with_name("app.log.1"))
    append(log, 2)
    watcher.read()
    age(copy)
    watcher.poll()
    assert watcher.numbers == [0, 1, 2]


def test_after_copytruncate_the_rest_is_read_from_the_copy(watcher, log):
    append(log, 2, 3)
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, 4)
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]


def test_two_copytruncates_between_two_looks_lose_nothing(watcher, log):
    append(log, 2)
    shutil.copy(log, log.with_name("app.log.2"))
    os.truncate(log, 0)
    append(log, 3)
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, 4)
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]


def test_a_copy_that_is_seen_before_the_truncation_is_not_read_twice(watcher, log):
    append(log, 2)
    shutil.copy(log, log.with_name("app.log.1"))
    watcher.poll()
    append(log, 3)
    watcher.poll()
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, 4)
    watcher.poll()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]


def test_a_hole_left_by_a_writer_that_kept_its_offset_is_passed(watcher, log):
    os.truncate(log, 0)
    with log.open("r+b") as file:
        file.seek(300_000)
        file.write(lines(2).encode())
    watcher.poll()
    assert watcher.numbers == [0, 1, 2]


def test_a_file_that_was_truncated_and_grew_beyond_where_we_were_is_read_from_its_beginning(watcher, log):
    os.truncate(log, 0)
    append(log, *range(10, 40))
    watcher.poll()
    assert watcher.numbers == [0, 1, *range(10, 40)]


def test_a_truncated_file_with_the_same_first_line_is_noticed(pattern, log):
    log.write_text("=== started ===\n" * 100)
    watcher = Watcher(pattern)
    append(log, 0)
    watcher.poll()
    log.write_text("=== started ===\n" * 100 + lines(1, 2, 3))
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [0, 1, 2, 3]
    assert len({(record.identity, record.offset) for record in watcher.records}) == 4


def test_more_files_than_are_followed_are_told_once_and_again_when_it_was_over(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(matching, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.log").touch()
    watcher = Watcher(tmp_path / "*.log")

    def told():
        watcher.look()
        watcher.look()
        return caplog.text.count(f"{tmp_path / 'c.log'} is not followed")

    assert told() == 1
    (tmp_path / "a.log").unlink()
    assert told() == 1
    (tmp_path / "a.log").touch()
    assert told() == 2
    watcher.stop()


def test_a_restart_goes_on_at_the_checkpoint(watcher, log):
    append(log, 2)
    watcher.restart()
    append(log, 3)
    watcher.poll()
    assert watcher.numbers == [0, 1, 2, 3]


def test_an_inode_that_was_given_to_a_new_file_is_read_from_its_beginning(watcher, log):
    watcher.stop()
    old = watcher.checkpoints.popitem()[1]
    log.unlink()
    append(log, *range(10, 30))
    # Whether the file system hands out the same inode again is its own affair; here it did.
    status = log.stat()
    reused = replace(old, device=status.st_dev, inode=status.st_ino)
    watcher.checkpoints = {reused.key: reused}
    watcher.restart()
    watcher.poll()
    assert watcher.numbers == [0, 1, *range(10, 30)]
    assert len({(record.identity, record.offset) for record in watcher.records}) == 22


def test_what_was_rotated_while_nobody_looked_is_read(watcher, log):
    append(log, 2)
    watcher.stop()
    log.rename(log.with_name("app.log.2"))
    append(log, 3, 4)
    log.rename(log.with_name("app.log.1"))
    append(log, 5)
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("copy", ["app.log.1", "app-20260301.log"])
def test_what_was_copied_and_truncated_while_nobody_looked_is_read(watcher, log, copy):
    append(log, 2, 3)
    watcher.stop()
    shutil.copy(log, log.with_name(copy))
    os.truncate(log, 0)
    append(log, 4, 5, 6, 7, 8)
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_a_rotation_that_was_there_before_the_first_start_is_left_alone(tmp_path, log):
    append(log.with_name("app.log.1"), 1)
    long_ago = time.time() - 3600
    os.utime(log.with_name("app.log.1"), (long_ago, long_ago))
    append(log, 2)
    watcher = Watcher(log)
    append(log, 3)
    watcher.restart()
    watcher.poll()
    log.rename(log.with_name("app.log.2"))
    append(log, 4)
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [3, 4]


def test_files_that_are_there_at_the_start_are_read_from_their_end(pattern, log):
    append(log, 1)
    watcher = Watcher(pattern)
    append(log, 2)
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [2]


def test_from_start_reads_them_from_their_beginning(pattern, log):
    append(log, 1)
    watcher = Watcher(pattern, from_start=True)
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [1]


def test_a_file_that_appears_later_is_read_from_its_beginning_even_after_a_restart(tmp_path):
    watcher = Watcher(tmp_path / "*.log")
    append(tmp_path / "one.log", 1)
    watcher.poll()
    watcher.stop()
    append(tmp_path / "two.log", 2)
    watcher.restart()
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [1, 2]


def test_two_logs_with_the_same_lines_are_both_read(tmp_path):
    watcher = Watcher(tmp_path / "*.log")
    append(tmp_path / "a.log", 1, 2)
    append(tmp_path / "b.log", 1, 2)
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == [1, 1, 2, 2]


def test_half_a_line_waits_for_its_other_half(watcher, log):
    with log.open("a") as file:
        file.write("2026-03-01 12:00:00 ERROR num")
        file.flush()
        watcher.poll()
        assert watcher.numbers == [0, 1]
        file.write("ber 2 failed\n")
    watcher.poll()
    assert watcher.numbers == [0, 1, 2]


def test_a_last_line_without_an_end_is_taken_when_nothing_follows(watcher, log):
    with log.open("a") as file:
        file.write("2026-03-01 12:00:00 ERROR number 2 failed")
    watcher.poll()
    watcher.read(now=time.monotonic() + 60)
    append(log, 3)
    watcher.poll()
    assert watcher.numbers == [0, 1, 2, 3]
    assert watcher.records[2].raw.endswith(b"number 2 failed")


def test_a_line_of_eight_megabytes_is_cut_and_what_follows_is_read(watcher, log):
    with log.open("a") as file:
        file.write("2026-03-01 12:00:00 ERROR number 2 " + "x ERROR " * (1 << 20) + "\n")
    append(log, 3)
    watcher.poll()
    assert watcher.numbers == [0, 1, 2, 3]
    assert len(watcher.records[2].raw) <= 1 << 20
    assert watcher.records[2].raw.endswith(b"[cut]")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_long_line_without_an_end_is_taken_when_its_time_is_up_and_never_again(tmp_path, encoding):
    log = tmp_path / "long.log"
    watcher = Watcher(log, debounce=60.0)
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    log.write_bytes(f"{mark}2026-03-01 12:00:00 ERROR number 1 {'x' * (2 << 20)}".encode(encoding))
    watcher.poll()
    assert watcher.records == []  # its lines may still come
    watcher.restart()
    watcher.poll()
    watcher.read(now=time.monotonic() + 61)
    assert watcher.numbers == [1]
    for more in ("an ERROR number 2 in its midst", "x" * (2 << 20), f"\n{lines(3)}"):
        watcher.restart()
        with log.open("ab") as file:
            file.write(more.encode(encoding))
        watcher.poll()
    watcher.read(now=time.monotonic() + 61)
    watcher.stop()
    assert watcher.numbers == [1, 3]


def test_a_long_line_that_never_stops_growing_is_taken_when_its_time_is_up(tmp_path):
    log = tmp_path / "long.log"
    watcher = Watcher(log, debounce=60.0)
    log.write_text(f"2026-03-01 12:00:00 ERROR number 1 {'x' * (2 << 20)}")
    watcher.poll()
    with log.open("a") as file:
        file.write("x" * 1000)
    watcher.read(now=time.monotonic() + 61)
    watcher.stop()
    assert watcher.numbers == [1]


def test_a_checkpoint_never_passes_a_record_that_is_still_open(tmp_path, log):
    watcher = Watcher(log, debounce=60.0)
    with log.open("a") as file:
        file.write('Traceback (most recent call last):\n  File "a.py", line 1, in f\n')
    watcher.poll()
    assert watcher.records == []
    watcher.restart()
    with log.open("a") as file:
        file.write("    g()\nValueError: number 7 is odd\n2026-03-01 12:00:00 INFO fine\n")
    watcher.poll()
    watcher.read(now=time.monotonic() + 61)
    watcher.stop()
    (record,) = watcher.records
    assert record.offset == 0
    assert record.raw.splitlines()[0] == b"Traceback (most recent call last):"
    assert record.raw.splitlines()[-1] == b"ValueError: number 7 is odd"


def test_a_record_knows_the_twenty_lines_before_it(watcher, log):
    with log.open("a") as file:
        file.writelines(f"line {number}\n" for number in range(50))
    append(log, 2)
    watcher.poll()
    assert watcher.records[2].context() == tuple(f"line {n}".encode() for n in range(30, 50))


def test_no_line_before_a_record_ends_within_a_word(watcher, log):
    with log.open("a") as file:
        file.write(f"{'.' * 10}, {'x, ' * 326}ghp_{'a1B2' * 9}\n")
    append(log, 1)
    watcher.poll()
    assert watcher.records[-1].context()[-1:] == (f"{'.' * 10}, {'x, ' * 326}".encode(),)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_with_true_offsets(tmp_path, encoding):
    path = tmp_path / "wide.log"
    watcher = Watcher(path)
    text = "\ufeff" + "".join(f"12:00 INFO größe {n} 🙂\n" for n in range(5000)) + lines(1, 2)
    path.write_bytes(text.encode(encoding))
    watcher.poll()
    with path.open("ab") as file:
        file.write(lines(3).encode(encoding))
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [1, 2, 3]
    raw = path.read_bytes()
    for record in watcher.records:
        wide = record.raw.decode().encode(encoding)
        assert raw[record.offset : record.offset + len(wide)] == wide


def test_reading_stops_where_there_is_no_room_and_goes_on_there(watcher, log):
    append(log, 2, 3, 4, 5)
    watcher.look()
    taken = []
    for _ in range(2):
        for progress in watcher.monitor.read(lambda: 2, time.monotonic()):
            taken.append(len(progress.records))
            watcher.records += progress.records
            break
    watcher.poll()
    assert max(taken) == 2
    assert watcher.numbers == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["app.log.1.gz", "app.log.2.zst"])
def test_packed_files_that_were_there_before_are_not_read(tmp_path, log, name):
    append(tmp_path / name, 1)
    os.utime(tmp_path / name, (1, 1))
    watcher = Watcher(tmp_path / "app*")
    append(log, 2)
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [2]


def packed(path):
    subprocess.run(["gzip", str(path)], check=True)
    return path.with_name(path.name + ".gz")


def test_the_rest_of_a_file_that_was_packed_while_nobody_looked_is_read(watcher, log):
    append(log, 2)
    watcher.poll()
    watcher.stop()
    append(log, 3, 4)
    log.rename(log.with_name("app.log.1"))
    packed(log.with_name("app.log.1"))
    append(log, 5)
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4, 5]
    watcher.restart()
    watcher.poll()
    assert len(watcher.records) == 6


def test_several_generations_of_which_some_were_packed_are_read_once(watcher, log):
    append(log, 2)
    watcher.stop()
    for number in range(3, 9):
        for old in range(number, 1, -1):
            if (there := log.with_name(f"app.log.{old}.gz")).exists():
                there.rename(log.with_name(f"app.log.{old + 1}.gz"))
        if log.with_name("app.log.1").exists():
            packed(log.with_name("app.log.1").rename(log.with_name("app.log.2")))
        log.rename(log.with_name("app.log.1"))
        append(log, number)
    for _ in range(2):
        watcher.restart()
        watcher.poll()
    assert sorted(watcher.numbers) == list(range(9))


def test_a_packed_file_is_read_on_where_a_kill_ended_it_though_its_name_moved(watcher, log):
    append(log, *range(2, 2000))
    watcher.stop()
    log.rename(log.with_name("app.log.1"))
    packed(log.with_name("app.log.1"))
    log.touch()
    watcher.restart()
    for progress in watcher.monitor.read(lambda: 100, time.monotonic()):
        watcher.records += progress.records
        watcher.checkpoints[progress.checkpoint.key, 0] = progress.checkpoint
        if len(watcher.records) > 100:
            break
    log.with_name("app.log.1.gz").rename(log.with_name("app.log.2.gz"))
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == list(range(2000))


def test_a_packed_copy_of_what_is_still_followed_is_left_alone(watcher, log):
    shutil.copy(log, log.with_name("app.log.1"))
    packed(log.with_name("app.log.1"))
    watcher.poll()
    os.truncate(log, 0)
    append(log, 2)
    watcher.poll()
    watcher.restart()
    watcher.poll()
    assert watcher.numbers == [0, 1, 2]


def test_what_an_inode_held_before_is_found_in_its_packed_copy(watcher, log):
    append(log, 2)
    watcher.stop()
    (old,) = watcher.checkpoints.values()
    packed(log.rename(log.with_name("app.log.1")))
    append(log, 3)
    # Whether the file system hands out the same inode again is its own affair; here it did.
    reused = replace(old, inode=log.stat().st_ino)
    watcher.checkpoints = {reused.key: reused}
    watcher.restart()
    watcher.poll()
    assert watcher.numbers[:2] == [0, 1]
    assert sorted(watcher.numbers[2:]) == [2, 3]


def test_a_copy_that_was_read_is_not_read_again_when_the_inode_of_its_original_is_reused(watcher, log):
    append(log, 2)
    watcher.stop()
    (old,) = watcher.checkpoints.values()
    packed(log.rename(log.with_name("app.log.1")))
    append(log, 3)
    watcher.restart()
    watcher.poll()
    watcher.stop()
    append(log, 4)
    packed(log.rename(log.with_name("app.log.2")))
    append(log, 5)
    reused = replace(old, inode=log.stat().st_ino, generation=9)
    watcher.checkpoints[reused.key, 9] = reused
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4, 5]


def test_a_copy_under_an_inode_of_which_nothing_was_read_is_known_as_a_copy(watcher, log):
    watcher.stop()
    (old,) = watcher.checkpoints.values()
    copy = packed(log.rename(log.with_name("app.log.1")))
    append(log, 2)
    gone = replace(old, inode=old.inode + (1 << 40))
    unread = replace(old, inode=copy.stat().st_ino, offset=0, head_length=0, tail_length=0, done_at=0.0)
    watcher.checkpoints = {checkpoint.key: checkpoint for checkpoint in (gone, unread)}
    watcher.restart()
    watcher.poll()
    assert watcher.numbers == [0, 1, 2]


def test_a_damaged_packed_file_is_passed_with_a_word(watcher, log, caplog):
    append(log, 2)
    watcher.stop()
    log.rename(log.with_name("app.log.1"))
    whole = packed(log.with_name("app.log.1")).read_bytes()
    log.with_name("app.log.1.gz").write_bytes(whole[:20] + b"damaged" + whole[27:])
    append(log, 3)
    watcher.restart()
    watcher.poll()
    assert watcher.numbers[-1] == 3
    assert "packed, and damaged" in caplog.text


@pytest.mark.parametrize("down", [False, True], ids=["followed", "down"])
def test_a_link_that_moves_along_a_series_loses_nothing(tmp_path, down):
    (tmp_path / "real").mkdir()
    link, files = tmp_path / "current.log", [tmp_path / "real" / f"part-{n}.txt" for n in range(4)]

    def point(target):
        (tmp_path / "new").symlink_to(target)
        (tmp_path / "new").replace(link)

    files[0].touch()
    point(files[0])
    watcher = Watcher(link)
    append(files[0], 0)
    watcher.poll()
    if down:
        watcher.stop()
    append(files[0], 1)
    append(files[1], 2)
    append(files[2], 3)
    point(files[2])
    append(files[2], 4)
    append(files[3], 5)  # not ours yet
    if down:
        watcher.restart()
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4]
    assert {record.path for record in watcher.records} == {str(link)}


@pytest.mark.parametrize("down", [False, True], ids=["followed", "killed"])
def test_a_link_that_moved_along_a_long_series_loses_nothing(tmp_path, monkeypatch, down):
    monkeypatch.setattr(log_monitor, "_MAX_DEPARTED", 3)
    link, files = tmp_path / "current.log", [tmp_path / f"part-{n}.txt" for n in range(12)]
    append(files[0], 0)
    link.symlink_to(files[0])
    watcher = Watcher(link, from_start=True)
    for number, file in enumerate(files[1:], 1):
        append(file, number)
        link.unlink()
        link.symlink_to(file)
    for _ in range(12):
        watcher.poll()
        if down:
            watcher.restart()
    watcher.stop()
    assert sorted(watcher.numbers) == list(range(12))


def test_what_is_rotated_behind_a_link_is_read(tmp_path):
    (tmp_path / "pod").mkdir()
    real, link = tmp_path / "pod" / "0.log", tmp_path / "app.log"
    real.touch()
    link.symlink_to(real)
    watcher = Watcher(link)
    append(real, 0)
    watcher.poll()
    watcher.stop()
    append(real, 1)
    real.rename(real.with_name("0.log.20260301-120000"))
    append(real, 2)
    packed(real.rename(real.with_name("0.log.20260301-130000")))
    append(real, 3)
    watcher.restart()
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


def test_what_was_copied_away_before_the_first_read_is_read(watcher, log):
    log.rename(log.with_name("app.log.1"))
    log.touch()
    watcher.poll()
    append(log, 2)
    shutil.copy(log, log.with_name("app.log.2"))
    os.truncate(log, 0)
    append(log, 3)
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


@pytest.mark.parametrize("down", [False, True], ids=["followed", "killed"])
def test_a_copy_that_was_seen_before_its_original_was_read_and_then_packed_is_read(watcher, log, down):
    os.truncate(log, 0)
    watcher.poll()
    append(log, 2)
    copy = shutil.copy(log, log.with_name("app.log.1"))
    time.sleep(0.1)
    watcher.look()  # it may be a copy of what is about to be read
    os.truncate(log, 0)
    append(log, 3)
    watcher.read()
    packed(Path(copy))
    if down:
        watcher.restart()
    watcher.poll()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


def test_what_was_copied_away_unread_is_found_after_a_later_replacement_and_a_kill(watcher, log):
    os.truncate(log, 0)
    watcher.poll()
    append(log, 2)
    packed(Path(shutil.copy(log, log.with_name("app.log.1"))))
    os.truncate(log, 0)
    append(log, 3)
    watcher.read()
    time.sleep(0.1)
    append(log, 4)
    watcher.read()
    shutil.copy(log, log.with_name("app.log.2"))
    os.truncate(log, 0)
    append(log, 5)
    watcher.read()
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3, 4, 5]


def test_an_open_record_is_not_read_again_from_a_copy_that_turns_up_late(tmp_path, log):
    watcher = Watcher(log, debounce=60.0)
    append(log, *range(100))
    watcher.poll()
    assert watcher.numbers == list(range(99))  # the last one is open
    copy = shutil.copy(log, tmp_path / "elsewhere")
    os.truncate(log, 0)
    watcher.poll()
    assert watcher.numbers == list(range(100))
    Path(copy).rename(log.with_name("app.log.1"))
    for _ in range(2):
        watcher.poll()
        watcher.read(final=True)
        watcher.restart()
    watcher.stop()
    assert watcher.numbers == list(range(100))


def test_what_came_and_was_rotated_while_its_name_was_free_is_read(watcher, log):
    log.rename(log.with_name("app.log.1"))
    watcher.poll()
    append(log, 2)
    log.rename(log.with_name("app.log.2"))
    append(log, 3)
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


def test_what_was_discovered_but_not_read_before_a_kill_is_found_in_its_packed_form(watcher, log):
    log.rename(log.with_name("app.log.1"))
    append(log, 2)
    watcher.look()
    time.sleep(0.1)
    watcher.look()  # a later look, still nothing read
    watcher.stop()
    packed(log.rename(log.with_name("app.log.2")))
    append(log, 3)
    watcher.restart()
    watcher.poll()
    assert sorted(watcher.numbers) == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["app.log.pos", "app.log.wf", "app.log-errors", "app.logger"])
def test_other_files_with_a_longer_name_are_no_rotations(tmp_path, log, name):
    watcher = Watcher(log)
    append(log, 0)
    append(tmp_path / name, 1)
    log.rename(log.with_name("app.log.1"))
    append(log, 2)
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == [0, 2]


def test_a_wide_file_whose_first_record_was_open_is_wide_after_a_restart(tmp_path):
    path = tmp_path / "wide.log"
    watcher = Watcher(path, debounce=60.0)
    text = '\ufeffTraceback (most recent call last):\n  File "a.py", line 1, in f\n'
    path.write_bytes(text.encode("utf-16-le"))
    watcher.poll()
    watcher.restart()
    with path.open("ab") as file:
        file.write("    g()\nValueError: number 7 is odd\n".encode("utf-16-le"))
    watcher.poll()
    watcher.read(now=time.monotonic() + 61)
    watcher.stop()
    assert watcher.numbers == [7]
    assert watcher.records[0].raw.startswith(b"Traceback")


def test_half_a_byte_order_mark_is_waited_for(tmp_path):
    path = tmp_path / "wide.log"
    watcher = Watcher(path)
    path.write_bytes(b"\xff")
    watcher.poll()
    path.write_bytes(("\ufeff" + lines(1)).encode("utf-16-le"))
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == [1]


@pytest.mark.parametrize(
    ("before", "after"),
    [("\x1b[31m", "\x1b[0m"), ("\ufeff", ""), ("\0\0", ""), ("", "\r")],
    ids=["colours", "a mark", "NUL", "CRLF"],
)
def test_what_is_no_text_is_taken_off_a_line(watcher, log, before, after):
    with log.open("a", newline="") as file:
        file.write(f"{before}2026-03-01 12:00:00 ERROR number 2 failed{after}\n")
    append(log, 3)
    watcher.poll()
    assert watcher.records[2].raw == b"2026-03-01 12:00:00 ERROR number 2 failed"
    assert watcher.numbers == [0, 1, 2, 3]


def test_bytes_that_were_overwritten_unread_are_told(watcher, log, caplog):
    append(log, *range(10))
    watcher.look()
    for progress in watcher.monitor.read(lambda: 2, time.monotonic()):
        watcher.records += progress.records
        break
    os.truncate(log, 0)
    append(log, 50)
    watcher.poll()
    assert f"{log}: 336 bytes were overwritten before they were read" in caplog.text
    assert watcher.numbers == [0, 1, 0, 1, 50]


def rotate(watcher, log, count, after):
    for number in range(count):
        append(log, number)
        after(log.rename(log.with_name(f"app.log.{number}")))
        log.touch()
        watcher.look()


def read_without_room(watcher):
    for _ in range(2):  # the second ends the records that the first opened
        for progress in watcher.monitor.read(lambda: 0, time.monotonic()):
            watcher.records += progress.records


def test_without_room_rotated_files_wait_where_they_lie(tmp_path, log):
    watcher = Watcher(log)
    rotate(watcher, log, 11, lambda rotated: None)
    read_without_room(watcher)
    assert watcher.numbers == []
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == list(range(11))


def test_without_room_the_newest_deleted_files_wait_and_older_ones_are_read_regardless(tmp_path, log):
    watcher = Watcher(log)
    rotate(watcher, log, 11, Path.unlink)
    read_without_room(watcher)
    assert watcher.numbers == [0, 1, 2]
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == list(range(11))


@pytest.mark.parametrize("down", [False, True], ids=["followed", "down"])
def test_of_very_many_rotated_files_only_some_are_open_at_a_time_and_all_are_read(
    tmp_path, monkeypatch, down
):
    monkeypatch.setattr(log_monitor, "_MAX_DEPARTED", 3)
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    for log in logs:
        log.touch()
    watcher = Watcher(*logs)
    if down:
        watcher.stop()
    for number in range(0, 20, 2):
        for add, log in enumerate(logs):
            append(log, number + add)
            rotated = log.rename(log.with_name(f"{log.name}.{number}"))
            if number % 4:
                packed(rotated)
            log.touch()
    if down:
        watcher.restart()
    for _ in range(20):
        watcher.poll()
        assert len(watcher.monitor._files) <= 6
        watcher.look()
    watcher.stop()
    assert sorted(watcher.numbers) == list(range(20))


CALLS = "    at place (/srv/app/orders.js:3:11)\n    at /srv/app/orders.js:9:1\n"


def rejected(number):
    return f"Rejected: number {number} failed\n{CALLS}"


def test_an_error_between_the_lines_of_another_is_told_by_its_calls_also_when_they_are_written_later(
    tmp_path,
):
    log = tmp_path / "app.log"
    log.write_text("ERROR [main] failed\nIOException: closed\n\tat shop.Orders.place(Orders.java:12)\n")
    watcher = Watcher(log, from_start=True, debounce=60)
    watcher.poll()
    first, calls = log.read_text().strip("\n"), rejected(1).partition("\n")[2]
    append_text(log, "Rejected: number 1 failed\n")
    watcher.read()
    append_text(log, calls)
    watcher.read(final=True)
    assert [record.raw.decode() for record in watcher.records] == [first, rejected(1).strip("\n")]
    watcher.stop()


def append_text(path, text):
    with path.open("a") as file:
        file.write(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "before", ["", "started\n", "a long line " * 1000 + "\n"], ids=["none", "one", "long"]
)
def test_a_line_that_was_read_before_a_kill_begins_an_error_when_a_call_comes_next(
    tmp_path, before, encoding
):
    log = tmp_path / "app.log"
    head, calls = rejected(1).split("\n", 1)
    log.write_bytes(f"{before}{head}\n".encode(encoding))
    watcher = Watcher(log, from_start=True, debounce=60)
    watcher.poll()
    watcher.restart()
    with log.open("ab") as file:
        file.write(calls.encode(encoding.replace("utf-16", "utf-16-le")))
    watcher.read()
    watcher.restart()
    watcher.read(final=True)
    (record,) = watcher.records
    assert record.raw.decode() == rejected(1).strip("\n")
    assert record.offset == len(before.encode(encoding)) if before else record.offset == 0
    watcher.stop()


@pytest.mark.parametrize("before", ["INFO on", "ERROR [main] request failed"])
def test_a_line_of_a_record_that_was_given_out_is_not_taken_again_after_a_kill(tmp_path, before):
    log = tmp_path / "app.log"
    log.write_text(f"{before}\njava.lang.IllegalStateException: no customer\n")
    watcher = Watcher(log, from_start=True, debounce=0.5)
    watcher.read(now=0.0)
    watcher.read(now=1.0)
    assert len(watcher.records) == 1
    watcher.restart()
    append_text(log, "\tat com.acme.Order.total(Order.java:12)\n")
    watcher.read(final=True, now=2.0)
    assert len(watcher.records) == 1
    watcher.stop()


@pytest.mark.parametrize("restarts", [False, True])
def test_an_error_of_rails_is_told_by_its_calls_also_when_they_are_written_later(tmp_path, restarts):
    log = tmp_path / "app.log"
    log.write_text("[a1] started\n")
    watcher = Watcher(log, from_start=True, debounce=60)
    watcher.poll()
    lines = [
        "[a1]   ",
        "[a1] Stripe::CardDeclined (no):",
        "[a1]   ",
        "[a1] app/models/order.rb:10:in 'Order#pay'",
    ]
    for line in [*lines, "[a1] going on", *lines]:
        append_text(log, f"{line}\n")
        watcher.read()
        if restarts:
            watcher.restart()
    watcher.read(final=True)
    assert [record.raw.decode().split("\n") for record in watcher.records] == [lines[1:]] * 2
    assert [record.offset for record in watcher.records] == [
        found.start() for found in re.finditer(r"\[a1\] Stripe", log.read_text())
    ]
    watcher.stop()


@pytest.mark.parametrize("restarts", [False, True])
def test_an_error_is_told_by_its_calls_also_when_they_are_written_later(tmp_path, restarts):
    log = tmp_path / "app.log"
    log.write_text("started\n")
    watcher = Watcher(log, from_start=True, debounce=60)
    watcher.poll()
    with log.open("a") as file:
        for number in range(3):
            head, first, rest = rejected(number).splitlines(keepends=True)
            for line in (head, first, rest, "going on\n" * 5):
                file.write(line)
                file.flush()
                watcher.read()
                if restarts:
                    watcher.restart()
    watcher.read(final=True)
    assert [record.raw.decode() for record in watcher.records] == [rejected(n).strip("\n") for n in range(3)]
    whole = log.read_text()
    assert [record.offset for record in watcher.records] == [
        whole.index(f"Rejected: number {n}") for n in range(3)
    ]
    if not restarts:  # what was read with a file that is closed now has no context
        assert watcher.records[0].context()[-1] == b"started"
    watcher.stop()


def test_no_more_errors_without_a_telling_name_are_given_than_there_is_room_for(tmp_path):
    log = tmp_path / "app.log"
    log.write_text("".join(map(rejected, range(20))))
    watcher = Watcher(log, from_start=True)
    read = []
    for _ in range(40):
        for progress in watcher.monitor.read(lambda: 2, time.monotonic(), final=True):
            assert len(progress.records) <= 2
            read += progress.records
    assert [record.raw.decode() for record in read] == [rejected(n).strip("\n") for n in range(20)]
    watcher.stop()


@pytest.mark.parametrize("size", [1, 40, 10_000])
def test_an_error_of_a_request_is_not_the_message_of_its_next_one(tmp_path, size):
    trace = ["[4f3a-1] KeyError (no):", "[4f3a-1]   ", "[4f3a-1] app/models/order.rb:10:in 'Order#pay'"]
    text = "\n".join([*["[4f3a-1] ERROR boom", "[4f3a-1]   ", *trace] * 2, ""])
    log = tmp_path / "app.log"
    log.write_bytes(b"")
    watcher = Watcher(log, from_start=True, debounce=60)
    watcher.poll()
    for begin in range(0, len(text), size):
        append_text(log, text[begin : begin + size])
        watcher.read()
    watcher.read(final=True)
    assert [record.raw.decode() for record in watcher.records] == [
        "[4f3a-1] ERROR boom",
        "\n".join(trace),
    ] * 2
