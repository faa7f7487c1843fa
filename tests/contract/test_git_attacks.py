"""Hostile repositories, checkouts, names and addresses have no effect; a token is seen nowhere."""

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.credentials import askpass_program, lent, token_credential
from ai_ops.vcs.environment import GitRunner, Place
from ai_ops.vcs.git import GitClient
from tests.contract.test_git import TOKEN, by_file, by_http, content, refused
from tests.support.git_server import GitServer, create_repository, git, push_files

HOOKS = ["pre-commit", "post-checkout", "post-merge", "pre-push", "post-index-change"]
HOOKS += ["reference-transaction", "fsmonitor-watchman", "applypatch-msg", "pre-auto-gc"]


@pytest.fixture
async def at(tmp_path):
    async with by_file(tmp_path) as setting:
        yield setting


@pytest.fixture
def canary(tmp_path):
    """A program that leaves a mark when anything runs it; ``sung`` says whether it did."""

    class Canary:
        mark = tmp_path / "sung"
        program = tmp_path / "canary.sh"

        @property
        def sung(self) -> bool:
            return self.mark.exists()

    bird = Canary()
    bird.program.write_text(f"#!/bin/sh\ntouch {bird.mark}\ncat 2>/dev/null\n")
    bird.program.chmod(0o755)
    return bird


