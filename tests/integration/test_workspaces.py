"""Run folders, over the real git adapter."""

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.repository import Repository
from ai_ops.vcs import checkout as checkouts
from ai_ops.vcs.environment import GitRunner
from ai_ops.vcs.git import GitClient
from ai_ops.workspace import folders
from ai_ops.workspace.mounts import enter_private_mounts
from ai_ops.workspace.workspace_manager import WorkspaceManager
from tests.support.git_server import create_repository


@pytest.fixture
def git(tmp_path):
    return GitClient(tmp_path / "mirrors", lambda _: None, allow_file=True)


@pytest.fixture(params=[False, True], ids=["copies", "overlays"])
def manager(request, tmp_path, git):
    if request.param and not enter_private_mounts(tmp_path / "mounts"):
        pytest.skip("this system allows no mounts of one's own")
    return WorkspaceManager(tmp_path / "workspaces", git, overlays=request.param)


async def test_a_checkout_is_always_fresh_and_carries_the_patch(tmp_path, manager, git):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    first = await manager.ensure("run-1", "edit", repository, base.sha)
    (first / "app.py").write_text("two\n")
    patch = await git.diff(first)
    second = await manager.ensure("run-1", "verify", repository, base.sha, patch)
    assert (second / "app.py").read_text() == "two\n"
    (second / "left-over").symlink_to("/")
    again = await manager.ensure("run-1", "verify", repository, base.sha)
    assert again == second
    assert sorted(path.name for path in again.iterdir()) == [".git", "app.py"]
    assert (again / "app.py").read_text() == "one\n"


async def test_what_is_done_to_one_checkout_is_not_in_the_next(tmp_path, manager, git):
    files = {"app.py": "one\n", "bin/run": "#!/bin/sh\n"}
    bare = create_repository(tmp_path / "remote", "acme/shop", files)
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    first = await manager.ensure("run-1", "edit", repository, base.sha)
    for path in [*first.rglob("*"), first / ".git" / "config"]:
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
            path.write_text("evil\n")
    second = await manager.ensure("run-1", "verify", repository, base.sha)
    assert {name: (second / name).read_text() for name in files} == files
    assert await git.diff(second) == ""


def heard(monkeypatch):
    """Return git's sub-commands as they are run from now on."""
    commands, run = [], GitRunner.run

    async def noted(self, action, arguments, *words, **named):
        commands.append(arguments[0])
        return await run(self, action, arguments, *words, **named)

    monkeypatch.setattr(GitRunner, "run", noted)
    return commands


CHANGED = {
    "same_size.py": "one\n",
    "mode.sh": "#!/bin/sh\n",
    "gone.py": "gone\n",
    "link.py": "link\n",
    "folder.py": "folder\n",
    "kept.py": "kept\n",
}


async def test_a_diff_over_a_known_tree_sees_what_a_diff_of_all_files_sees(
    tmp_path, manager, git, monkeypatch
):
    """Also what was given back its time and its size: git looks at no content where all of these agree."""
    bare = create_repository(tmp_path / "remote", "acme/shop", CHANGED)
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    with monkeypatch.context() as young:
        young.setattr(checkouts, "_SETTLED_SECONDS", 3600.0)
        await manager.ensure("run-1", "first", repository, base.sha)
    assert not list((tmp_path / "workspaces" / "run-1").glob("*.index"))  # its files are of this second
    await asyncio.sleep(2.1)
    checkout = await manager.ensure("run-1", "edit", repository, base.sha)
    commands = heard(monkeypatch)
    assert await git.diff(checkout) == ""
    assert ("read-tree" in commands) is not manager._overlays  # whose every file is read then
    before = (checkout / "same_size.py").stat()
    (checkout / "same_size.py").write_text("two\n")
    os.utime(checkout / "same_size.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    (checkout / "mode.sh").chmod(0o755)
    (checkout / "gone.py").unlink()
    (checkout / "link.py").unlink()
    (checkout / "link.py").symlink_to("kept.py")
    (checkout / "folder.py").unlink()
    (checkout / "folder.py").mkdir()
    (checkout / "folder.py" / "inner.py").write_text("inner\n")
    (checkout / "new.py").write_text("new\n")
    found = await git.diff(checkout)
    notes = list((tmp_path / "workspaces" / "run-1").glob("*.index"))
    assert [note.name for note in notes] == ([f"edit.{base.sha}.index"] if manager._overlays else [])
    for note in notes:
        note.unlink()
    assert found == await git.diff(checkout)
    sections = {line.split()[2] for line in found.splitlines() if line.startswith("diff --git ")}
    changed = {"same_size.py", "mode.sh", "gone.py", "link.py", "folder.py", "folder.py/inner.py", "new.py"}
    assert sections == {f"a/{path}" for path in changed}


async def test_a_diff_without_a_noted_index_or_room_for_it_reads_all_files(
    tmp_path, manager, git, monkeypatch
):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    monkeypatch.setattr(checkouts, "_SETTLED_SECONDS", 0.0)
    checkout = await manager.ensure("run-1", "edit", repository, base.sha)
    (checkout / "app.py").write_text("three\n")

    def full(note, index):
        index.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkouts.shutil, "copyfile", full)
    assert "+three" in await git.diff(checkout)


