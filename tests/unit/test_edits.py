"""Writing a checkout: real files, and every way in which a link could lead out of it."""

import errno
import os
import resource
import stat

import pytest

from ai_ops.core.code_blocks import Plan, plan
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.edits import CodeBlock, EditOp, FileChange, Replacement
from ai_ops.workspace.edits import read, tree, write


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text("[core]\n")
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("x = 1\n")
    (folder / "run.sh").write_text("echo\n")
    (folder / "run.sh").chmod(0o755)
    return folder


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.py").write_text("mine\n")
    return folder


def refused(checkout, *changes) -> str:
    with pytest.raises(PermanentError) as caught:
        write(checkout, changes)
    return caught.value.code


def names(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_changes_are_written_with_new_folders_and_kept_modes(checkout):
    write(
        checkout,
        (
            FileChange("src/a.py", b"x = 2\n"),
            FileChange("run.sh", b"echo 2\n"),
            FileChange("new/deep/b.py", b"y\n"),
            FileChange("tool", b"z\n", 0o755),
        ),
    )
    assert (checkout / "src/a.py").read_bytes() == b"x = 2\n"
    assert (checkout / "new/deep/b.py").read_bytes() == b"y\n"
    modes = [stat.S_IMODE((checkout / name).stat().st_mode) for name in ("run.sh", "new/deep/b.py", "tool")]
    assert modes == [0o755, 0o644, 0o755]
    assert not [name for name in names(checkout) if ".ai-ops-" in name]


def test_a_deletion_removes_the_file(checkout):
    write(checkout, (FileChange("src/a.py", None),))
    assert not (checkout / "src/a.py").exists()


def test_a_linked_folder_is_not_followed(checkout, outside):
    (checkout / "out").symlink_to(outside)
    assert refused(checkout, FileChange("out/a.py", b"evil")) == "path_refused"
    assert refused(checkout, FileChange("out/sub/a.py", b"evil")) == "path_refused"
    assert refused(checkout, FileChange("out/a.py", None)) == "path_refused"
    assert names(outside) == {"a.py"}
    assert (outside / "a.py").read_text() == "mine\n"


def test_a_linked_file_is_not_written_through(checkout, outside):
    (checkout / "a.py").symlink_to(outside / "a.py")
    assert refused(checkout, FileChange("a.py", b"evil")) == "path_refused"
    assert (outside / "a.py").read_text() == "mine\n"


def test_a_hard_link_is_replaced_and_its_other_name_keeps_its_bytes(checkout, outside):
    os.link(outside / "a.py", checkout / "hard.py")
    write(checkout, (FileChange("hard.py", b"new\n"),))
    assert (outside / "a.py").read_text() == "mine\n"


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a/../x", ".git/config", ".GIT/x", "git~1/x", "a//b", "", "a\0b", "."]
)
def test_paths_that_no_plan_has_are_refused(checkout, path):
    assert refused(checkout, FileChange(path, b"x")) == "path_refused"
    with pytest.raises(PermanentError):
        read(checkout, path)


@pytest.mark.parametrize(
    "change", [FileChange("src", b"x"), FileChange("run.sh/x", b"x"), FileChange("no.py", None)]
)
def test_folders_files_as_folders_and_missing_files_are_refused(checkout, change):
    assert refused(checkout, change) == "path_refused"


def test_a_refused_change_leaves_everything_as_it_was(checkout, outside):
    (checkout / "out").symlink_to(outside)
    before = names(checkout)
    refused(
        checkout, FileChange("src/a.py", b"x = 2\n"), FileChange("run.sh", None), FileChange("out/b", b"x")
    )
    assert names(checkout) == before
    assert (checkout / "src/a.py").read_bytes() == b"x = 1\n"


def test_a_write_that_fails_midway_leaves_no_half_written_file(checkout):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        code = refused(checkout, FileChange("src/a.py", b"x = 2\n"), FileChange("big", b"x" * 4096))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == "workspace_unwritable"
    assert names(checkout) == {".git/config", "src/a.py", "run.sh"}
    assert (checkout / "src/a.py").read_bytes() == b"x = 1\n"


def test_a_change_that_fails_last_undoes_those_before_it(checkout, monkeypatch):
    """A folder that turned unwritable, or a disk that fails: the changes before have taken their places."""
    before = {name: (checkout / name).read_bytes() for name in names(checkout)}
    rename, calls = os.rename, []

    def failing(source, target, **more):
        calls.append(target)
        if len(calls) == 6:
            raise OSError(errno.EIO, "I/O error")
        rename(source, target, **more)

    monkeypatch.setattr(os, "rename", failing)
    changes = (
        FileChange("src/a.py", b"x = 2\n"),
        FileChange("new.py", b"y\n"),
        FileChange("gone.py", None),
        FileChange("run.sh", b"echo 2\n"),
    )
    (checkout / "gone.py").write_bytes(b"keep\n")
    with pytest.raises(TemporaryError) as caught:
        write(checkout, changes)
    assert caught.value.code == "disk_full"
    assert {name: (checkout / name).read_bytes() for name in names(checkout)} == before | {
        "gone.py": b"keep\n"
    }
    assert stat.S_IMODE((checkout / "run.sh").stat().st_mode) == 0o755


def test_reading_returns_bytes_of_regular_files_only(checkout, outside):
    os.mkfifo(checkout / "pipe")
    (checkout / "out").symlink_to(outside)
    (checkout / "link.py").symlink_to(checkout / "src/a.py")
    assert read(checkout, "src/a.py") == b"x = 1\n"
    unread = ["pipe", "out/a.py", "link.py", "src", "missing", "missing/x", "run.sh/x", "n" * 300]
    assert [read(checkout, path) for path in unread] == [None] * len(unread)


def test_a_giant_file_is_not_read(checkout):
    with (checkout / "giant").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(PermanentError) as caught:
        read(checkout, "giant")
    assert caught.value.code == "file_too_large"


def test_the_tree_tells_links_submodules_and_modes_and_leaves_git_out(checkout, outside):
    os.mkfifo(checkout / "pipe")
    (checkout / "out").symlink_to(outside)
    (checkout / "broken").symlink_to("nowhere")
    (checkout / "lib").mkdir()
    (checkout / "lib/.git").write_text("gitdir: elsewhere\n")
    (checkout / "lib/x.py").write_text("x\n")
    (checkout / "empty").mkdir()
    (checkout / ".gitmodules").write_text('[submodule "e"]\n\tpath = empty\n\turl = x\n')
    found = tree(checkout)
    assert dict(found.modes) == {
        ".gitmodules": 0o100644,
        "src/a.py": 0o100644,
        "run.sh": 0o100755,
        "out": 0o120000,
        "broken": 0o120000,
        "lib": 0o160000,
        "empty": 0o160000,
    }
    assert tree(checkout).paths == (".gitmodules", "run.sh", "src/a.py")


def test_an_answer_is_planned_and_written_on_a_real_checkout(checkout):
    block = CodeBlock("b/src/a.py", EditOp.EDIT, replacements=(Replacement("x = 1", "x = 3"),))
    planned = plan([block], lambda path: read(checkout, path), tree(checkout))
    assert isinstance(planned, Plan)
    write(checkout, planned.changes)
    assert (checkout / "src/a.py").read_bytes() == b"x = 3\n"