def poison(git_dir: Path, program: Path) -> None:
    """Fill a repository's own settings with whatever makes git run something."""
    (git_dir / "hooks").mkdir(exist_ok=True)
    for hook in HOOKS:
        shutil.copy(program, git_dir / "hooks" / hook)
    (git_dir / "config").write_text(
        f"""[core]
        repositoryformatversion = 0
        fsmonitor = {program}
        hooksPath = {git_dir / "hooks"}
        sshCommand = {program}
        pager = {program}
        editor = {program}
        alternateRefsCommand = {program}
[diff]
        external = {program}
[diff "evil"]
        command = {program}
        textconv = {program}
[filter "evil"]
        clean = {program}
        smudge = {program}
        process = {program}
        required = true
[merge "evil"]
        driver = {program}
[credential]
        helper = {program}
[include]
        path = {git_dir / "more"}
"""
    )
    (git_dir / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")


async def exported(at, name="x") -> tuple[str, Path]:
    base = await at.client.refresh(at.repository)
    checkout = at.folder / name
    await at.client.export(at.repository, base.sha, checkout)
    return base.sha, checkout


# --- the checkout, after hostile code ran in it ----------------------------------------------------


async def test_settings_planted_in_a_checkout_run_nothing(at, canary):
    base, checkout = await exported(at)
    poison(checkout / ".git", canary.program)
    (checkout / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (checkout / "app.py").write_text("x = 2\n")
    patch = await at.client.diff(checkout)
    assert "+x = 2" in patch and not canary.sung
    _, other = await exported(at, "other")
    poison(other / ".git", canary.program)
    await at.client.apply(other, patch)
    sha = await at.client.commit(at.repository, base, patch, "m")
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    assert (other / "app.py").read_text() == "x = 2\n" and not canary.sung
    subprocess.run(["git", "diff"], cwd=checkout, capture_output=True)
    assert canary.sung, "the trap itself must work"


async def test_a_repository_inside_the_work_tree_runs_nothing_and_stays_out(at, canary):
    _, checkout = await exported(at)
    nested = checkout / "nested"
    nested.mkdir()
    git("init", "-q", ".", cwd=nested)
    (nested / "a").write_text("a")
    git("add", "a", cwd=nested)
    git("commit", "-qm", "a", cwd=nested)
    poison(nested / ".git", canary.program)
    (checkout / "app.py").write_text("x = 2\n")
    patch = await at.client.diff(checkout)
    assert "nested" not in patch and "+x = 2" in patch and not canary.sung


def git_file(checkout, elsewhere):
    shutil.rmtree(checkout / ".git")
    (checkout / ".git").write_text(f"gitdir: {elsewhere}\n")


def git_link(checkout, elsewhere):
    shutil.rmtree(checkout / ".git")
    (checkout / ".git").symlink_to(elsewhere)


def objects_link(checkout, elsewhere):
    shutil.rmtree(checkout / ".git" / "objects")
    (checkout / ".git" / "objects").symlink_to(elsewhere / "objects")


def pack_link(checkout, elsewhere):
    shutil.rmtree(checkout / ".git" / "objects" / "pack")
    (checkout / ".git" / "objects" / "pack").symlink_to(elsewhere / "objects" / "pack")


def alternates(checkout, elsewhere):
    (checkout / ".git" / "objects" / "info" / "alternates").write_text(f"{elsewhere / 'objects'}\n")


def dangling_alternates(checkout, elsewhere):
    (checkout / ".git" / "objects" / "info" / "alternates").symlink_to(elsewhere / "objects")


def fifo_object(checkout, elsewhere):
    os.mkfifo(checkout / ".git" / "objects" / "pack" / "pack-1.idx")


def fifo_base(checkout, elsewhere):
    (checkout / ".git" / "refs" / "ai-ops" / "base").unlink()
    os.mkfifo(checkout / ".git" / "refs" / "ai-ops" / "base")


def base_names_a_branch(checkout, elsewhere):
    (checkout / ".git" / "refs" / "ai-ops" / "base").write_text("--output=/tmp/x".ljust(40) + "\n")


def no_git(checkout, elsewhere):
    shutil.rmtree(checkout / ".git")


@pytest.mark.parametrize(
    "damage",
    [
        git_file,
        git_link,
        objects_link,
        pack_link,
        alternates,
        dangling_alternates,
        fifo_object,
        fifo_base,
        base_names_a_branch,
        no_git,
    ],
)
async def test_a_checkout_that_leads_elsewhere_is_refused(at, damage):
    _, checkout = await exported(at)
    damage(checkout, next((at.folder / "mirrors").glob("*.git")))
    failure = await refused(asyncio.wait_for(at.client.diff(checkout), 20))
    assert failure.code in ("checkout_damaged", "bad_commit_id")


async def test_pipes_and_sockets_in_a_work_tree_do_not_hang_a_diff(at):
    _, checkout = await exported(at)
    os.mkfifo(checkout / "pipe")
    (checkout / "app.py").unlink()
    os.mkfifo(checkout / "app.py")
    patch = await asyncio.wait_for(at.client.diff(checkout), 20)
    assert "deleted file mode" in patch and "pipe" not in patch


async def test_links_are_taken_as_links_and_never_followed(at):
    _, checkout = await exported(at)
    (at.folder / "private").mkdir()
    (at.folder / "private" / "key").write_text("PRIVATE")
    (checkout / "to-file").symlink_to(at.folder / "private" / "key")
    (checkout / "to-folder").symlink_to(at.folder / "private")
    patch = await at.client.diff(checkout)
    assert patch.count("new file mode 120000") == 2
    assert "PRIVATE" not in patch


# --- what a repository holds -----------------------------------------------------------------------


async def test_what_a_hostile_repository_holds_runs_nothing_and_is_copied_byte_for_byte(at, canary):
    files = {
        ".gitattributes": "* filter=evil ident text eol=crlf\n*.txt working-tree-encoding=UTF-16\n"
        "*.bin filter=lfs diff=lfs merge=lfs\n",
        ".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = ext::sh -c {canary.program}% >&2\n\tupdate = '
        f"!{canary.program}\n",
        ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n",
        "id.py": "# $Id$\nx = 1\n",
        "dos.bat": b"echo\r\n",
        "mixed.py": b"a\r\nb\n",
        "note.txt": "plain\n",
        "big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "hooks/post-checkout": f"#!/bin/sh\n{canary.program}\n",
    }
    work = at.folder / "work"
    git("clone", "-q", str(at.bare), str(work), cwd=at.folder)
    # Plumbing, so that the attributes do not already change what goes in.
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        blob = git("hash-object", "-w", "--stdin", cwd=work, stdin=data)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", cwd=work)
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s", cwd=work)
    git("commit", "-qm", "hostile", cwd=work)
    git("push", "-q", "origin", "HEAD", cwd=work)

    _, checkout = await exported(at)
    found = content(checkout)
    for name, text in files.items():
        assert found[name][2] == (text if isinstance(text, bytes) else text.encode()), name
    assert await at.client.diff(checkout) == ""
    (checkout / "mixed.py").write_bytes(b"a\r\nc\n")
    patch = await at.client.diff(checkout)
    assert patch.count("diff --git") == 1
    assert not canary.sung


async def test_a_tree_that_names_git_itself_is_not_checked_out(at, canary):
    blob = git("hash-object", "-w", "--stdin", cwd=at.bare, stdin=b"[core]\n\tfsmonitor = x\n")
    inner = git("mktree", cwd=at.bare, stdin=f"100644 blob {blob}\tconfig\n".encode())
    for name in (".git", ".GIT", "git~1", ".g\u200cit"):
        tree = git("mktree", cwd=at.bare, stdin=f"040000 tree {inner}\t{name}\n".encode())
        commit = git("commit-tree", tree, "-m", "hostile", cwd=at.bare)
        git("update-ref", "refs/heads/main", commit, cwd=at.bare)
        base = await at.client.refresh(at.repository)
        target = at.folder / f"x{commit}"
        assert isinstance(await refused(at.client.export(at.repository, base.sha, target)), PermanentError), (
            name
        )
        assert "fsmonitor" not in (target / ".git" / "config").read_text()


# --- names and addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "fd::7",
        "--upload-pack=touch /tmp/x",
        "-u",
        "ssh://git@host/x",
        "git@host:x/y",
        "git://host/x",
        "http://host/x/y",
        "https://user:secret@host/x/y",
        "https://host/x\n/y",
        "https://host/x?y",
        "https://-oProxyCommand=x/y",
        "https://host:port/x",
        "https:///x",
        "relative/path",
        "//host/share",
        "file:///etc",
        "/etc",
        "",
    ],
)
async def test_an_address_that_is_not_plainly_good_never_reaches_git(tmp_path, url):
    client = GitClient(tmp_path / "m", lambda _: None)
    assert (await refused(client.refresh(Repository("k", url, "github")))).code == "bad_repository_url"


