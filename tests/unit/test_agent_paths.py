"""Which source a path belongs to, and why a pattern finds nothing."""

import os

import pytest

from ai_ops.agent.paths import matches, source_of, why_nothing


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("/logs/app.log", "/logs/app.log", True),
        ("/logs/app.log", "/logs/*.log", True),
        ("/logs/[1].log", "/logs/[1].log", True),
        ("/logs/a/app.log", "/logs/*.log", False),
        ("/logs/a/app.log", "/logs/*/app.log", True),
        ("/logs/app.log", "/logs/**/*.log", True),
        ("/logs/a/b/app.log", "/logs/**/*.log", True),
        ("/logs/.a/app.log", "/logs/**/*.log", False),
        ("/logs/.app.log", "/logs/*.log", False),
        ("/logs/.app.log", "/logs/.*.log", True),
        ("/logs/app.txt", "/logs/*.log", False),
        ("/logs/App.log", "/logs/app.log", False),
    ],
    ids=lambda value: str(value),
)
def test_a_pattern_means_what_glob_finds(path, pattern, expected):
    assert matches(path, pattern) is expected


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/logs/shop/app.log", 0),
        ("/logs/shop/app.log.1", 0),
        ("/logs/shop/app-20260301.log", 0),
        ("/logs/web.log", 1),
        ("/logs/web.log.2", 1),
        ("/logs/other.log", None),
        ("/logs/shop/app.txt", None),
    ],
    ids=str,
)
def test_a_file_belongs_to_the_first_pattern_that_means_it_or_its_original(path, source):
    assert source_of(path, ["/logs/shop/*.log", "/logs/web.log"]) == source


def test_a_whole_match_counts_before_a_rotated_form():
    assert source_of("/logs/app.log.1", ["/logs/app.log", "/logs/app.log.1"]) == 1


def say(tmp_path, pattern):
    return why_nothing(str(tmp_path / pattern)).replace(str(tmp_path), "TMP")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("no/such/app.log", "the folder TMP/no does not exist"),
        ("no/such/*.log", "the folder TMP/no does not exist"),
        ("here/app.log", "there is no such file"),
        ("here/*.log", "no file matches"),
        ("here/a.log/app.log", "TMP/here/a.log is not a folder"),
        ("here", "TMP/here is a folder; name the files in it, such as TMP/here/*.log"),
        ("here/packed.log.gz", "TMP/here/packed.log.gz is compressed"),
        ("here/*.gz", "TMP/here/packed.log.gz is compressed"),
        ("here/pipe", "TMP/here/pipe is not a regular file"),
        ("here/dangling", "there is no such file"),
        ("here/good.txt", ""),
        ("here/*", ""),
    ],
    ids=lambda value: value or "nothing",
)
def test_why_nothing_is_found_is_said(tmp_path, pattern, reason):
    here = tmp_path / "here"
    if pattern != "here/*.log":
        here.mkdir()
        if pattern.startswith("here/a.log"):
            (here / "a.log").touch()
        (here / "packed.log.gz").touch()
        (here / "good.txt").touch()
        (here / "dangling").symlink_to(here / "nowhere")
        os.mkfifo(here / "pipe")
    else:
        here.mkdir()
    assert say(tmp_path, pattern) == reason
