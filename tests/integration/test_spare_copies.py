"""Copies that are laid before they are asked for."""

import asyncio
import errno
import gc
import os
import threading
import time
from types import SimpleNamespace

import pytest

from ai_ops.workspace import spare_copies
from ai_ops.workspace.folders import copy_tree, fresh_folder, remove_tree
from ai_ops.workspace.spare_copies import SpareCopies


@pytest.fixture
def tree(tmp_path):
    made = tmp_path / "trees" / "shop-1"
    (made / "app").mkdir(parents=True)
    (made / "app" / "main.py").write_text("one\n")
    return made


@pytest.fixture
def copied(monkeypatch):
    """What was copied, as it is begun; ``go`` lets a copy begin."""

    class Copied(list):
        go = threading.Event()

    found = Copied()
    found.go.set()

    def copy(source, target, stop=None):
        found.append(target)
        while not found.go.wait(0.01):
            if stop.is_set():
                raise OSError(errno.ECANCELED, "stopped")
        return copy_tree(source, target, stop)

    monkeypatch.setattr(spare_copies, "copy_tree", copy)
    return found


def texts(*folders):
    return [(folder / "app" / "main.py").read_text() for folder in folders]


async def test_the_second_checkout_is_there_already(tmp_path, tree, copied):
    copies = SpareCopies(tmp_path / "copies", 0)
    first, second = fresh_folder(tmp_path / "first"), fresh_folder(tmp_path / "second")
    await copies.lay(tree, first)
    await copies.at_rest()
    assert len(copied) == 2  # it, and the spare one
    copied.go.clear()
    await asyncio.wait_for(copies.lay(tree, second), 5)
    copied.go.set()
    await copies.at_rest()
    assert texts(first, second) == ["one\n"] * 2
    assert len(copied) == 3
    (second / "app" / "main.py").write_text("evil\n")
    assert texts(first, *(tmp_path / "copies").iterdir()) == ["one\n"] * 2
    assert second.stat().st_mode & 0o777 == 0o700


async def test_of_many_at_once_one_waits_for_the_copy_on_its_way(tmp_path, tree, copied):
    copies = SpareCopies(tmp_path / "copies", 0)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    targets = [fresh_folder(tmp_path / f"at-once-{number}") for number in range(5)]
    await asyncio.gather(*(copies.lay(tree, target) for target in targets))
    await copies.at_rest()
    assert texts(*targets) == ["one\n"] * 5
    assert len(copied) == 7  # six were asked for, and one is spare
    assert len(list((tmp_path / "copies").iterdir())) == 1


async def test_copies_of_trees_that_no_run_uses_are_removed(tmp_path, tree, copied):
    root = tmp_path / "copies"
    (root / "left-by-a-crash").mkdir(parents=True)
    copies = SpareCopies(root, 0)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    await copies.at_rest()
    (spare,) = (path for path in root.iterdir() if path.name != "left-by-a-crash")
    await copies.clear({tree.name})
    assert list(root.iterdir()) == [spare]
    await copies.clear(set())
    assert list(root.iterdir()) == []
    await copies.lay(tree, fresh_folder(tmp_path / "second"))
    assert texts(tmp_path / "second") == ["one\n"]


async def test_a_copy_on_its_way_is_stopped_when_no_run_uses_its_tree(tmp_path, tree, copied):
    copies = SpareCopies(tmp_path / "copies", 0)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    copied.go.clear()
    while len(copied) < 2:
        await asyncio.sleep(0.01)
    await copies.clear({tree.name})  # it is used: the copy stays
    assert len(list((tmp_path / "copies").iterdir())) == 1
    await asyncio.wait_for(copies.clear(set()), 5)
    assert list((tmp_path / "copies").iterdir()) == []
    assert copies._in_hand == set()


async def test_a_copy_that_cannot_be_made_takes_no_room(tmp_path, tree, monkeypatch):
    copies = SpareCopies(tmp_path / "copies", 0)

    def full(source, target, stop=None):
        if target.parent == tmp_path / "copies":
            (target / "half").touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return copy_tree(source, target, stop)

    monkeypatch.setattr(spare_copies, "copy_tree", full)
    for number in range(2):
        await copies.lay(tree, fresh_folder(tmp_path / str(number)))
        await copies.at_rest()
        assert list((tmp_path / "copies").iterdir()) == []
    assert texts(tmp_path / "0", tmp_path / "1") == ["one\n"] * 2
    assert copies._in_hand == set()


