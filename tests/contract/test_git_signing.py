"""Commits signed with real keys: verified by ssh-keygen and gpg through git, and made once."""

import os
import shutil
import subprocess

import pytest

from ai_ops.errors import PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.merging import Author
from ai_ops.vcs.signing import Signer
from tests.support.git_server import create_repository, git

MESSAGE = "Fix the thing\n\nAI-Ops-Run: 1"
EMAIL = "robo@corp.test"
needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg")


def tool(*argv, **environment):
    return subprocess.run(argv, check=True, capture_output=True, env={**os.environ, **environment}).stdout


@pytest.fixture
def keys(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def ssh_key(keys):
    tool("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "robo", "-f", str(keys / "id"))
    return keys / "id"  # two signatures of an ECDSA key differ


@pytest.fixture
def pgp_key(keys):
    home = {"GNUPGHOME": str(keys)}
    make = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", f"Robo <{EMAIL}>"]
    tool(*make, "ed25519", "sign", "never", **home)
    secret = tool("gpg", "--batch", "--armor", "--export-secret-keys", **home)
    (keys / "secret.asc").write_bytes(secret)
    yield keys / "secret.asc"
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env={**os.environ, **home})


class Signing:
    def __init__(self, folder, key, name="mirrors"):
        self.bare = folder / "remote" / "acme" / "shop.git"
        if not self.bare.exists():
            create_repository(folder / "remote", "acme/shop", {"app.py": "x = 1\n"})
        self.repository = Repository("local/acme/shop", f"file://{self.bare}", "local")
        author = Author("Robo", EMAIL, Signer(key) if key else None)
        self.client = GitClient(folder / name, lambda _: None, allow_file=True, author=author)

    async def made(self, patch=None):
        base = await self.client.refresh(self.repository)
        patch = patch or "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
        return await self.client.commit(self.repository, base.sha, patch, MESSAGE)

    def verified(self, sha, *config, **environment):
        """Return whether git itself finds the signature of a pushed commit good, and what it says."""
        options = [option for pair in config for option in ("-c", pair)]
        done = subprocess.run(
            ["git", *options, "verify-commit", sha],
            cwd=self.bare, capture_output=True, text=True, check=False, env={**os.environ, **environment},
        )  # fmt: skip
        return done.returncode == 0, done.stderr


@needs_ssh_keygen
async def test_a_commit_is_signed_with_an_ssh_key_and_git_verifies_it(tmp_path, ssh_key, keys):
    at = Signing(tmp_path, ssh_key)
    sha = await at.made()
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    (keys / "allowed").write_text(f"{EMAIL} {ssh_key.with_suffix('.pub').read_text()}")
    allowed = f"gpg.ssh.allowedSignersFile={keys / 'allowed'}"
    good, said = at.verified(sha, "gpg.format=ssh", allowed)
    assert good and f'Good "git" signature for {EMAIL}' in said
    assert git("log", "-1", "--format=%an %ae %cn %ce", sha, cwd=at.bare) == f"Robo {EMAIL} Robo {EMAIL}"


@needs_gpg
async def test_a_commit_is_signed_with_an_exported_pgp_key_and_leaves_no_agent(tmp_path, pgp_key, keys):
    at = Signing(tmp_path, pgp_key)
    sha = await at.made()
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    good, said = at.verified(sha, GNUPGHOME=str(keys))
    assert good and "Good signature" in said
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "ai-ops-gpg-" not in processes


@needs_ssh_keygen
async def test_the_same_commit_is_signed_once_also_by_a_server_that_began_anew(tmp_path, ssh_key):
    at = Signing(tmp_path, ssh_key)
    sha = await at.made()
    assert await at.made() == sha
    assert await Signing(tmp_path, ssh_key).made() == sha
    await at.client.push(at.repository, sha, "ai-ops/fix-1")
    await at.client.refresh(at.repository)
    assert await at.made() == sha
    other = await at.made("--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 3\n")
    assert other != sha


@needs_ssh_keygen
async def test_a_mirror_that_was_lost_signs_anew_and_still_one_commit_is_on_the_branch(tmp_path, ssh_key):
    at = Signing(tmp_path, ssh_key)
    await at.client.push(at.repository, await at.made(), "ai-ops/fix-1")
    anew = Signing(tmp_path, ssh_key, "other-mirrors")
    sha = await anew.made()
    await anew.client.push(anew.repository, sha, "ai-ops/fix-1")
    assert git("rev-list", "main..ai-ops/fix-1", cwd=at.bare) == sha


async def test_without_a_key_the_same_input_is_the_same_commit_everywhere(tmp_path):
    assert await Signing(tmp_path, None).made() == await Signing(tmp_path, None, "other").made()


@pytest.mark.parametrize(
    "content", [None, b"", b"no key\n", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nno\n"],
    ids=["missing", "empty", "no key", "half a key"],
)  # fmt: skip
async def test_a_key_that_cannot_sign_is_named(tmp_path, keys, content):
    if content is not None:
        (keys / "bad").write_bytes(content)
        (keys / "bad").chmod(0o600)
    with pytest.raises(PermanentError) as caught:
        await Signing(tmp_path, keys / "bad").made()
    assert caught.value.code == "commit_signing_failed"
    assert "COMMIT_SIGNING_KEY" in caught.value.next_step


async def test_a_persons_commits_are_not_replaced_though_we_commit_under_their_address(tmp_path):
    at = Signing(tmp_path, None)
    await at.client.push(at.repository, await at.made(), "ai-ops/fix-1")
    work = tmp_path / "work"
    git("clone", "-q", "-b", "ai-ops/fix-1", str(at.bare), str(work), cwd=tmp_path)
    by_hand = [
        "-c",
        "user.name=Robo",
        "-c",
        f"user.email={EMAIL}",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "By hand",
    ]
    subprocess.run(["git", *by_hand], cwd=work, check=True)
    git("push", "-q", "origin", "ai-ops/fix-1", cwd=work)
    other = await at.made("--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 3\n")
    with pytest.raises(PermanentError) as caught:
        await at.client.push(at.repository, other, "ai-ops/fix-1")
    assert caught.value.code == "branch_taken"