async def test_what_was_made_in_advance_goes_with_the_last_run_that_could_ask_for_it(tmp_path, git):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    manager = WorkspaceManager(tmp_path / "workspaces", git, floor_bytes=0)
    copies = tmp_path / "workspaces" / ".copies"
    for run in ("run-1", "run-2"):
        await manager.ensure(run, "edit", repository, base.sha)
    await manager.at_rest()
    assert len(list(copies.iterdir())) == 1
    await manager.discard("run-1")
    assert len(list(copies.iterdir())) == 1
    await manager.discard("run-2")
    assert list(copies.iterdir()) == []


async def test_a_checkout_of_another_commit_is_not_held_against_the_tree_of_the_first(tmp_path, manager, git):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    first = await git.refresh(repository)
    await manager.ensure("run-1", "edit", repository, first.sha)
    await asyncio.sleep(2.1)
    await manager.ensure("run-1", "edit", repository, first.sha)
    second = await git.commit(repository, first.sha, PATCH, "another")
    copying = WorkspaceManager(tmp_path / "workspaces", git)  # as after a restart that allows no mounts
    await manager.scratch("run-1", "edit")  # unmounted
    checkout = await copying.ensure("run-1", "edit", repository, second)
    assert (checkout / "app.pyc").read_text() == "two\n"
    assert await git.diff(checkout) == ""


PATCH = """diff --git a/app.pyc b/app.pyc
new file mode 100644
--- /dev/null
+++ b/app.pyc
@@ -0,0 +1 @@
+two
"""
"""A file that is in the commit although its kind is ignored."""


async def test_a_run_keeps_its_base_when_the_remote_goes_away(tmp_path, manager, git):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    await manager.ensure("run-1", "edit", repository, base.sha)
    shutil.rmtree(bare)
    shutil.rmtree(tmp_path / "mirrors")
    again = await manager.ensure("run-1", "verify", repository, base.sha)
    assert (again / "app.py").read_text() == "one\n"


async def test_an_export_that_broke_off_is_not_taken_for_the_base(tmp_path, manager, git, monkeypatch):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)

    async def breaks_off(repository, sha, target):
        (target / "half.py").write_text("")
        raise TemporaryError("disk_full", "no space is left")

    with monkeypatch.context() as patched:
        patched.setattr(git, "export", breaks_off)
        with pytest.raises(TemporaryError, match="disk_full"):
            await manager.ensure("run-1", "edit", repository, base.sha)
    checkout = await manager.ensure("run-1", "edit", repository, base.sha)
    assert sorted(path.name for path in checkout.iterdir()) == [".git", "app.py"]