BAD_BRANCHES = [
    "-x",
    "--force",
    "a..b",
    "a~1",
    "a^",
    "a:b",
    "a?b",
    "a*b",
    "a[b",
    "a\\b",
    "a//b",
    "/a",
    "a/",
    "a.",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "@",
    "a@{b",
    "HEAD",
    "refs/heads/x",
    "$(id)",
    "a;b",
    "a|b",
    "a&b",
    "a'b",
    "a`b",
    "",
    "a b",
    "a\nb",
    "a\u0000b",
    "a\u007fb",
    "a\u202eb",
    "x" * 201,
    "0" * 40,
]


@pytest.mark.parametrize("branch", BAD_BRANCHES)
async def test_a_branch_name_that_is_not_plainly_good_never_reaches_git(at, branch):
    await at.client.refresh(at.repository)
    for call in (
        at.client.push(at.repository, "0" * 40, branch),
        at.client.remote_branch(at.repository, branch),
        at.client.merge(at.repository, branch, "main", "m", head="0" * 40),
    ):
        assert (await refused(call)).code == "bad_branch_name"


@pytest.mark.parametrize("sha", ["HEAD", "main", "--all", "a" * 39, "A" * 40, "a" * 40 + "\n", ":/x", ""])
async def test_only_full_commit_ids_reach_git(at, sha):
    for call in (
        at.client.export(at.repository, sha, at.folder / "x"),
        at.client.commit(at.repository, sha, "", "m"),
        at.client.push(at.repository, sha, "ai-ops/x"),
        at.client.read_file(at.repository, sha, "app.py"),
        at.client.list_files(at.repository, sha),
    ):
        assert (await refused(call)).code == "bad_commit_id"


# --- the token -------------------------------------------------------------------------------------


async def observed(work, needles):
    """Do ``work`` while reading arguments and environment of every child; return what was seen of each."""
    me, seen, hits = psutil.Process(), set(), []
    task = asyncio.ensure_future(work)
    while not task.done():
        for child in me.children(recursive=True):
            for file in ("cmdline", "environ"):
                try:
                    data = Path(f"/proc/{child.pid}/{file}").read_bytes()
                    name = Path(f"/proc/{child.pid}/comm").read_text().strip()
                except OSError:
                    continue
                seen.add(name)
                hits += [(name, file) for needle in needles if needle.encode() in data]
        await asyncio.sleep(0.002)
    return await task, seen, hits


