"""What the history of a real repository says of a line and of a release."""

from datetime import UTC, datetime

import pytest

from ai_ops.flow.repository import Repository
from ai_ops.vcs.git import GitClient
from tests.support.git_server import create_repository, git, push_files

CALC = "def half(n):\n    return n / 2\n\n\ndef third(n):\n    return n / 3\n"
WORSE = CALC.replace("n / 2", "n / 0")
INDENTED = WORSE.replace("    return n / 0", "        return n / 0")


class History:
    """A mirror of a repository with a few commits, by number."""

    def __init__(self, folder):
        self.bare = create_repository(folder / "remote", "acme/shop", {"calc.py": CALC, "a.txt": "1\n"})
        self.repository = Repository("local/acme/shop", f"file://{self.bare}", "local")
        self.client = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
        self.shas = [
            git("rev-parse", "main", cwd=self.bare),
            push_files(self.bare, {"a.txt": "2\n"}, message="Another file"),
            push_files(self.bare, {"calc.py": WORSE}, message="Halve faster"),
            push_files(self.bare, {"calc.py": INDENTED}, message="Indent"),
        ]

    async def blame(self, sha, path, *lines):
        found = await self.client.blame(self.repository, sha, path, lines)
        return {line: (self.shas.index(commit.sha), commit.subject) for line, commit in found.items()}

    async def between(self, before, after, *paths, limit=5):
        found = await self.client.between(self.repository, self.shas[before], self.shas[after], paths, limit)
        return found and (found[0], [commit.subject for commit in found[1]])


@pytest.fixture
async def past(tmp_path):
    history = History(tmp_path)
    await history.client.refresh(history.repository)
    return history


async def test_each_line_names_the_commit_that_touched_it_last_and_indenting_is_no_touch(past):
    assert await past.blame(past.shas[3], "calc.py", 2, 6) == {2: (2, "Halve faster"), 6: (0, "Work")}
    assert await past.blame(past.shas[1], "calc.py", 2) == {2: (0, "Work")}


async def test_a_commit_has_its_authors_name_and_time(past):
    commit = (await past.client.blame(past.repository, past.shas[3], "calc.py", [2]))[2]
    assert (commit.author, commit.at) == ("Ada", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert commit.places == ()


@pytest.mark.parametrize(
    ("path", "line"),
    [("calc.py", 99), ("gone.py", 1), (":(top)calc.py", 2), ("-L1,1", 1), ("", 1)],
    ids=["line", "file", "magic", "option", "empty"],
)
async def test_what_is_not_there_is_no_failure(past, path, line):
    assert await past.blame(past.shas[3], path, line) == {}


async def test_the_commits_of_a_release_are_those_that_touch_the_files_or_else_all(past):
    assert await past.between(0, 3, "calc.py") == (3, ["Indent", "Halve faster"])
    assert await past.between(0, 3, "calc.py", limit=1) == (3, ["Indent"])
    assert await past.between(0, 1, "calc.py") == (1, ["Another file"])
    assert await past.between(0, 3) == (3, ["Indent", "Halve faster", "Another file"])
    assert await past.between(0, 3, ":!calc.py") == (3, ["Indent", "Halve faster", "Another file"])
    assert await past.between(3, 3) == (0, [])


async def test_a_release_that_went_back_has_no_commits_of_its_own(past):
    assert await past.between(3, 0, "calc.py") is None


async def test_a_commit_is_found_by_its_id_or_the_beginning_of_it_alone(past):
    sha = past.shas[2]
    for name in (sha, sha[:12], sha[:7]):
        assert await past.client.find_commit(past.repository, name) == sha
    for name in ("", sha[:6], "main", "HEAD", "v1.2.3", "0" * 40, f"{sha}^", "-x", sha.upper(), f"{sha}\n"):
        assert await past.client.find_commit(past.repository, name) is None


async def test_a_branch_with_a_name_like_an_id_is_no_commit(past):
    push_files(past.bare, {"a.txt": "9\n"}, "decade0")
    await past.client.refresh(past.repository, "decade0")
    assert await past.client.find_commit(past.repository, "decade0") is None


async def test_odd_authors_and_subjects_come_as_they_were_written(past):
    work = past.bare.parent / "odd"
    git("clone", "--quiet", str(past.bare), str(work), cwd=past.bare.parent)
    (work / "odd.txt").write_text("x\n")
    git("add", "--all", cwd=work)
    author = "--author=author-time 0 </data> <a@b.c>"
    git("commit", "--quiet", author, "-m", "summary Fixes #1\n\nauthor nobody", cwd=work)
    git("push", "--quiet", "origin", "HEAD:main", cwd=work)
    base = await past.client.refresh(past.repository)
    commit = (await past.client.blame(past.repository, base.sha, "odd.txt", [1]))[1]
    assert (commit.subject, commit.at.year) == ("summary Fixes #1", 2026)
    assert commit.author == "author-time 0"
    found = await past.client.between(past.repository, past.shas[3], base.sha, ["odd.txt"], 5)
    assert found == (1, (commit,))


async def test_recent_commits_are_the_newest_that_touch_the_paths_without_merges(past):
    async def recent(at, limit, *paths):
        found = await past.client.recent(past.repository, past.shas[at], limit, paths)
        return [commit.subject for commit in found]

    assert await recent(3, 50) == ["Indent", "Halve faster", "Another file", "Work"]
    assert await recent(3, 1, "a.txt") == ["Another file"]
    assert await recent(0, 50, "calc.py") == ["Work"]
    assert await recent(3, 50, "gone.py") == await recent(3, 50, ":(top)calc.py") == []


async def test_recent_commits_are_the_same_when_the_mirror_was_lost(past, tmp_path):
    anew = GitClient(tmp_path / "other", lambda _: None, allow_file=True)
    found = await anew.recent(past.repository, past.shas[3], 2)
    assert [commit.subject for commit in found] == ["Indent", "Halve faster"]


async def test_an_address_is_as_git_has_it(past):
    assert await past.client.email_of(past.repository, past.shas[0]) == "ada@example.test"
    assert await past.client.email_of(past.repository, "0" * 40) == ""
