"""What a command wrote is counted, and nothing else, whatever it does to hide it."""

import os
import threading
import time
from pathlib import Path

import pytest

from ai_ops.flow.report import RunEnd
from ai_ops.workspace.folders import remove_tree
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.quota import Quota, Written, _beneath, writable_folders

MIB = 2**20


@pytest.fixture
def begin():
    """Begin an account over a folder, with small limits."""

    def go(*folders, **limits):
        quota = Quota(folders, SandboxLimits(**{"disk_bytes": 4 * MIB, "files": 50, **limits}))
        quota._next_walk = 0  # walk at once: the disk is shared with whoever else works here
        return quota

    return go


def fill(path, size=6 * MIB):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(os.urandom(size))
        os.fsync(file.fileno())


def sparse(place):
    with (place / "sparse").open("wb") as file:
        file.truncate(10**12)


def linked(place):
    fill(place / "one", 3 * MIB)
    for number in range(10):
        os.link(place / "one", place / f"again-{number}")


def outside(place):
    fill(place.parent / "outside" / "big")
    (place / "link").symlink_to(place.parent / "outside")


@pytest.mark.parametrize(
    ("does", "end"),
    [
        pytest.param(lambda place: fill(place / "big"), RunEnd.DISK_LIMIT, id="one large file"),
        pytest.param(
            lambda place: [fill(place / str(n) / "part", MIB) for n in range(6)],
            RunEnd.DISK_LIMIT,
            id="many parts",
        ),
        pytest.param(
            lambda place: [(place / f"{n}").touch() for n in range(60)], RunEnd.FILE_LIMIT, id="many files"
        ),
        pytest.param(
            lambda place: [(place / f"{n}").mkdir() for n in range(60)], RunEnd.FILE_LIMIT, id="many folders"
        ),
        pytest.param(
            lambda place: [(place / f"{n}").symlink_to("/") for n in range(60)],
            RunEnd.FILE_LIMIT,
            id="many links",
        ),
        pytest.param(lambda place: fill(place / "small", MIB), None, id="little"),
        pytest.param(linked, None, id="one file of many names"),
        pytest.param(sparse, None, id="a file of holes"),
        pytest.param(outside, None, id="a link to what lies elsewhere"),
        pytest.param(lambda place: os.mkfifo(place / "pipe"), None, id="a pipe"),
    ],
)
def test_what_is_written_counts_once_and_by_what_it_takes(tmp_path, begin, does, end):
    place = tmp_path / "work"
    place.mkdir()
    quota = begin(place)
    does(place)
    assert quota.excess() is end


def test_what_was_there_before_does_not_count(tmp_path, begin):
    fill(tmp_path / "big")
    for number in range(60):
        (tmp_path / f"{number}").touch()
    time.sleep(0.03)  # the file system's clock goes by ticks
    assert begin(tmp_path).excess() is None


def test_a_time_that_was_set_back_hides_nothing(tmp_path, begin):
    quota = begin(tmp_path)
    fill(tmp_path / "big")
    os.utime(tmp_path / "big", (0, 0))
    assert quota.excess() is RunEnd.DISK_LIMIT


def test_a_file_without_a_name_counts_as_long_as_it_is_open(tmp_path, begin):
    quota = begin(tmp_path)
    with (tmp_path / "gone").open("wb") as file:
        (tmp_path / "gone").unlink()
        file.write(os.urandom(6 * MIB))
        file.flush()
        os.fsync(file.fileno())
        assert quota.excess() is None  # of nobody's process
        quota._next_walk = 0
        assert quota.excess([os.getpid()]) is RunEnd.DISK_LIMIT


def test_where_the_way_is_too_long_to_look_the_disk_itself_is_asked(tmp_path, begin, monkeypatch):
    quota = begin(tmp_path)
    monkeypatch.chdir(tmp_path)
    for _ in range(45):
        Path("d" * 100).mkdir()
        os.chdir("d" * 100)
    used = [Written(0, 45)]  # not by others on this disk
    monkeypatch.setattr(quota, "_grown", lambda: used[0])
    assert quota.excess() is None
    used[0] = Written(6 * MIB, 1)
    assert quota.excess() is RunEnd.DISK_LIMIT
    monkeypatch.undo()
    remove_tree(tmp_path)  # deeper than pytest's own tidying goes


def test_a_folder_that_becomes_a_link_during_the_walk_leads_nowhere(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "foreign").touch()
    (inside / "a" / "deep").mkdir(parents=True)
    walk = _beneath(inside)
    next(walk)
    (inside / "a").rename(inside / "b")
    (inside / "a").symlink_to(outside)
    assert list(walk) == [None]
    walk = _beneath(inside / "b")
    next(walk)
    (inside / "b").rename(inside / "c")
    (inside / "b").symlink_to(outside)
    assert list(walk) == [None]


def test_files_that_come_and_go_hide_none_of_their_neighbours(tmp_path):
    for number in range(60):
        (tmp_path / f"{number}").touch()
    walk = _beneath(tmp_path)
    next(walk)
    names = [entry.name for entry in os.scandir(tmp_path)]
    (tmp_path / names[1]).unlink()
    assert len(list(walk)) == 58


def test_nothing_is_walked_while_the_disk_has_not_filled(tmp_path, begin, monkeypatch):
    quota = begin(tmp_path, disk_bytes=2**50, files=2**50)
    quota._next_walk = time.monotonic() + 1000
    monkeypatch.setattr(quota, "_walk", lambda pids: pytest.fail("walked"))
    fill(tmp_path / "big")
    assert quota.excess() is None


def test_a_folder_in_another_is_counted_with_it(tmp_path, begin):
    (tmp_path / "inner").mkdir()
    quota = begin(tmp_path, tmp_path / "inner", tmp_path, files=5)
    for number in range(3):
        (tmp_path / "inner" / f"{number}").touch()
    assert quota.excess() is None


def test_only_what_can_be_written_is_looked_at(tmp_path):
    from ai_ops.core.ports import Bind

    binds = (Bind(tmp_path / "a", "/a"), Bind(tmp_path / "b", "/b", writable=True))
    assert writable_folders(binds) == [tmp_path / "b"]


def test_a_host_without_space_ends_the_run(tmp_path, begin):
    assert begin(tmp_path, disk_floor_bytes=2**60).excess() is RunEnd.DISK_LIMIT


def test_who_asks_while_another_asks_waits(tmp_path, begin):
    quota = begin(tmp_path)
    inside, go, order = threading.Event(), threading.Event(), []

    def slowly():
        inside.set()
        assert go.wait(30)
        order.append("first")
        yield tmp_path

    first = threading.Thread(target=lambda: quota.excess(private=slowly()))
    second = threading.Thread(target=lambda: (quota.excess(), order.append("second")))
    first.start()
    assert inside.wait(30)
    second.start()
    second.join(0.3)  # it would be through by now; it may also only be slow, which proves nothing
    go.set()
    first.join(30)
    second.join(30)
    assert order == ["first", "second"]