async def test_a_token_is_in_no_argument_environment_or_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SERVER_API_KEY", "planted-server-key")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    async with by_http(tmp_path) as at:
        # The server is in this process; its children carry this environment, so it must not.
        at.server.faults.bytes_per_second = 2000
        push_files(at.bare, {"noise.bin": os.urandom(1500)})

        async def work():
            base = await at.client.refresh(at.repository)
            await at.client.read_file(at.repository, base.sha, "app.py")
            checkout = tmp_path / "checkout"
            await at.client.export(at.repository, base.sha, checkout)
            (checkout / "app.py").write_text("x = 2\n")
            patch = await at.client.diff(checkout)
            sha = await at.client.commit(at.repository, base.sha, patch, "m")
            await at.client.push(at.repository, sha, "ai-ops/fix-1")

        _, seen, hits = await observed(work(), [TOKEN, "planted-server-key"])
        assert {"git", "git-remote-http"} <= seen
        assert hits == []
        assert any(request.user == "x-access-token" for request in at.server.requests)
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("status", [403, 500])
async def test_a_token_is_in_no_message(tmp_path, status):
    async with by_http(tmp_path) as at:
        at.server.faults.status = status
        failure = await refused(at.client.refresh(at.repository))
        assert TOKEN not in f"{failure} {failure.next_step} {failure.__cause__} {failure.__context__}"


async def test_a_redirect_takes_no_token_to_another_server(tmp_path):
    async with by_http(tmp_path) as at:
        thief = GitServer(tmp_path / "thief", "other")
        create_repository(thief.root, "acme/shop", {"a": "a"})
        async with thief.running():
            at.server.faults.redirect_to = thief.url
            with pytest.raises(AiOpsError):
                await at.client.refresh(at.repository)
            assert thief.requests == []


async def test_a_name_that_leads_to_this_machine_is_never_connected_to(tmp_path):
    async def rebound(host, port):
        return ("127.0.0.1",)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        port = listener.getsockname()[1]
        client = GitClient(tmp_path / "m", lambda _: None, look_up=rebound)
        repository = Repository("k", f"https://git.example.test:{port}/acme/shop", "github")
        assert (await refused(client.refresh(repository))).code == "repo_not_allowed"
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_git_connects_where_it_is_held_to(tmp_path):
    async with by_http(tmp_path) as at:
        await at.client.refresh(at.repository)
        port = urlsplit(at.repository.url).port
        (mirror,) = (tmp_path / "mirrors").glob("*.git")
        done = await GitRunner(askpass_program(tmp_path), 30.0).run(
            "ls-remote",
            ["ls-remote", f"http://git.example.test:{port}{urlsplit(at.repository.url).path}"],
            Place(mirror),
            protocol="http",
            credential=token_credential("github", TOKEN),
            config={"http.curloptResolve": f"git.example.test:{port}:127.0.0.1"},
        )
        assert "refs/heads/main" in done.text


async def test_gitlab_is_told_its_own_user_name(tmp_path):
    async with by_http(tmp_path) as at:
        client = GitClient(
            tmp_path / "m2",
            lambda _: token_credential("gitlab", TOKEN),
            http_hosts=[at.repository.key.partition("/")[0]],
        )
        await client.refresh(at.repository)
        assert at.server.requests[-1].user == "oauth2"


def test_the_askpass_program_works_after_it_lost_its_executable_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    program = askpass_program(tmp_path)
    assert program.parent == tmp_path
    credential = token_credential("github", f" {TOKEN}\n")
    with lent(credential) as descriptor:
        environment = {
            "PATH": os.environ["PATH"],
            "AI_OPS_GIT_USER": credential.user_name,
            "AI_OPS_GIT_TOKEN_FD": str(descriptor),
        }

        def asked(prompt):
            done = subprocess.run(
                [program, prompt], env=environment, pass_fds=[descriptor], capture_output=True, text=True
            )
            return done.stdout.strip()

        assert asked("Username for 'https://github.com': ") == "x-access-token"
        assert asked("Password for 'https://x-access-token@github.com': ") == TOKEN
        assert asked("Password for 'https://x-access-token@github.com': ") == TOKEN
        assert asked("Are you sure you want to continue connecting (yes/no)?") == ""
    assert token_credential("github", "  ") is None
