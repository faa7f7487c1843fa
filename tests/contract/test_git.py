"""The Git port over real repositories: by file, and by http with a token."""

import asyncio
import contextlib
import os
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from ai_ops.core.pr_text import folded, unfolded
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.credentials import Credential, token_credential
from ai_ops.vcs.git import GitClient
from tests.support.git_server import GitServer, create_repository, git, push_files

TOKEN = "ghp_planted0123456789planted0123456789"
FILES = {"app.py": "x = 1\n", "lib/calc.py": "def half(n):\n    return n / 2\n", "README.md": "# Shop\n"}


@dataclass
class Setting:
    """One bare repository and a client that reaches it."""

    client: GitClient
    repository: Repository
    bare: Path
    folder: Path
    server: GitServer | None = None

    def remote(self, *arguments: str) -> str:
        return git(*arguments, cwd=self.bare)

    async def change(self, files, branch="ai-ops/fix-1", message="Fix the thing\n\nAI-Ops-Run: 1"):
        """Commit a change of ours on the default branch and return (base, sha)."""
        base = await self.client.refresh(self.repository)
        checkout = self.folder / f"change-{len(list(self.folder.iterdir()))}"
        await self.client.export(self.repository, base.sha, checkout)
        for name, text in files.items():
            (checkout / name).write_text(text)
        patch = await self.client.diff(checkout)
        return base, await self.client.commit(self.repository, base.sha, patch, message)


@contextlib.asynccontextmanager
async def by_http(folder: Path, files=FILES, token=TOKEN, timeout=60.0):
    server = GitServer(folder / "remote", TOKEN)
    bare = create_repository(server.root, "acme/shop", files)
    async with server.running():
        host = server.url.removeprefix("http://")
        repository = Repository(f"{host}/acme/shop", f"{server.url}/acme/shop.git", "github")
        client = GitClient(
            folder / "mirrors",
            lambda _: token_credential("github", token),
            http_hosts=[host],
            timeout_seconds=timeout,
        )
        yield Setting(client, repository, bare, folder, server)


@contextlib.asynccontextmanager
async def by_file(folder: Path, files=FILES):
    bare = create_repository(folder / "remote", "acme/shop", files)
    repository = Repository("local/acme/shop", f"file://{bare}", "local")
    yield Setting(GitClient(folder / "mirrors", lambda _: None, allow_file=True), repository, bare, folder)


@pytest.fixture(params=[by_file, by_http], ids=["file", "http"])
async def at(request, tmp_path):
    async with request.param(tmp_path) as setting:
        yield setting


@pytest.fixture
async def http(tmp_path):
    async with by_http(tmp_path) as setting:
        yield setting


@pytest.fixture
async def local(tmp_path):
    async with by_file(tmp_path) as setting:
        yield setting


async def refused(awaitable) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await awaitable
    return caught.value


# --- mirrors ---------------------------------------------------------------------------------------


async def test_refresh_finds_the_default_branch_and_follows_it(at):
    base = await at.client.refresh(at.repository)
    assert (base.branch, base.sha) == ("main", at.remote("rev-parse", "main"))
    moved = push_files(at.bare, {"app.py": "x = 2\n"})
    assert (await at.client.refresh(at.repository)).sha == moved
    assert await at.client.read_file(at.repository, moved, "app.py") == b"x = 2\n"


async def test_the_default_branch_need_not_be_called_main(tmp_path):
    bare = create_repository(tmp_path / "remote", "old", FILES, branch="trunk")
    client = GitClient(tmp_path / "mirrors", lambda _: None, allow_file=True)
    base = await client.refresh(Repository("local/old", str(bare), "local"))
    assert base.branch == "trunk"


async def test_refresh_of_a_named_branch_and_of_one_that_is_not_there(at):
    sha = push_files(at.bare, {"app.py": "x = 9\n"}, "release/1")
    assert (await at.client.refresh(at.repository, "release/1")).sha == sha
    assert (await refused(at.client.refresh(at.repository, "release/2"))).code == "git_not_found"