async def test_checkouts_that_are_asked_for_at_once_are_all_whole(tmp_path, manager, git):
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "one\n"})
    repository = Repository("local/acme/shop", str(bare), "local")
    base = await git.refresh(repository)
    made = await asyncio.gather(
        *(manager.ensure("run-1", f"c{number}", repository, base.sha) for number in range(4))
    )
    assert [(path / "app.py").read_text() for path in made] == ["one\n"] * 4
    (tree,) = (tmp_path / "workspaces" / ".trees").iterdir()
    assert tree.name.endswith(f"-{base.sha}")


async def test_folders_are_private(manager, tmp_path):
    path = await manager.scratch("run-1", "out")
    for folder in (path, path.parent, tmp_path / "workspaces"):
        assert folder.stat().st_mode & 0o777 == 0o700


async def test_discard_removes_the_run_and_only_it(manager):
    first, second = await manager.scratch("run-1", "a"), await manager.scratch("run-2", "a")
    (first / "sub").mkdir(mode=0o500)
    await manager.discard("run-1")
    await manager.discard("run-1")
    assert not first.parent.exists()
    assert second.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc", ".hidden", "a\0", "a\n", "x" * 200])
async def test_names_that_could_leave_the_root_are_refused(manager, name):
    for call in (manager.scratch("run", name), manager.scratch(name, "a"), manager.discard(name)):
        with pytest.raises(PermanentError, match="workspace_name_invalid"):
            await call


async def test_sweep_removes_what_a_crash_left_and_nothing_foreign(manager, tmp_path):
    await manager.scratch("live", "a")
    await manager.scratch("dead", "a")
    foreign = tmp_path / "workspaces" / "photos"
    foreign.mkdir()
    (tmp_path / "workspaces" / "link").symlink_to(foreign)
    assert await manager.sweep({"live"}) == ("dead",)
    assert sorted(path.name for path in (tmp_path / "workspaces").iterdir()) == ["link", "live", "photos"]


async def test_a_run_that_begins_again_while_its_folder_is_still_removed_keeps_what_it_makes(
    manager, monkeypatch
):
    old = await manager.scratch("run-1", "a")
    (old / "big").write_text("old")
    going_on, removing, removed = threading.Event(), threading.Event(), threading.Event()
    remove_tree = folders.remove_tree

    def slowly(path):
        removing.set()
        assert going_on.wait(30)
        remove_tree(path)
        removed.set()

    monkeypatch.setattr(folders, "remove_tree", slowly)
    discarding = asyncio.create_task(manager.discard("run-1"))
    await asyncio.to_thread(removing.wait, 30)
    discarding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await discarding
    monkeypatch.setattr(folders, "remove_tree", remove_tree)
    new = await manager.scratch("run-1", "a")
    (new / "kept").write_text("new")
    going_on.set()
    assert await asyncio.to_thread(removed.wait, 30)
    assert folders.left_behind(old.parent.parent) == []
    assert [path.name for path in new.iterdir()] == ["kept"]


async def test_sweep_removes_what_a_removal_did_not_come_to_the_end_of(manager, tmp_path):
    await manager.scratch("live", "a")
    gone = tmp_path / "workspaces" / ".gone-0123"
    (gone / "a").mkdir(parents=True)
    (gone / ".ai-ops-run").touch()  # a run's folder is marked to its end
    await manager.sweep({"live"}, before=time.time() - 60)
    assert gone.exists(), "somebody may be at it"
    assert await manager.sweep({"live"}) == ()
    assert not gone.exists()


async def test_sweep_without_a_root_does_nothing(manager):
    assert await manager.sweep(set()) == ()


@pytest.fixture
def commits(tmp_path, git):
    """Return a function that makes so many repositories and returns each with its base."""

    async def make(number):
        made = []
        for n in range(number):
            bare = create_repository(tmp_path / "remote", f"acme/shop-{n}", {"app.py": f"{n}\n"})
            repository = Repository(f"local/acme/shop-{n}", str(bare), "local")
            made.append((repository, (await git.refresh(repository)).sha))
        return made

    return make


def trees(tmp_path):
    return {path.name for path in (tmp_path / "workspaces" / ".trees").iterdir()}