@pytest.mark.parametrize(("beyond", "spare"), [(0, 0), (1, 1)])
async def test_what_is_made_in_advance_leaves_room_on_the_disk(
    tmp_path, tree, copied, monkeypatch, beyond, spare
):
    size = len("one\n")
    monkeypatch.setattr(
        spare_copies.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000 + size + beyond)
    )
    copies = SpareCopies(tmp_path / "copies", 1000)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    await copies.at_rest()
    assert len(copied) == 1 + spare
    assert texts(tmp_path / "first") == ["one\n"]


async def test_a_spare_copy_that_is_gone_is_copied_anew(tmp_path, tree, copied, caplog):
    copies = SpareCopies(tmp_path / "copies", 0)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    await copies.at_rest()
    (spare,) = (tmp_path / "copies").iterdir()
    remove_tree(spare)
    await copies.lay(tree, fresh_folder(tmp_path / "second"))
    assert texts(tmp_path / "second") == ["one\n"]
    assert "could not be used" in caplog.text


async def test_whoever_waits_for_a_copy_gets_it_before_who_comes_later(tmp_path, tree, copied):
    copies = SpareCopies(tmp_path / "copies", 0)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    copied.go.clear()
    waits = asyncio.create_task(copies._claim(tree.name))
    await asyncio.sleep(0.05)
    later: list[object] = []
    copies._making[tree.name].task.add_done_callback(
        lambda _: later.append(asyncio.ensure_future(copies._claim(tree.name)))
    )
    copied.go.set()
    assert await waits is not None
    assert await later[0] is None


async def test_clearing_twice_at_once_removes_nothing_that_is_still_written(
    tmp_path, tree, monkeypatch, caplog
):
    copies = SpareCopies(tmp_path / "copies", 0)
    writing = threading.Event()

    def slow_to_stop(source, target, stop=None):
        if target.parent != tmp_path / "copies":
            return copy_tree(source, target, stop)
        writing.set()
        stop.wait()
        for number in range(20):  # what it had begun when it was told to stop
            time.sleep(0.005)
            (target / str(number)).touch()
        raise OSError(errno.ECANCELED, "stopped")

    monkeypatch.setattr(spare_copies, "copy_tree", slow_to_stop)
    await copies.lay(tree, fresh_folder(tmp_path / "first"))
    await asyncio.to_thread(writing.wait, 30)
    making = copies._making[tree.name].task
    clearing = asyncio.create_task(copies.clear(set()))
    await asyncio.sleep(0.02)
    making.cancel()
    await asyncio.gather(clearing, copies.clear(set()))
    assert list((tmp_path / "copies").iterdir()) == []
    del making, clearing
    gc.collect()
    assert "never retrieved" not in caplog.text
    await copies.lay(tree, fresh_folder(tmp_path / "second"))
    assert copies._making  # the next one is begun


async def test_whoever_is_cancelled_leaves_nobody_writing_and_no_copy_lost(tmp_path, tree, copied):
    copies = SpareCopies(tmp_path / "copies", 0)
    copied.go.clear()
    laying = asyncio.create_task(copies.lay(tree, fresh_folder(tmp_path / "first")))
    while not copied:
        await asyncio.sleep(0.01)
    laying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(laying, 5)
    assert list((tmp_path / "first").iterdir()) == []
    copied.go.set()
    await copies.lay(tree, fresh_folder(tmp_path / "second"))
    copied.go.clear()
    waiting = asyncio.create_task(copies.lay(tree, fresh_folder(tmp_path / "third")))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    copied.go.set()
    await copies.at_rest()
    assert len(copied) == 3
    await copies.lay(tree, fresh_folder(tmp_path / "third"))  # what it waited for is there for the next
    assert texts(tmp_path / "second", tmp_path / "third") == ["one\n"] * 2
