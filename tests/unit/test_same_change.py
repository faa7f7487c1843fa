"""Two changes are the same when their hunks are, whatever tests come with them."""

import pytest

from ai_ops.core.same_change import change_of, same
from tests.support.git_server import git, write_files

BODY = "def {name}(items):\n    total = sum(items)\n    count = len(items)\n    return total / count\n\n\n"
BEFORE = "import os\n\n\n" + BODY.format(name="mean") + BODY.format(name="rate")
GUARDED = "    if not items:\n        return 0\n    return total / count\n"


def mended(which, text=BEFORE, fix=GUARDED):
    head, *parts = text.split("    return total / count\n")
    wanted = [fix if n == which else "    return total / count\n" for n in range(len(parts))]
    return head + "".join(made + part for made, part in zip(wanted, parts, strict=True))


@pytest.fixture
def patched(tmp_path):
    """Return what makes the patch from some files to others, as our git writes it."""

    def make(before, after):
        folder = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        git("init", "-q", cwd=folder)
        write_files(folder, before)
        git("add", "-A", cwd=folder)
        git("commit", "-q", "--allow-empty", "-m", "before", cwd=folder)
        write_files(folder, after)
        git("add", "-A", cwd=folder)
        patch = folder / ".git" / "patch"
        git("diff", "--cached", "--binary", "--full-index", "--no-renames", f"--output={patch}", cwd=folder)
        return patch.read_bytes().decode()

    return make


def alike(one, other, *, bases=("a", "a")):
    return same(change_of(one, bases[0], ("tests/one.py",)), change_of(other, bases[1], ("tests/other.py",)))


@pytest.mark.parametrize("bases", [("a", "a"), ("a", "b")], ids=["one base", "two bases"])
def test_the_same_lines_are_the_same_change_whatever_tests_come_with_them(patched, bases):
    before = {"app.py": BEFORE}
    one = patched(before, {"app.py": mended(0), "tests/one.py": "def test_one(): ...\n"})
    other = patched(before, {"app.py": mended(0), "tests/other.py": "def test_other(): ...\n"})
    assert alike(one, other, bases=bases)


def test_white_space_at_the_end_of_lines_is_no_difference(patched):
    one = patched({"app.py": BEFORE}, {"app.py": mended(0)})
    trailing = patched({"app.py": BEFORE}, {"app.py": mended(0, fix=GUARDED.replace(":\n", ":  \n"))})
    before, after = (text.replace("\n", "\r\n") for text in (BEFORE, mended(0)))
    windows = patched({"app.py": before}, {"app.py": after})
    assert alike(one, trailing) and alike(one, windows)


def test_the_same_lines_further_down_are_the_same_change_on_another_base_only(patched):
    one = patched({"app.py": BEFORE}, {"app.py": mended(0)})
    moved = "# a licence\n\n"
    other = patched({"app.py": moved + BEFORE}, {"app.py": moved + mended(0)})
    assert alike(one, other, bases=("a", "b"))
    assert not alike(one, other)


def test_the_same_lines_in_another_function_are_another_change(patched):
    one = patched({"app.py": BEFORE}, {"app.py": mended(0)})
    other = patched({"app.py": BEFORE}, {"app.py": mended(1)})
    assert not alike(one, other)
    assert not alike(one, other, bases=("a", "b"))


@pytest.mark.parametrize(
    "other",
    [
        {"app.py": mended(0, fix=GUARDED.replace("return 0", "return None"))},
        {"app.py": mended(0), "more.py": "x = 1\n"},
        {"other.py": mended(0)},
        {"app.py": None},
    ],
    ids=["another line", "a further file", "another file", "a file that goes"],
)
def test_another_change_is_another_one(patched, other):
    before = {"app.py": BEFORE, "other.py": BEFORE}
    assert not alike(patched(before, {"app.py": mended(0)}), patched(before, other))


def test_a_change_of_tests_alone_is_like_no_other(patched):
    one = patched({}, {"tests/one.py": "x = 1\n"})
    assert not same(change_of(one, "a", ("tests/one.py",)), change_of(one, "a", ("tests/one.py",)))


@pytest.mark.parametrize(
    ("before", "after"),
    [({"a.bin": b"\0\1"}, {"a.bin": b"\0\2"}), ({}, {"empty.py": ""})],
    ids=["binary", "empty"],
)
def test_what_is_more_than_lines_is_like_no_other(patched, before, after):
    patch = patched(before, after)
    assert not same(change_of(patch, "a"), change_of(patch, "a"))


def test_what_cannot_be_read_is_like_no_other():
    assert not same(change_of("no patch", "a"), change_of("no patch", "a"))
    assert not same(change_of("", "a"), change_of("", "a"))