async def test_a_commit_is_exported_once_for_all_runs(manager, commits, monkeypatch, git):
    ((repository, sha),) = await commits(1)
    await manager.ensure("run-1", "edit", repository, sha)
    await manager.discard("run-1")
    monkeypatch.setattr(git, "export", None)
    checkout = await manager.ensure("run-2", "edit", repository, sha)
    assert (checkout / "app.py").read_text() == "0\n"


async def test_only_the_trees_that_were_used_last_are_kept(manager, commits, tmp_path):
    made = await commits(10)
    for number, (repository, sha) in enumerate(made):
        await manager.ensure(f"run-{number}", "edit", repository, sha)
        if number:
            await manager.discard(f"run-{number}")
    assert len(trees(tmp_path)) == 9  # eight, and the one that a run uses
    assert any(name.endswith(made[0][1]) for name in trees(tmp_path))
    await manager.discard("run-0")
    assert len(trees(tmp_path)) == 8
    assert not any(name.endswith(made[0][1]) for name in trees(tmp_path))


async def test_an_export_that_a_kill_broke_off_is_removed(manager, tmp_path):
    broken = tmp_path / "workspaces" / ".trees" / ".made-0123"
    broken.mkdir(parents=True)
    (broken / "half.py").touch()
    await manager.sweep(set())
    assert trees(tmp_path) == set()


async def test_an_export_goes_on_when_the_run_that_asked_first_fails_and_is_discarded(
    manager, commits, git, monkeypatch, tmp_path
):
    ((repository, sha),) = await commits(1)
    export, asked, goes_on, waits = git.export, asyncio.Event(), asyncio.Event(), asyncio.Event()
    begun = []

    async def slow(repository, sha, target):
        begun.append(target)
        if len(begun) == 1:
            asked.set()
            await asyncio.Event().wait()
        waits.set()
        await goes_on.wait()
        await export(repository, sha, target)

    monkeypatch.setattr(git, "export", slow)
    first = asyncio.create_task(manager.ensure("run-1", "edit", repository, sha))
    await asked.wait()
    second = asyncio.create_task(manager.ensure("run-2", "edit", repository, sha))
    while not list((tmp_path / "workspaces").glob("run-2/.base-*")):
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await waits.wait()
    await manager.discard("run-1")
    third = asyncio.create_task(manager.ensure("run-3", "edit", repository, sha))
    while not list((tmp_path / "workspaces").glob("run-3/.base-*")):
        await asyncio.sleep(0.01)
    goes_on.set()
    for checkout in await asyncio.gather(second, third):
        assert (checkout / "app.py").read_text() == "0\n"
    assert len(begun) == 2


async def test_a_deleted_and_a_renamed_file_are_in_the_diff(manager, commits, git):
    ((repository, sha),) = await commits(1)
    checkout = await manager.ensure("run-1", "edit", repository, sha)
    (checkout / "app.py").rename(checkout / "shop.py")
    patch = await git.diff(checkout)
    again = await manager.ensure("run-1", "verify", repository, sha, patch)
    assert sorted(path.name for path in again.iterdir()) == [".git", "shop.py"]


MOUNTED = """
import os, sys
from pathlib import Path
from ai_ops.workspace.mounts import enter_private_mounts, mount_overlay
root = Path(sys.argv[1])
assert enter_private_mounts(root), "no mounts"
for name in ("lower", "a, b:c\\\\d", "work", "target"):
    (root / name).mkdir()
(root / "lower" / "file").write_text("below")
mount_overlay(root / "lower", root / "a, b:c\\\\d", root / "work", root / "target")
(root / "target" / "file").write_text("above")
print((root / "target" / "file").read_text(), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_mount_ends_with_the_process_that_made_it(tmp_path):
    root = tmp_path / "root"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", MOUNTED, root], env=env, capture_output=True, text=True)
    if "no mounts" in done.stderr:
        pytest.skip("this system allows no mounts of one's own")
    assert (done.returncode, done.stdout) == (-9, "above\n"), done.stderr
    assert str(root) not in Path("/proc/self/mounts").read_text()
    assert list((root / "target").iterdir()) == []
    assert (root / "lower" / "file").read_text() == "below"
