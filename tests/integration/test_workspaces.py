"""Run folders, over the real git adapter."""

import asyncio
import shutil

import pytest

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.git import GitClient
from ai_ops.workspace.workspace_manager import WorkspaceManager
from tests.support.git_server import create_repository


@pytest.fixture
def git(tmp_path):
    return GitClient(tmp_path / "mirrors", lambda _: None, allow_file=True)


@pytest.fixture
def manager(tmp_path, git):
    return WorkspaceManager(tmp_path / "workspaces", git)


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
    pristine = [path.name for path in made[0].parent.iterdir() if path.name.startswith("pristine")]
    assert pristine == [f"pristine-{base.sha}"]


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


async def test_sweep_without_a_root_does_nothing(manager):
    assert await manager.sweep(set()) == ()