async def test_a_deleted_branch_leaves_the_mirror_and_may_come_back_as_a_folder(at):
    push_files(at.bare, {"app.py": "x = 9\n"}, "topic")
    await at.client.refresh(at.repository, "topic")
    at.remote("branch", "-D", "topic")
    sha = push_files(at.bare, {"app.py": "x = 10\n"}, "topic/one")
    assert (await at.client.refresh(at.repository, "topic/one")).sha == sha


async def test_an_empty_repository_is_named(tmp_path):
    async with by_http(tmp_path, files=None) as at:
        failure = await refused(at.client.refresh(at.repository))
        assert failure.code == "git_empty_repository"
        assert failure.next_step


def damage_head(mirror: Path):
    (mirror / "HEAD").write_text("nonsense\n")


def damage_packs(mirror: Path):
    for path in [*mirror.rglob("*.pack"), *mirror.glob("objects/??/*")]:
        path.chmod(0o600)
        path.write_bytes(b"\0" * path.stat().st_size)


def remove_objects(mirror: Path):
    shutil.rmtree(mirror / "objects")


def remove_all(mirror: Path):
    shutil.rmtree(mirror)


@pytest.mark.parametrize("damage", [damage_head, damage_packs, remove_objects, remove_all])
async def test_a_damaged_mirror_is_cloned_anew(at, damage):
    base = await at.client.refresh(at.repository)
    [mirror] = (at.folder / "mirrors").glob("*.git")
    damage(mirror)
    assert await at.client.refresh(at.repository) == base
    damage(mirror)
    await at.client.export(at.repository, base.sha, at.folder / "x")
    assert (at.folder / "x" / "app.py").read_text() == "x = 1\n"
    damage(mirror)
    assert await at.client.read_file(at.repository, base.sha, "app.py") == b"x = 1\n"


async def test_locks_of_a_killed_git_do_not_stop_the_next_process(local):
    await local.client.refresh(local.repository)
    [mirror] = (local.folder / "mirrors").glob("*.git")
    for name in ("packed-refs.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_1", "not-cloned-anew"):
        (mirror / name).write_text("")
    sha = push_files(local.bare, {"app.py": "x = 2\n"})
    again = GitClient(local.folder / "mirrors", lambda _: None, allow_file=True)
    assert (await again.refresh(local.repository)).sha == sha
    assert (mirror / "not-cloned-anew").exists()
    (mirror / "refs/heads/main.lock").write_text("")  # and one that was killed in this process
    await refused(again.refresh(local.repository, "none"))
    sha = push_files(local.bare, {"app.py": "x = 3\n"})
    assert (await again.refresh(local.repository)).sha == sha
    assert (mirror / "not-cloned-anew").exists()


async def test_a_commit_that_is_nowhere_is_named(at):
    await at.client.refresh(at.repository)
    failure = await refused(at.client.export(at.repository, "1" * 40, at.folder / "x"))
    assert failure.code == "git_commit_missing"
    assert (await refused(at.client.push(at.repository, "1" * 40, "ai-ops/x"))).code == "git_commit_missing"


async def test_many_at_once_on_one_mirror(at):
    bases = await asyncio.gather(*(at.client.refresh(at.repository) for _ in range(8)))
    assert len(set(bases)) == 1
    targets = [at.folder / f"x{n}" for n in range(4)]
    await asyncio.gather(*(at.client.export(at.repository, bases[0].sha, t) for t in targets))
    assert all((t / "app.py").exists() for t in targets)


# --- reading ---------------------------------------------------------------------------------------


async def test_reads_files_and_lists_them_at_a_commit(at):
    (at.folder / "elsewhere").write_text("secret")
    work = at.folder / "work"
    git("clone", "--quiet", str(at.bare), str(work), cwd=at.folder)
    (work / "link").symlink_to(at.folder / "elsewhere")
    (work / "文件.txt").write_text("你好\n")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "more", cwd=work)
    git("push", "-q", "origin", "HEAD", cwd=work)
    sha = (await at.client.refresh(at.repository)).sha
    assert list(await at.client.list_files(at.repository, sha)) == [
        "README.md",
        "app.py",
        "lib/calc.py",
        "link",
        "文件.txt",
    ]
    read = at.client.read_file
    assert await read(at.repository, sha, "文件.txt") == "你好\n".encode()
    for nothing in ("none.py", "lib", "lib/none/deep.py", "../app.py", "", "link", "app.py/x", "/"):
        assert await read(at.repository, sha, nothing) is None, nothing


