"""Folders that hostile code has written to are removed whole, and nothing beside them."""

import errno
import os
import subprocess
import threading

import pytest

from ai_ops.errors import TemporaryError
from ai_ops.workspace import folders, mounts
from ai_ops.workspace.folders import (
    copy_tree,
    fresh_folder,
    move_into_place,
    read_regular,
    remove_tree,
    settle,
)


def test_links_are_removed_and_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    run = tmp_path / "run"
    (run / "a").mkdir(parents=True)
    (run / "a" / "folder").symlink_to(kept)
    (run / "a" / "file").symlink_to(kept / "file")
    (run / "dangling").symlink_to("/nowhere")
    os.link(kept / "file", run / "hard")
    os.mkfifo(run / "pipe")
    remove_tree(run)
    assert not run.exists()
    assert (kept / "file").read_text() == "x"


def test_read_only_folders_and_odd_names_go_too(tmp_path):
    run = tmp_path / "run"
    inner = run / "ro" / "ro"
    inner.mkdir(parents=True)
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b" ", b"*"):
        (inner / os.fsdecode(name)).touch()
    inner.chmod(0)
    (run / "ro").chmod(0o500)
    run.chmod(0o500)
    remove_tree(run)
    assert not run.exists()


def test_depth_beyond_any_path_length_is_no_obstacle(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    current = os.open(run, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 100, dir_fd=current)
        deeper = os.open("d" * 100, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = deeper
    os.close(current)
    remove_tree(run)
    assert not run.exists()


def test_a_link_in_place_of_the_folder_is_removed_itself(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "run").symlink_to(kept)
    remove_tree(tmp_path / "run")
    assert kept.is_dir() and not (tmp_path / "run").is_symlink()


def test_a_fresh_folder_is_empty_and_private(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("x")
    folder = fresh_folder(tmp_path / "out")
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "missing", "large"])
def test_only_a_regular_file_within_the_limit_is_read(tmp_path, kind):
    path = tmp_path / "report"
    if kind == "link":
        (tmp_path / "target").write_text("x")
        path.symlink_to(tmp_path / "target")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"x" * 11)
    assert read_regular(path, 10) is None


def test_a_regular_file_is_read(tmp_path):
    (tmp_path / "report").write_bytes(b"x" * 10)
    assert read_regular(tmp_path / "report", 10) == b"x" * 10


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    made, place, seen = tmp_path / ".made", tmp_path / "tree", []
    made.mkdir()
    (made / "file").write_text("x")

    def settled(folder):
        seen.append(("contents", folder.name, place.exists()))
        settle(folder)

    def named(folder):
        seen.append(("names", folder, place.exists()))

    monkeypatch.setattr(folders, "settle", settled)
    monkeypatch.setattr(folders, "sync_names", named)
    move_into_place(made, place)
    assert seen == [("contents", ".made", False), ("names", tmp_path, True)]
    assert (place / "file").read_text() == "x"


def test_a_folder_that_cannot_be_written_out_gets_no_name(tmp_path):
    with pytest.raises(FileNotFoundError):
        move_into_place(tmp_path / "gone", tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_mount_that_cannot_be_taken_away_is_a_named_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts.os.path, "ismount", lambda _path: True)  # the kernel knows better
    with pytest.raises(TemporaryError) as caught:
        mounts.unmount(tmp_path)
    assert caught.value.code == "unmount_failed"
    assert caught.value.next_step


def _tree_with_everything(folder):
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "deep" / "er" / "script").write_bytes(b"#!/bin/sh\n" * 100_000)
    (folder / "deep" / "er" / "script").chmod(0o755)
    (folder / "nothing").write_bytes(b"")
    (folder / os.fsdecode(b"caf\xe9")).write_text("a name that is no UTF-8")
    (folder / "file-link").symlink_to("nothing")
    (folder / "folder-link").symlink_to("deep")
    (folder / "broken-link").symlink_to("/no/such/file")
    (folder / "deep").chmod(0o500)


@pytest.mark.parametrize(
    "refused", [None, errno.EXDEV, errno.EOPNOTSUPP, 0], ids=["shared", "other-fs", "no-such", "nothing"]
)
def test_a_copied_tree_has_the_bytes_modes_and_links_of_its_source(tmp_path, monkeypatch, refused):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir(0o700)
    _tree_with_everything(source)
    if refused is not None:

        def refuse(*_):
            if refused:
                raise OSError(refused, os.strerror(refused))
            return 0

        monkeypatch.setattr(os, "copy_file_range", refuse)
    copy_tree(source, target)
    assert subprocess.run(["diff", "-r", "--no-dereference", source, target], check=False).returncode == 0
    assert (target / "deep" / "er" / "script").stat().st_mode & 0o777 == 0o755
    assert (target / "deep").stat().st_mode & 0o777 == 0o500
    assert target.stat().st_mode & 0o777 == 0o700
    assert (target / "folder-link").is_symlink()
    assert (target / "empty").is_dir()


def test_a_copy_that_cannot_be_whole_is_refused(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    _tree_with_everything(source)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="No space"):
        copy_tree(source, target)


@pytest.mark.parametrize("what", ["a pipe", "a file that ends too soon"])
def test_what_cannot_be_copied_is_told_and_not_left_out(tmp_path, monkeypatch, what):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    if what == "a pipe":
        os.mkfifo(source / "odd")
    else:
        (source / "odd").write_text("more than nothing")
        for call in ("copy_file_range", "sendfile"):
            monkeypatch.setattr(os, call, lambda *_: 0)
    with pytest.raises(OSError, match="odd"):
        copy_tree(source, target)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_copy_has_the_modes_of_what_was_copied_whatever_is_masked(tmp_path, umask):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    modes = [0o600, 0o644, 0o755, 0o664, 0o777, 0o444, 0o4755]
    for mode in modes:
        (source / oct(mode)).write_text("text")
        (source / oct(mode)).chmod(mode)
    before = os.umask(umask)
    try:
        copy_tree(source, target)
    finally:
        os.umask(before)
    found = {path.name: path.stat().st_mode & 0o7777 for path in target.iterdir()}
    assert found == {oct(mode): mode for mode in modes}


@pytest.mark.parametrize("told", ["before it begins", "within a file"])
def test_a_copy_stops_when_it_is_told_to(tmp_path, monkeypatch, told):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "inner").mkdir(parents=True)
    target.mkdir()
    (source / "file").write_text("a text of some bytes")
    stop = threading.Event()
    if told == "before it begins":
        stop.set()
    else:
        monkeypatch.setattr(folders, "_PIECE", 4)
        copy_range = os.copy_file_range
        monkeypatch.setattr(os, "copy_file_range", lambda *words: (stop.set(), copy_range(*words))[1])
    with pytest.raises(OSError, match="Operation canceled") as caught:
        copy_tree(source, target, stop)
    assert caught.value.errno == errno.ECANCELED
    if told == "within a file":
        assert (target / "file").stat().st_size == 4
    else:
        assert list(target.iterdir()) == []


def test_a_copy_says_how_many_bytes_it_has(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "inner").mkdir(parents=True)
    target.mkdir()
    (source / "file").write_text("four")
    (source / "inner" / "file").write_text("seven  ")
    (source / "link").symlink_to("file")
    assert copy_tree(source, target) == 11
