"""The record of a session, between HOMEs that a hostile call may have furnished."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_ops.flow.fixing import Session
from ai_ops.integrations import claude_sessions
from ai_ops.integrations.claude_sessions import put, take

ID = "7efbdfc3-0f23-4304-ba97-e1187a22a18d"
RECORD = b'{"type":"user"}\n\xff\x00 not text\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place


def file_in(home: Path, folder: str = "-workspace") -> Path:
    place = home / ".claude" / "projects" / folder / f"{ID}.jsonl"
    place.parent.mkdir(parents=True)
    return place


def test_what_was_put_is_taken_byte_for_byte_and_nobody_else_can_read_it(home: Path) -> None:
    put(home, Session(ID, RECORD))
    assert take(home, ID) == Session(ID, RECORD)
    file = home / f".claude/projects/-workspace/{ID}.jsonl"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_it_is_found_in_whatever_folder_the_cli_chose(home: Path) -> None:
    (home / ".claude/projects/-aaa").mkdir(parents=True)
    file_in(home, "-srv-workspaces-fix").write_bytes(RECORD)
    assert take(home, ID) == Session(ID, RECORD)


def test_only_the_named_session_is_taken(home: Path) -> None:
    file_in(home).with_name("11111111-1111-4111-8111-111111111111.jsonl").write_bytes(RECORD)
    assert take(home, ID) is None


def linked(file: Path, outside: Path) -> None:
    file.symlink_to(outside)


def linked_hard(file: Path, outside: Path) -> None:
    file.hardlink_to(outside)


def fifo(file: Path, outside: Path) -> None:
    os.mkfifo(file)


def folder(file: Path, outside: Path) -> None:
    file.mkdir()


def behind_a_link(file: Path, outside: Path) -> None:
    file.parent.rmdir()
    file.parent.symlink_to(outside.parent)
    file.write_bytes(RECORD)


def huge(file: Path, outside: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(claude_sessions.MOST_BYTES + 1)


def empty(file: Path, outside: Path) -> None:
    file.touch()


TRAPS = [linked, linked_hard, fifo, folder, behind_a_link, huge, empty]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_what_the_cli_would_not_have_written_is_left(
    home: Path, tmp_path: Path, trap: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path / "outside" / "secret"
    outside.parent.mkdir()
    outside.write_bytes(b"secret\n")
    trap(file_in(home), outside)
    assert take(home, ID) is None


@pytest.mark.parametrize("session_id", ["", "../../x", "s", ID.upper(), f"{ID}\n", "*"])
def test_a_word_that_is_no_id_names_no_session(home: Path, session_id: str) -> None:
    put(home, Session(ID, RECORD))
    assert take(home, session_id) is None
    with pytest.raises(ValueError, match="UUID"):
        Session(session_id, RECORD)


def test_a_home_without_sessions_has_none(home: Path) -> None:
    assert take(home, ID) is None
    assert take(home / "nowhere", ID) is None


def test_the_record_is_not_in_the_words_about_a_session() -> None:
    assert "secret" not in repr(Session(ID, b"secret"))