# --- checkouts -------------------------------------------------------------------------------------


async def test_an_exported_checkout_stands_alone(at):
    push_files(at.bare, {"app.py": "x = 2\n"})
    base = await at.client.refresh(at.repository)
    checkout = at.folder / "x"
    await at.client.export(at.repository, base.sha, checkout)
    shutil.rmtree(at.folder / "mirrors")
    assert git("rev-parse", "HEAD", cwd=checkout) == base.sha
    assert git("rev-list", "--count", "HEAD", cwd=checkout) == "1"
    assert git("status", "--porcelain", cwd=checkout) == ""
    assert git("remote", cwd=checkout) == ""
    git("fsck", "--strict", cwd=checkout)
    assert not any(at.repository.url in p.read_text("latin-1") for p in checkout.rglob("*") if p.is_file())


async def test_export_does_not_mix_with_what_is_there(at):
    base = await at.client.refresh(at.repository)
    (at.folder / "x").mkdir()
    (at.folder / "x" / "old").write_text("")
    failure = await refused(at.client.export(at.repository, base.sha, at.folder / "x"))
    assert failure.code == "target_not_empty"


def rewrite(checkout: Path):
    (checkout / "app.py").write_text("x = 2\n")


def windows_lines(checkout: Path):
    (checkout / "app.py").write_bytes(b"x = 1\r\ny = 2\r\n")


def no_last_newline(checkout: Path):
    (checkout / "app.py").write_bytes(b"x = 3")


def trailing_space(checkout: Path):
    (checkout / "app.py").write_bytes(b"x = 3  \t\n\n\n")


def new_and_gone(checkout: Path):
    (checkout / "new").mkdir()
    (checkout / "new" / "a.py").write_text("a\n")
    (checkout / "README.md").unlink()


def renamed(checkout: Path):
    (checkout / "lib" / "calc.py").rename(checkout / "calc.py")


def executable(checkout: Path):
    (checkout / "app.py").chmod(0o755)


def binary(checkout: Path):
    (checkout / "logo.png").write_bytes(bytes(range(256)) * 10)


def latin_1(checkout: Path):
    (checkout / "café.txt").write_bytes("café\n".encode("latin-1"))
    (checkout / "app.py").write_text("x = 'é'\n")


def undecodable_name(checkout: Path):
    (Path(os.fsdecode(os.fsencode(checkout) + b'/caf\xe9 "*?[x]\\.txt'))).write_bytes(b"\xff\n")


def names_that_quote(checkout: Path):
    (checkout / 'a "b" \t c.py').write_text("a\n")
    (checkout / "-n --output=x.py").write_text("a\n")
    (checkout / "diff --git a b").write_text("diff --git a/x b/x\n")


def a_link(checkout: Path):
    (checkout / "link").symlink_to("/etc/passwd")
    (checkout / "app.py").unlink()
    (checkout / "app.py").symlink_to("../../outside")


def file_becomes_folder(checkout: Path):
    (checkout / "app.py").unlink()
    (checkout / "app.py").mkdir()
    (checkout / "app.py" / "x.py").write_text("x\n")


def folder_becomes_file(checkout: Path):
    shutil.rmtree(checkout / "lib")
    (checkout / "lib").write_text("lib\n")


def folder_becomes_link(checkout: Path):
    (checkout / "lib").rename(checkout.parent / f"{checkout.name}-outside")
    (checkout / "lib").symlink_to(f"../{checkout.name}-outside")


def emptied(checkout: Path):
    (checkout / "app.py").write_text("")
    (checkout / "empty.py").write_text("")


CHANGES = [
    rewrite,
    windows_lines,
    no_last_newline,
    trailing_space,
    new_and_gone,
    renamed,
    executable,
    binary,
    latin_1,
    undecodable_name,
    names_that_quote,
    a_link,
    file_becomes_folder,
    folder_becomes_file,
    folder_becomes_link,
    emptied,
]


