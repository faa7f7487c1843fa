"""Real git patches for tests: two states of some files become a diff, as the product takes it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.test",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.test",
}


@dataclass(frozen=True)
class Link:
    """A symbolic link, in place of a file's content."""

    target: str


@dataclass(frozen=True)
class Program:
    """An executable file."""

    content: str


State = Mapping[str, "str | bytes | Link | Program"]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints, byte for byte."""
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENV, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


def put(folder: Path, state: State) -> None:
    """Make the folder's files what ``state`` says."""
    for old in sorted(folder.rglob("*"), reverse=True):
        if ".git" in old.relative_to(folder).parts[:1]:
            continue
        if old.is_symlink() or old.is_file():
            old.unlink()
    for name, content in state.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.target)
        elif isinstance(content, Program):
            path.write_text(content.content)
            path.chmod(0o755)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def diff(folder: Path, before: State, after: State) -> str:
    """Return the patch from one state to the other, made in ``folder`` by git."""
    git(folder, "init", "-q", "-b", "main")
    put(folder, before)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", "base")
    put(folder, after)
    git(folder, "add", "-A", "-f")
    return git(folder, "diff", "--cached", "--binary", "--full-index", "--no-renames")


def diffs(folder: Path, changes: Mapping[str, tuple[State, State]]) -> dict[str, str]:
    """Return the patch of each change, by its name: made at once, because each git takes its time."""
    names = list(changes)
    states: tuple[dict, dict] = {}, {}
    for number, name in enumerate(names):
        for state, part in zip(states, changes[name], strict=True):
            state.update({f"{number}/{path}": content for path, content in part.items()})
    found = dict.fromkeys(names, "")
    for part in re.split(r"^(?=diff --git )", diff(folder, *states), flags=re.MULTILINE)[1:]:
        head, hunks, rest = part.partition("\n@@")
        number = re.match(r"diff --git a/(\d+)/", head)
        assert number, head
        found[names[int(number[1])]] += re.sub(rf"(?<= [ab])/{number[1]}/", "/", head) + hunks + rest
    return found


def reader(state: State):
    """Return the files' bytes the way the guard reads them."""

    def read(path: str) -> bytes | None:
        content = state.get(path)
        if isinstance(content, Program):
            return content.content.encode()
        if isinstance(content, Link) or content is None:
            return None
        return content.encode() if isinstance(content, str) else content

    return read
