"""Reading git's patches: every kind of change, and names that git has to quote."""

import pytest

from ai_ops.core.diff import FileDiff, parse
from ai_ops.errors import PermanentError
from tests.support.patches import Link, Program, diff


def one(folder, before, after) -> FileDiff:
    (found,) = parse(diff(folder, before, after))
    return found


def test_lines_are_numbered_in_the_file_they_belong_to(tmp_path):
    found = one(tmp_path, {"a.py": "1\n2\n3\n4\n"}, {"a.py": "1\nx\ny\n4\n"})
    assert found.added_lines == ((2, "x"), (3, "y"))
    assert found.removed_lines == ((2, "2"), (3, "3"))
    assert (found.path, found.is_new, found.is_deleted) == ("a.py", False, False)
    assert (found.mode, found.old_mode) == (0o100644, 0o100644)


def test_new_and_deleted_files_are_told_even_when_they_are_empty(tmp_path):
    found = {
        each.path: each
        for each in parse(diff(tmp_path, {"old": "", "gone": "x\n"}, {"new": "", "full": "y"}))
    }
    assert {path for path, each in found.items() if each.is_new} == {"new", "full"}
    assert {path for path, each in found.items() if each.is_deleted} == {"old", "gone"}
    assert found["full"].added_lines == ((1, "y"),)
    assert found["gone"].removed_lines == ((1, "x"),)


@pytest.mark.parametrize(
    "name",
    [
        "sp ace.py",
        "b b",
        'q"uote.py',
        "back\\slash.py",
        "tab\there",
        "line\nfeed",
        "é ü.py",
        "日本.txt",
        " lead",
    ],
    ids=ascii,
)
@pytest.mark.parametrize(
    "after", ["x\ny\n", b"\0bin", "", None], ids=["text", "binary", "emptied", "deleted"]
)
def test_names_that_git_quotes_are_read_back(tmp_path, name, after):
    found = one(tmp_path, {name: "x\n"}, {} if after is None else {name: after})
    assert found.path == name
    assert found.is_binary == (after == b"\0bin")


def test_modes_and_links_are_told(tmp_path):
    before = {"run.sh": "x\n", "was": "x\n", "went": Link("was")}
    after = {"run.sh": Program("x\n"), "was": Link("/etc/passwd"), "new": Link(".."), "tool": Program("y\n")}
    found = parse(diff(tmp_path, before, after))
    assert {each.path for each in found if each.is_symlink} == {"was", "new", "went"}
    assert {each.path for each in found if each.mode_changed} == {"run.sh"}
    assert next(each for each in found if each.path == "tool").mode == 0o100755


def test_text_that_looks_like_a_patch_is_text(tmp_path):
    content = "-- a/x\n++ b/x\ndiff --git a/x b/x\n@@ -1 +1 @@\n\\ No newline at end of file\n\x0c\r\n"
    found = one(tmp_path, {"a.txt": "diff --git a/evil b/evil\n--- a/evil\n"}, {"a.txt": content})
    assert [text for _, text in found.added_lines] == content.split("\n")[:-1]


def test_an_empty_patch_has_no_files():
    assert parse("") == parse("\n") == ()


def test_a_name_that_could_end_in_two_places_is_refused_rather_than_guessed(tmp_path):
    with pytest.raises(PermanentError):
        parse(diff(tmp_path, {"a b/b a": "x\n"}, {"a b/b a": "y\n"}))


@pytest.mark.parametrize(
    "text",
    [
        "hello\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x b/y\nold mode 100644\nnew mode 100755\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1 @@\n-a\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/other\n@@ -1 +1 @@\n-a\n+b\n",
    ],
    ids=["prose", "no git header", "two names", "a short hunk", "another target"],
)
def test_what_git_did_not_write_is_refused(text):
    with pytest.raises(PermanentError) as caught:
        parse(text)
    assert caught.value.code == "bad_patch"