def content(folder: Path):
    """Return {path: (type, executable, bytes)} of everything but .git."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] == ".git" or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            found[str(name)] = ("link", str(path.readlink()))
        else:
            found[str(name)] = ("file", bool(path.stat().st_mode & stat.S_IXUSR), path.read_bytes())
    return found


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_travels_as_a_patch_into_checkouts_and_commits_unaltered(local, change):
    base = await local.client.refresh(local.repository)
    one, two, three = (local.folder / name for name in ("one", "two", "three"))
    for folder in (one, two):
        await local.client.export(local.repository, base.sha, folder)
    change(one)
    patch = await local.client.diff(one)
    patch.encode("utf-8")
    assert patch.startswith("diff --git ")
    await local.client.apply(two, patch)
    assert content(two) == content(one)
    assert await local.client.diff(two) == patch
    sha = await local.client.commit(local.repository, base.sha, patch, "A change")
    await local.client.export(local.repository, sha, three)
    assert content(three) == content(one)


async def test_diff_of_an_untouched_checkout_is_empty_and_applies(at):
    base = await at.client.refresh(at.repository)
    await at.client.export(at.repository, base.sha, at.folder / "x")
    assert await at.client.diff(at.folder / "x") == ""
    await at.client.apply(at.folder / "x", "")


async def test_what_tests_leave_behind_and_ignored_files_stay_out_of_a_diff(local):
    push_files(local.bare, {".gitignore": "*.log\nbuild/\n", "kept.log": "tracked\n"})
    base = await local.client.refresh(local.repository)
    checkout = local.folder / "x"
    await local.client.export(local.repository, base.sha, checkout)
    for name in ("__pycache__/a.pyc", ".pytest_cache/v", "node_modules/m/i.js", "a.log", "build/o", "m.pyc"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("left\n")
    (checkout / "kept.log").write_text("changed\n")
    patch = await local.client.diff(checkout)
    assert patch.count("diff --git") == 1 and "kept.log" in patch


async def test_diff_counts_from_the_base_even_after_commits_in_the_checkout(local):
    base = await local.client.refresh(local.repository)
    checkout = local.folder / "x"
    await local.client.export(local.repository, base.sha, checkout)
    (checkout / "app.py").write_text("x = 2\n")
    git("commit", "-qam", "inside", cwd=checkout)
    (checkout / "new.py").write_text("y\n")
    patch = await local.client.diff(checkout)
    assert "+x = 2" in patch and "+y" in patch


async def test_a_flood_of_files_is_refused_instead_of_read(local):
    base = await local.client.refresh(local.repository)
    checkout = local.folder / "x"
    await local.client.export(local.repository, base.sha, checkout)
    with (checkout / "core").open("wb") as file:
        file.truncate(50_000_000_000)
    assert (await refused(local.client.diff(checkout))).code == "diff_too_large"


async def test_a_patch_for_another_base_is_refused_whole(local):
    base = await local.client.refresh(local.repository)
    one, two = local.folder / "one", local.folder / "two"
    await local.client.export(local.repository, base.sha, one)
    await local.client.export(local.repository, base.sha, two)
    (one / "app.py").write_text("x = 2\n")
    (one / "README.md").write_text("# Other\n")
    patch = await local.client.diff(one)
    (two / "app.py").write_text("x = 7\n")
    assert (await refused(local.client.apply(two, patch))).code == "patch_does_not_apply"
    assert (two / "README.md").read_text() == "# Shop\n"
    moved = push_files(local.bare, {"app.py": "x = 7\n"})
    await local.client.refresh(local.repository)
    failure = await refused(local.client.commit(local.repository, moved, patch, "m"))
    assert failure.code == "patch_does_not_apply"


@pytest.mark.parametrize(
    "path",
    ["../out", "a/../../out", ".git/config", ".GIT/config", "sub/.git/hooks/x", "git~1/config", "/abs"],
)
async def test_a_patch_cannot_name_paths_outside_or_inside_git(local, path):
    base = await local.client.refresh(local.repository)
    checkout = local.folder / "in" / "x"
    await local.client.export(local.repository, base.sha, checkout)
    patch = (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+pwned\n"
    )
    before = content(local.folder)
    assert (await refused(local.client.apply(checkout, patch))).code == "patch_does_not_apply"
    commit = local.client.commit(local.repository, base.sha, patch, "m")
    assert (await refused(commit)).code == "patch_does_not_apply"
    assert content(local.folder) == before


async def test_a_patch_does_not_write_through_a_link(local):
    base = await local.client.refresh(local.repository)
    checkout = local.folder / "in" / "x"
    await local.client.export(local.repository, base.sha, checkout)
    patch = (
        "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+..\n"
        "\\ No newline at end of file\n"
        "diff --git a/l/out b/l/out\nnew file mode 100644\n--- /dev/null\n+++ b/l/out\n"
        "@@ -0,0 +1 @@\n+pwned\n"
    )
    assert (await refused(local.client.apply(checkout, patch))).code == "patch_does_not_apply"
    assert not (local.folder / "in" / "out").exists()


# --- commits and pushes ----------------------------------------------------------------------------


async def test_the_same_change_is_the_same_commit_everywhere(tmp_path):
    shas = []
    for way in (by_file, by_http):
        (tmp_path / way.__name__).mkdir()
        async with way(tmp_path / way.__name__) as at:
            base, sha = await at.change({"app.py": "x = 2\n"})
            shas.append(sha)
            await at.client.push(at.repository, sha, "ai-ops/fix-1")
            shown = at.remote("log", "-1", "--format=%an <%ae> %cn %ct %s", "ai-ops/fix-1")
            base_time = int(at.remote("log", "-1", "--format=%ct", base.sha))
            name = "AI-Ops <ai-ops@users.noreply.invalid> AI-Ops"
            assert shown == f"{name} {base_time + 1} Fix the thing"
    assert shas[0] == shas[1]


@pytest.mark.parametrize("patch", ["", "\n"])
async def test_a_commit_of_nothing_is_refused(at, patch):
    base = await at.client.refresh(at.repository)
    commit = at.client.commit(at.repository, base.sha, patch, "m")
    assert (await refused(commit)).code == "nothing_to_commit"


async def test_push_says_whether_it_was_there_already(at):
    _, sha = await at.change({"app.py": "x = 2\n"})
    assert await at.client.remote_branch(at.repository, "ai-ops/fix-1") is None
    assert await at.client.push(at.repository, sha, "ai-ops/fix-1") is False
    assert await at.client.push(at.repository, sha, "ai-ops/fix-1") is True
    assert await at.client.remote_branch(at.repository, "ai-ops/fix-1") == sha


async def test_a_revision_on_top_of_the_branch_may_follow(at):
    _, first = await at.change({"app.py": "x = 2\n"})
    await at.client.push(at.repository, first, "ai-ops/fix-1")
    await at.client.export(at.repository, first, at.folder / "second")
    (at.folder / "second" / "app.py").write_text("x = 3\n")
    second = await at.client.commit(
        at.repository, first, await at.client.diff(at.folder / "second"), "Revise"
    )
    assert await at.client.push(at.repository, second, "ai-ops/fix-1") is False
    assert at.remote("rev-list", "--count", "main..ai-ops/fix-1") == "2"


async def test_a_foreign_commit_is_never_overwritten(at):
    _, first = await at.change({"app.py": "x = 2\n"})
    await at.client.push(at.repository, first, "ai-ops/fix-1")
    human = push_files(at.bare, {"app.py": "x = 'human'\n"}, "ai-ops/fix-1")
    _, other = await at.change({"app.py": "x = 4\n"})
    for sha in (first, other):
        assert (await refused(at.client.push(at.repository, sha, "ai-ops/fix-1"))).code == "branch_taken"
    assert at.remote("rev-parse", "ai-ops/fix-1") == human


async def test_what_an_earlier_run_of_ours_left_is_replaced(at):
    _, first = await at.change({"app.py": "x = 2\n"})
    await at.client.push(at.repository, first, "ai-ops/fix-1")
    _, second = await at.change({"app.py": "x = 4\n"})
    assert await at.client.push(at.repository, second, "ai-ops/fix-1") is False
    assert at.remote("rev-parse", "ai-ops/fix-1") == second


async def test_onto_a_head_nothing_else_is_replaced_not_even_our_own(at):
    """Two revisions of one commit: the second is refused, or the first would be lost."""
    base, first = await at.change({"app.py": "x = 2\n"})
    repository, branch = at.repository, "ai-ops/fix-1"
    await at.client.push(repository, first, branch)
    change = await at.client.changes(repository, base.sha, first)
    two, three = [
        await at.client.commit(
            repository, base.sha, change.replace("x = 2", f"x = {n}"), "Revise", parents=(first,)
        )
        for n in (3, 4)
    ]
    assert await at.client.push(repository, two, branch, onto=first) is False
    assert await at.client.push(repository, two, branch, onto=first) is True
    for name in (branch, "ai-ops/gone"):
        assert (await refused(at.client.push(repository, three, name, onto=first))).code == "branch_taken"
    assert at.remote("rev-list", "main..ai-ops/fix-1").split() == [two, first]


async def test_what_a_commit_has_over_another_is_the_patch_that_made_it(local):
    base = await local.client.refresh(local.repository)
    await local.client.export(local.repository, base.sha, local.folder / "work")
    (local.folder / "work" / "app.py").write_bytes(b"x = '\xe9'\r\n")
    (local.folder / "work" / "n\u00e9w.bin").write_bytes(bytes(range(256)))
    patch = await local.client.diff(local.folder / "work")
    sha = await local.client.commit(local.repository, base.sha, patch, "Odd")
    assert await local.client.changes(local.repository, base.sha, sha) == patch
    assert await local.client.changes(local.repository, sha, sha) == ""


async def test_a_race_with_another_pusher_is_lost_politely(http):
    """The other one pushes after we have looked and before we push."""
    _, sha = await http.change({"app.py": "x = 2\n"})
    serve, seen = http.server._backend, []

    async def overtaken(request, user, faults):
        if "receive-pack" in request.path_qs and not seen:
            seen.append(push_files(http.bare, {"app.py": "x = 'human'\n"}, "ai-ops/fix-1"))
        return await serve(request, user, faults)

    http.server._backend = overtaken
    failure = await refused(http.client.push(http.repository, sha, "ai-ops/fix-1"))
    assert failure.code == "branch_taken"
    assert http.remote("rev-parse", "ai-ops/fix-1") == seen[0]


async def test_a_push_whose_answer_is_lost_is_found_to_be_in(http):
    _, sha = await http.change({"app.py": "x = 2\n"})
    http.server.faults.drop_after_apply = True
    http.server.faults.only = "git-receive-pack"
    assert await http.client.push(http.repository, sha, "ai-ops/fix-1") is False
    assert http.remote("rev-parse", "ai-ops/fix-1") == sha


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("error: GH006: Protected branch update failed for refs/heads/x.", "push_protected_branch"),
        ("GitLab: You are not allowed to push code to protected branches", "push_protected_branch"),
        (
            "error: GH013: Repository rule violations found for refs/heads/x.\n- GITHUB PUSH PROTECTION\n"
            "  Push cannot contain secrets",
            "push_secret_detected",
        ),
        (
            "error: GH013: Repository rule violations found.\n- Changes must be made through a pull request.",
            "push_protected_branch",
        ),
        ("no commits on Fridays", "push_refused"),
        (
            "refusing to allow a Personal Access Token to create or update workflow "
            "`.github/workflows/x.yml` without `workflow` scope",
            "push_refused",
        ),
    ],
    ids=["GH006", "gitlab-protected", "GH013-secret", "GH013-rule", "hook", "workflow"],
)
async def test_a_refusal_of_the_remote_has_a_name_and_a_next_step(http, words, code):
    _, sha = await http.change({"app.py": "x = 2\n"})
    http.server.reject_pushes("acme/shop", words)
    failure = await refused(http.client.push(http.repository, sha, "ai-ops/fix-1"))
    assert (type(failure), failure.code) == (PermanentError, code)
    assert failure.next_step
    assert http.remote("branch", "--list", "ai-ops/*") == ""


# --- failures of the network -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "family", "code"),
    [
        (403, PermanentError, "git_auth_failed"),
        (404, PermanentError, "git_not_found"),
        (429, TemporaryError, "git_unreachable"),
        (500, TemporaryError, "git_unreachable"),
        (503, TemporaryError, "git_unreachable"),
    ],
)
async def test_an_http_status_has_a_name(http, status, family, code):
    _, sha = await http.change({"app.py": "x = 2\n"})
    http.server.faults.status = status
    for call in (
        http.client.refresh(http.repository),
        http.client.push(http.repository, sha, "ai-ops/x"),
        http.client.remote_branch(http.repository, "main"),
    ):
        failure = await refused(call)
        assert (type(failure), failure.code) == (family, code)
        assert failure.next_step


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_missing_or_wrong_token_is_named(tmp_path, token):
    async with by_http(tmp_path, token=token) as at:
        assert (await refused(at.client.refresh(at.repository))).code == "git_auth_failed"


async def test_a_missing_repository_is_named(at):
    gone = Repository("x/none", at.repository.url.replace("shop", "none"), at.repository.code_host)
    assert (await refused(at.client.refresh(gone))).code == "git_not_found"


async def test_nobody_listening_is_temporary(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    client = GitClient(tmp_path / "m", lambda _: None, http_hosts=[host])
    failure = await refused(client.refresh(Repository("x/y", f"http://{host}/x/y.git", "github")))
    assert (type(failure), failure.code) == (TemporaryError, "git_unreachable")


async def test_a_fetch_dropped_midway_is_temporary_and_mends(http):
    http.server.faults.drop_midway = True
    failure = await refused(http.client.refresh(http.repository))
    assert (type(failure), failure.code) == (TemporaryError, "git_unreachable")
    http.server.faults.drop_midway = False
    assert (await http.client.refresh(http.repository)).branch == "main"


async def test_a_remote_that_hangs_times_out(tmp_path):
    async with by_http(tmp_path, timeout=0.6) as at:
        at.server.faults.bytes_per_second = 1
        failure = await refused(at.client.refresh(at.repository))
        assert (type(failure), failure.code) == (TemporaryError, "git_timeout")


# --- merging, for the local host -------------------------------------------------------------------


async def test_a_branch_is_merged_once(at):
    _, sha = await at.change({"lib/calc.py": "def half(n):\n    return n // 2\n"})
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    other = push_files(at.bare, {"app.py": "x = 5\n"})
    merged = await at.client.merge(at.repository, "ai-ops/fix-1", "main", "Merge the fix", head=sha)
    assert at.remote("log", "-1", "--format=%P %s", "main") == f"{other} {sha} Merge the fix"
    later = push_files(at.bare, {"app.py": "x = 6\n"})
    assert await at.client.merge(at.repository, "ai-ops/fix-1", "main", "Merge the fix", head=sha) == merged
    assert at.remote("rev-parse", "main") == later


async def test_what_was_pushed_after_the_review_is_not_merged(at):
    _, sha = await at.change({"app.py": "x = 2\n"})
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    main = at.remote("rev-parse", "main")
    push_files(at.bare, {"evil.py": "x = 3\n"}, "ai-ops/fix-1")
    failure = await refused(at.client.merge(at.repository, "ai-ops/fix-1", "main", "m", head=sha))
    assert failure.code == "branch_moved"
    assert at.remote("rev-parse", "main") == main


async def test_a_conflict_is_named_with_its_file(at):
    _, sha = await at.change({"app.py": "x = 2\n"})
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    human = push_files(at.bare, {"app.py": "x = 3\n"})
    failure = await refused(at.client.merge(at.repository, "ai-ops/fix-1", "main", "m", head=sha))
    assert failure.code == "merge_conflict" and "app.py" in failure.message
    assert at.remote("rev-parse", "main") == human


async def test_unrelated_histories_are_named(at):
    tree = at.remote("rev-parse", "main^{tree}")
    orphan = at.remote("commit-tree", tree, "-m", "other root")
    at.remote("update-ref", "refs/heads/orphan", orphan)
    failure = await refused(at.client.merge(at.repository, "orphan", "main", "m", head=orphan))
    assert failure.code == "unrelated_history" and failure.next_step


async def test_the_credential_of_a_host_shows_no_token_in_words():
    assert TOKEN not in repr(Credential("x-access-token", TOKEN))


# --- a newer base ----------------------------------------------------------------------------------


async def branched(at):
    """Push a change of ours to a branch and return it."""
    _, head = await at.change({"app.py": "x = 2\n"})
    await at.client.push(at.repository, head, "ai-ops/fix-1")
    return head


async def test_a_branch_brought_together_with_a_newer_base_is_a_patch_on_that_base(at):
    head = await branched(at)
    newer = push_files(at.bare, {"README.md": "# The shop\n"})
    patch = await at.client.merged(at.repository, head, newer)
    assert "+x = 2" in patch and "README" not in patch
    merge = await at.client.commit(at.repository, newer, patch, "Merge", parents=(head, newer))
    await at.client.push(at.repository, merge, "ai-ops/fix-1", onto=head)
    assert at.remote("log", "-1", "--format=%P", "ai-ops/fix-1").split() == [head, newer]
    assert at.remote("show", "ai-ops/fix-1:README.md") == "# The shop"


async def test_a_branch_whose_change_is_in_the_newer_base_leaves_no_patch(at):
    head = await branched(at)
    newer = push_files(at.bare, {"app.py": "x = 2\n"})
    assert await at.client.merged(at.repository, head, newer) == ""


async def test_a_branch_that_conflicts_with_a_newer_base_is_named(at):
    head = await branched(at)
    newer = push_files(at.bare, {"app.py": "x = 3\n"})
    failure = await refused(at.client.merged(at.repository, head, newer))
    assert failure.code == "merge_conflict" and "app.py" in failure.message
    assert await at.client.remote_branch(at.repository, "ai-ops/fix-1") == head


@pytest.mark.parametrize(
    ("kept", "changed", "merged"),
    [
        ("one\ntwo\nthree", "one\ntwo\nTHREE", "one\ntwo\nTHREE"),
        ("zero\r\none\r\ntwo\r\nthree\r\n", "one\ntwo\nTHREE", "zero\none\ntwo\nTHREE"),
        ("one\nTWO\nthree", "one\nzwei\nthree", "one\nTWO\nthree"),
        ("", "one\ntwo\nTHREE", ""),
        ("one\ntwo\nthree", "one\ntwo\nthree", "one\ntwo\nthree"),
        (
            "<<<<<<< \ud800\none\ntwo\nthree",
            "one\ntwo\nthree\nfo\x00ur",
            "<<<<<<< \ufffd\ufffd\ufffd\none\ntwo\nthree\nfour",
        ),
    ],
    ids=["untouched", "added above", "both", "taken away", "the same", "odd"],
)
async def test_two_later_states_of_a_text_are_brought_together(local, kept, changed, merged):
    assert await local.client.merge_texts("one\ntwo\nthree", kept, changed) == merged


@pytest.mark.parametrize(
    ("kept", "merged"),
    [
        (
            "### Evidence\r\n\r\nHere too.\r\n```\r\nlog\r\n```\r\n\r\nFoot",
            "### Evidence\n\nHere too.\n```\nlog\n```\n\nFoot",
        ),
        (
            "### Evidence\n\n```\nlog\n```\n\nFoot\n\nMine",
            "### Evidence\n\n````\nlog\n```\n![x](//evil)\n````\n\nFoot\n\nMine",
        ),
    ],
    ids=["a note at its fence", "a note elsewhere"],
)
async def test_a_merge_never_takes_a_quoted_log_out_of_its_fence(local, kept, merged):
    base = "### Evidence\n\n```\nlog\n```\n\nFoot"
    changed = "### Evidence\n\n````\nlog\n```\n![x](//evil)\n````\n\nFoot"
    assert unfolded(await local.client.merge_texts(*map(folded, (base, kept, changed)))) == merged
