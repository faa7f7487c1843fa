"""What rotation does to followed files: nothing is lost, nothing is read twice."""

import os
import shutil
import time
from dataclasses import replace

import pytest

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
            self.checkpoints[checkpoint.key] = checkpoint

    def read(self, *, final=False, now=None):
        for _ in range(100):
            more = False
            for progress in self.monitor.read(
                lambda: 1000, time.monotonic() if now is None else now, final=final
            ):
                self.records += progress.records
                self.checkpoints[progress.checkpoint.key] = progress.checkpoint
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


def test_a_file_that_was_quiet_for_months_is_still_known_after_the_look_at_a_start(watcher, log):
    watcher.checkpoints = {k: replace(c, seen_at=1000.0) for k, c in watcher.checkpoints.items()}
    watcher.restart()
    assert [checkpoint.seen_at > 1000.0 for checkpoint in watcher.checkpoints.values()] == [True]


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
def test_packed_rotations_are_not_read(tmp_path, name):
    watcher = Watcher(tmp_path / "app*")
    append(tmp_path / name, 1)
    watcher.poll()
    watcher.stop()
    assert watcher.numbers == []


def test_without_room_the_newest_rotated_files_wait_and_older_ones_are_read_regardless(tmp_path, log):
    watcher = Watcher(log)
    for number in range(11):
        append(log, number)
        log.rename(log.with_name(f"app.log.{number}"))
        log.touch()
        watcher.look()
    for _ in range(2):  # the second ends the records that the first opened
        for progress in watcher.monitor.read(lambda: 0, time.monotonic()):
            watcher.records += progress.records
    assert watcher.numbers == [0, 1, 2]
    watcher.poll()
    watcher.stop()
    assert sorted(watcher.numbers) == list(range(11))
