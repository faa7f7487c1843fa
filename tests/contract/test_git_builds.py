"""Which builds of a real repository hold a merged fix: merge, squash and rebase, commits and tags."""

import pytest

from ai_ops.errors import PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.git import GitClient
from tests.support.git_server import create_repository, git, push_files

BROKEN, MENDED = "def half(n):\n    return n / 0\n", "def half(n):\n    return n / 2\n"


class Remote:
    """A remote on which people merge, and a mirror of it."""

    def __init__(self, folder):
        self.bare = create_repository(folder / "remote", "acme/shop", {"calc.py": BROKEN, "a.txt": "1\n"})
        self.repository = Repository("local/acme/shop", f"file://{self.bare}", "local")
        self.client = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
        self.work = folder / "work"
        git("clone", "--quiet", str(self.bare), str(self.work), cwd=folder)
        self.base = git("rev-parse", "HEAD", cwd=self.work)

    def run(self, *arguments):
        return git(*arguments, cwd=self.work)

    def branch(self, name="fix"):
        """Push the fix, in two commits, on a branch of its own."""
        self.run("checkout", "--quiet", "-B", name, self.base)
        for file, text in (("calc.py", MENDED), ("test_calc.py", "assert True\n")):
            (self.work / file).write_text(text)
            self.run("add", "--all")
            self.run("commit", "--quiet", "-m", f"Fix {file}")
        self.run("push", "--quiet", "origin", name)
        return self.run("rev-parse", "HEAD")

    def merged(self, how):
        """Merge the branch as a host does; return the merge commit."""
        self.branch()
        self.run("checkout", "--quiet", "-B", "main", "origin/main")
        (self.work / "b.txt").write_text("others go on\n")
        self.run("add", "--all")
        self.run("commit", "--quiet", "-m", "Others")
        if how == "merge":
            self.run("merge", "--quiet", "--no-ff", "-m", "Merge", "fix")
        elif how == "squash":
            self.run("merge", "--quiet", "--squash", "fix")
            self.run("commit", "--quiet", "-m", "Fix (#1)")
        else:
            self.run("cherry-pick", f"{self.base}..fix")
        self.run("push", "--quiet", "origin", "main")
        return self.run("rev-parse", "HEAD")

    async def holds(self, release, sha):
        return await self.client.holds(self.repository, release, sha)


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path)


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_a_build_holds_the_fix_when_the_merge_commit_is_in_its_history(remote, how):
    merge = remote.merged(how)
    later = push_files(remote.bare, {"a.txt": "2\n"})
    assert await remote.holds(remote.base, merge) is False
    assert await remote.holds(merge, merge) is True
    assert await remote.holds(later, merge) is True
    assert await remote.holds(later[:7], merge) is True
    assert await remote.holds(remote.run("rev-parse", "fix"), merge) is False  # nobody deployed the merge


async def test_a_commit_that_was_pushed_after_the_last_look_is_known(remote):
    merge = remote.merged("squash")
    assert await remote.holds(merge, merge) is True
    remote.run("commit", "--quiet", "--allow-empty", "-m", "Later")
    remote.run("push", "--quiet", "origin", "HEAD:release/2")
    later = remote.run("rev-parse", "HEAD")
    assert await remote.holds(later, merge) is True


@pytest.mark.parametrize("annotated", [False, True], ids=["light", "annotated"])
async def test_a_tag_is_the_commit_that_it_stands_on(remote, annotated):
    words = ["-a", "-m", "words"] if annotated else []
    remote.run("tag", *words, "v1.4.1", remote.base)
    merge = remote.merged("merge")
    remote.run("tag", *words, "v1.4.2", merge)
    remote.run("push", "--quiet", "origin", "--tags")
    for release in ("v1.4.2", "1.4.2", "shop@1.4.2", "shop@v1.4.2"):
        assert await remote.holds(release, merge) is True, release
    for release in ("v1.4.1", "1.4.1"):
        assert await remote.holds(release, merge) is False, release


async def test_a_tag_whose_commit_is_on_no_branch_is_fetched_by_its_name(remote):
    merge = remote.merged("merge")
    remote.run("checkout", "--quiet", "--detach", merge)
    (remote.work / "c.txt").write_text("only here\n")
    remote.run("add", "--all")
    remote.run("commit", "--quiet", "-m", "Release")
    remote.run("tag", "2026-03")
    remote.run("push", "--quiet", "origin", "2026-03")
    assert await remote.holds("2026-03", merge) is True
    await remote.client.refresh(remote.repository)
    assert await remote.holds("2026-03", merge) is True


@pytest.mark.parametrize(
    "release",
    ["", "latest", "abc", "0" * 40, "deadbee", "main", "HEAD", "-x", "--help", "../../x", "a..b", "x.lock",
     "v1\n", "refs/heads/main", "*", "v1.4.2^{}", "@{-1}", "ü", "x" * 300],
)  # fmt: skip
async def test_of_what_names_no_build_nobody_can_tell(remote, release):
    assert await remote.holds(release, remote.merged("merge")) is None


async def test_of_a_merge_that_was_taken_off_the_branch_nobody_can_tell(remote):
    assert await remote.holds(remote.base, "0123456789" * 4) is None
    with pytest.raises(PermanentError, match="bad_commit_id"):
        await remote.holds(remote.base, "main")


@pytest.mark.parametrize(("how", "parents"), [("merge", 2), ("squash", 1)])
async def test_the_reversal_of_a_merge_gives_the_old_code_back_and_keeps_what_others_did(
    remote, how, parents, tmp_path
):
    merge = remote.merged(how)
    later = push_files(remote.bare, {"a.txt": "2\n"})
    number, patch = await remote.client.reversal(remote.repository, merge)
    assert number == parents
    back = await remote.client.commit(remote.repository, later, patch, "Revert")
    read = remote.client.read_file
    assert await read(remote.repository, back, "calc.py") == BROKEN.encode()
    assert await read(remote.repository, back, "test_calc.py") is None
    assert await read(remote.repository, back, "b.txt") == b"others go on\n"
    assert await read(remote.repository, back, "a.txt") == b"2\n"


async def test_a_first_commit_has_nothing_to_go_back_to(remote):
    assert await remote.client.reversal(remote.repository, remote.base) == (0, "")
