"""Run folders, over the real git adapter."""

import pytest

from ai_ops.errors import PermanentError
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
