"""Read files of a commit from a mirror, with GitPython.

It is given nothing but a mirror of ours and full commit ids. Its ``git cat-file`` children start with
the server's environment, so every variable of it is blanked before ours are set.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ai_ops.core.failures import failed
from ai_ops.vcs.environment import Place, child_environment
from ai_ops.vcs.names import check_sha


@contextmanager
def _no_git() -> Iterator[None]:
    """Hide git while GitPython is imported: it would run ``git version`` with the server's secrets."""
    hidden = {"GIT_PYTHON_GIT_EXECUTABLE": "/nonexistent/git", "GIT_PYTHON_REFRESH": "quiet"}
    before = {name: os.environ.pop(name) for name in hidden if name in os.environ}
    os.environ.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del os.environ[name]
        os.environ.update(before)


with _no_git():
    import git

T = TypeVar("T")

FILE_LIMIT = 10_000_000  # bytes; larger files are not source


def read_file(git_dir: Path, sha: str, path: str) -> bytes | None:
    """Return a regular file at a commit; None when there is none of at most 10 MB (a link is none).

    Raises:
        PermanentError: ``git_damaged``.
    """
    with _repository(git_dir) as repository:
        try:
            found = repository.commit(check_sha(sha)).tree.join(path.strip("/"))
        except KeyError:
            return None
        if not isinstance(found, git.Blob) or not stat.S_ISREG(found.mode) or found.size > FILE_LIMIT:
            return None
        return bytes(found.data_stream.read())


def list_files(git_dir: Path, sha: str) -> list[str]:
    """Return the paths of files and links at a commit, sorted.

    Raises:
        PermanentError: ``git_damaged``.
    """
    with _repository(git_dir) as repository:
        # Its objects for each file of a large tree take longer than all the rest of a look.
        listed = repository.git.ls_tree("-r", "-z", check_sha(sha), stdout_as_string=False)
        entries = (entry.partition(b"\t") for entry in bytes(listed).split(b"\0"))
        return sorted(os.fsdecode(path) for about, _, path in entries if about.split(b" ")[1:2] == [b"blob"])


@contextmanager
def _repository(git_dir: Path) -> Iterator[git.Repo]:
    try:
        with git.Repo(git_dir) as repository:
            blank = dict.fromkeys(os.environ, "")
            repository.git.update_environment(**(blank | child_environment(Place(git_dir))))
            yield repository
    except (git.exc.ODBError, git.exc.GitError, OSError, ValueError, IndexError) as error:
        raise failed("git_damaged", f"the mirror cannot be read: {error}") from None
