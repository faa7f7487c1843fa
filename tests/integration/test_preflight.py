"""What `config check` accepts starts, and what it names does not: real folders, files and scripts."""

import json

import pytest

from ai_ops import preflight
from ai_ops.config_loading import ConfigurationError, load
from ai_ops.core.repository import CODE_HOSTS
from ai_ops.settings import Settings
from ai_ops.vcs.git import GitClient
from ai_ops.wiring.code_hosts import hosts
from tests.support.github_app import key_pair

CREDENTIALS = {"ANTHROPIC_API_KEY": "any", "GITHUB_TOKEN": "any"}


def told(tmp_path, **environment):
    """Return what is warned of beside credentials, which are there."""
    return preflight.warnings(load(environment=CREDENTIALS | environment, folder=tmp_path))


def found(tmp_path, **environment):
    """Return what is named: {key: whole words}."""
    given = load(environment=environment, folder=tmp_path)
    named = {problem.key: str(problem) for problem in preflight.problems(given)}
    if named:
        with pytest.raises(ConfigurationError):
            preflight.require_startable(given)
    else:
        assert preflight.require_startable(given) is given
    return named


def test_the_defaults_start(tmp_path):
    assert found(tmp_path, DATA_DIR=str(tmp_path / "data"), WORKSPACES_DIR=str(tmp_path / "w")) == {}


def test_every_code_host_has_an_adapter(tmp_path):
    git = GitClient(tmp_path, lambda _: None)
    built = set(hosts(Settings(), None, None, git))
    assert built == set(CODE_HOSTS)


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"GITHUB_APP_ID": "7"}, "GITHUB_APP_ID", "has no private key. Set GITHUB_APP_PRIVATE_KEY_FILE"),
        ({"GITHUB_APP_PRIVATE_KEY": "x"}, "GITHUB_APP_PRIVATE_KEY", "has no App"),
        (
            {"GITHUB_APP_ID": "7", "GITHUB_APP_PRIVATE_KEY": "not a key"},
            "GITHUB_APP_PRIVATE_KEY",
            "is no private key in PEM form",
        ),
        ({"GITLAB_BASE_URL": "https://gl.example/api/v4"}, "GITLAB_BASE_URL", "is the root of the API"),
    ],
    ids=["no key", "no App", "no PEM", "API root"],
)
def test_what_a_code_host_cannot_work_with_is_named(tmp_path, settings, key, words):
    named = found(tmp_path, **settings)
    assert list(named) == [key] and words in named[key]
    assert "not a key" not in named[key]


def test_every_code_host_starts(tmp_path):
    assert found(tmp_path, CODE_HOST="gitlab", GITLAB_BASE_URL="https://gl.example/forge") == {}
    assert found(tmp_path, GITHUB_APP_ID="7", GITHUB_APP_PRIVATE_KEY=key_pair()[0]) == {}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{}/nowhere", "nowhere, which is no folder. Make the folder"),
        ("file://{}/nowhere", "nowhere, which is no folder"),
        ("{}/file", "file, which is no folder"),
        ("https://git.example/*,{}/nowhere", "nowhere, which is no folder"),
        ("remotes", "by a relative path"),
        ("./remotes", "by a relative path"),
        ("~/remotes", "by a relative path"),
        ("file:remotes", "by a relative path"),
        ("some/missing/folder", "holds some/missing/folder, which is neither a whole path nor an address"),
        ("missing", "neither a whole path nor an address. Write the whole path"),
    ],
    ids=[
        "missing",
        "missing-url",
        "file",
        "one-of-two",
        "bare-name",
        "dot",
        "tilde",
        "relative-url",
        "missing-relative",
        "missing-name",
    ],
)
@pytest.mark.parametrize("host", ["local", "github"])
def test_an_allowed_folder_that_is_none_is_named(tmp_path, monkeypatch, host, entry, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remotes").mkdir()
    (tmp_path / "file").touch()
    named = found(tmp_path, CODE_HOST=host, ALLOWED_REPOS=entry.format(tmp_path))
    assert words in named["ALLOWED_REPOS"]


@pytest.mark.parametrize(
    "entry",
    [
        "{}",
        "{}/*",
        "file://{}",
        "{}/team-*",
        "https://git.example/acme/*",
        "git.example/acme/*",
        "git/acme/*",
        "https://git/acme/shop",
        "git:8443/acme/shop",
    ],
)
def test_allowed_folders_that_are_there_and_address_globs_are_fine(tmp_path, entry):
    assert found(tmp_path, CODE_HOST="local", ALLOWED_REPOS=entry.format(tmp_path)) == {}


GOOD_SCRIPT = json.dumps({"fix": [{"files": {"a.py": "x = 1\n"}}]})


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "script.yml, which is not there. Mend the script"),
        ("fix: {a: [}", "while parsing"),
        ("- fix", "not a table of purposes"),
        ("fix: {files: {}}", "a list of entries is wanted"),
        ("fix: [{fils: {}}]", "unknown fils"),
        (GOOD_SCRIPT, ""),
    ],
    ids=["missing", "no-yaml", "list", "no-list", "unknown-key", "good"],
)
def test_a_script_that_cannot_be_used_is_named(tmp_path, script, words):
    path = tmp_path / "script.yml"
    if script is not None:
        path.write_text(script)
    named = found(tmp_path, SCRIPTED_ANSWERS=str(path))
    assert words in named["SCRIPTED_ANSWERS"] if words else named == {}


@pytest.mark.parametrize(
    ("key", "environment", "words"),
    [
        ("CLAUDE_ARGS", {"CLAUDE_ARGS": "--tools Bash"}, "may not hold --tools. Allowed are"),
        ("CLAUDE_ARGS", {"CLAUDE_ARGS": "--model"}, "holds --model without a value"),
        ("CLAUDE_ARGS", {"CLAUDE_ARGS": "--model 'x"}, "cannot be read"),
        ("AI_OPS_SECRET_KEY", {"AI_OPS_SECRET_KEY": "planted"}, "is too short"),
        ("CLAUDE_MODEL", {"CLAUDE_MODEL": "a", "CLAUDE_ALLOWED_MODELS": "b,c"}, "Set it to one of b, c."),
        ("GITHUB_BASE_URL", {"GITHUB_BASE_URL": "https://github.com"}, "https://api.github.com"),
        ("DATABASE_URL", {"DATABASE_URL": "mysql://ada:planted@db/x"}, "no SQLite or PostgreSQL address"),
        ("DATABASE_URL", {"DATABASE_URL": "data/x.db"}, "no SQLite or PostgreSQL address"),
        ("DATA_DIR", {"DATA_DIR": "/dev/null/data"}, "leads to /dev/null, which is no folder"),
        ("WORKSPACES_DIR", {"WORKSPACES_DIR": "/dev/null"}, "leads to /dev/null, which is no folder"),
        ("TRACE_DB_PATH", {"TRACE_DB_PATH": "/dev"}, "is a folder"),
        ("RECEIVER_EMAIL", {"RECEIVER_EMAIL": "ada@example.com,bob"}, "no address"),
        (
            "SMTP_CA_FILE",
            {"SMTP_SERVER": "m.example", "RECEIVER_EMAIL": "a@b.example", "SMTP_CA_FILE": "/no/such"},
            "/no/such",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
def test_what_a_server_cannot_work_with_is_named_with_how_to_mend_it(tmp_path, key, environment, words):
    named = found(tmp_path, **environment)
    assert list(named) == [key]
    assert words in named[key]
    assert "planted" not in named[key]


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HTTP_HOST": "0.0.0.0"}, ["HTTP_HOST"]),
        ({"HTTP_HOST": "0.0.0.0", "SERVER_API_KEY": "k"}, []),
        ({"HTTP_HOST": "::1"}, []),
    ],
    ids=["open", "with-key", "loopback"],
)
def test_listening_beyond_loopback_without_a_key_is_named(tmp_path, environment, named):
    given = load(environment=environment, folder=tmp_path)
    assert [problem.key for problem in preflight.listening_problems(given)] == named


MAIL = {"SMTP_SERVER": "mail.example", "RECEIVER_EMAIL": "ada@example.com"}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"RECEIVER_EMAIL": "ada@example.com"}, "data/outbox. Set SMTP_SERVER"),
        ({"SMTP_SERVER": "mail.example"}, "would send mail to nobody. Set RECEIVER_EMAIL"),
        ({"RECEIVER_EMAIL": "ada@example.com", "EMAIL_ENABLED": "false"}, ""),
        ({"SMTP_SERVER": "mail.example", "EMAIL_ENABLED": "false"}, ""),
        (MAIL, ""),
        ({}, ""),
    ],
    ids=["receiver alone", "server alone", "no mail wanted", "server, no mail wanted", "both", "neither"],
)
def test_mail_that_is_half_set_up_is_a_warning(tmp_path, environment, named):
    assert found(tmp_path, **environment) == {}
    warned = told(tmp_path, **environment)
    assert len(warned) == bool(named)
    assert named in " ".join(map(str, warned))


def test_a_folder_of_templates_that_is_not_there_is_a_warning_where_somebody_named_it(tmp_path):
    assert told(tmp_path) == told(tmp_path, TEMPLATES_DIR=str(tmp_path)) == ()
    (warning,) = told(tmp_path, TEMPLATES_DIR="/no/such")
    assert "TEMPLATES_DIR (environment) names /no/such, which is no folder" in str(warning)


@pytest.mark.parametrize(
    ("model", "allowed", "words"),
    [
        (
            "claude-opus-4-8",
            "claude-haiku-*",
            "is not in CLAUDE_ALLOWED_MODELS. Set it to one of claude-haiku-*",
        ),
        ("claude-haiku-4-5", "claude-haiku-*", ""),
        ("claude-haiku-4-5", "", ""),
        ("none", "claude-opus-4-8", ""),
        ("", "claude-opus-4-8", ""),
    ],
    ids=["not allowed", "allowed", "any", "none", "default"],
)
def test_a_model_for_triage_that_may_not_be_asked_is_named(tmp_path, model, allowed, words):
    named = found(tmp_path, CLAUDE_TRIAGE_MODEL=model, CLAUDE_ALLOWED_MODELS=allowed)
    assert words in named["CLAUDE_TRIAGE_MODEL"] if words else named == {}


@pytest.mark.parametrize(
    ("programs", "environment", "words"),
    [
        (["bwrap"], {}, ""),
        (["bwrap", "podman"], {"SANDBOX": "auto"}, ""),
        (["bwrap"], {"SANDBOX": "auto", "SANDBOX_IMAGE": "acme/tools"}, ""),
        ([], {"SANDBOX": "off"}, ""),
        ([], {}, "is bwrap, which is not installed: every run is refused. Install bubblewrap."),
        (["podman"], {}, "Install bubblewrap, or set SANDBOX=auto to use podman."),
        (["docker"], {"SANDBOX": "auto"}, "containers of docker are used"),
        (["docker", "podman"], {"SANDBOX": "auto"}, "containers of podman are used"),
        ([], {"SANDBOX": "auto"}, "none of bwrap, podman, docker is installed: every run is refused"),
        (["bwrap"], {"SANDBOX_IMAGE": "acme/tools"}, "has no effect with SANDBOX=bwrap"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_sandbox_that_is_not_the_wanted_one_is_a_warning(
    tmp_path, monkeypatch, programs, environment, words
):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in programs:
        (folder / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    warned = told(tmp_path, **environment)
    assert len(warned) == bool(words)
    assert words in " ".join(map(str, warned))


@pytest.mark.parametrize(
    ("url", "more", "warned"),
    [
        pytest.param("http://127.0.0.1:9/hook", "", True, id="loopback"),
        pytest.param("https://ops.internal/hook", "", True, id="a name of a private network"),
        pytest.param("http://10.0.0.7/hook", "private = true", False, id="private and meant"),
        pytest.param("https://ops.example.com/hook", "", False, id="public"),
    ],
)
def test_a_webhook_that_nothing_would_be_sent_to_is_a_warning(tmp_path, url, more, warned):
    table = f'[[webhook]]\nname = "ops"\nurl = "{url}"\nsecret = "a-secret-of-my-own-32-characters"\n{more}\n'
    (tmp_path / "ai-ops.toml").write_text(table)
    assert [warning.key for warning in told(tmp_path)] == ["[[webhook]] ops"] * warned


SCRIPTED = {"SCRIPTED_ANSWERS": "answers.yml"}
LOCAL = {"CODE_HOST": "local", "ALLOWED_REPOS": "/srv/git"}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        pytest.param({}, ["ANTHROPIC_API_KEY", "GITHUB_TOKEN"], id="neither"),
        pytest.param({"CODE_HOST": "gitlab"}, ["ANTHROPIC_API_KEY", "GITLAB_TOKEN"], id="gitlab"),
        pytest.param(LOCAL, ["ANTHROPIC_API_KEY"], id="local"),
        pytest.param(LOCAL | SCRIPTED, [], id="local, scripted"),
        pytest.param(SCRIPTED, ["GITHUB_TOKEN"], id="scripted"),
        pytest.param({"ANTHROPIC_AUTH_TOKEN": "x", "GITHUB_APP_ID": "1"}, [], id="others of them"),
        pytest.param({"CLAUDE_CODE_OAUTH_TOKEN": "x", "GITHUB_TOKEN": " "}, ["GITHUB_TOKEN"], id="blank"),
        pytest.param({"CODE_HOST": "gitlab", "GITLAB_TOKEN": "x"} | SCRIPTED, [], id="token of gitlab"),
    ],
)
def test_a_credential_that_a_repair_needs_and_has_not_is_a_warning(tmp_path, environment, named):
    warned = preflight.warnings(load(environment=environment, folder=tmp_path))
    assert [warning.key for warning in warned] == named
    assert all("is not set" in warning.reason and warning.mend for warning in warned)


@pytest.mark.parametrize(
    ("host", "key", "warned"),
    [
        ("0.0.0.0", "x", True),
        ("0.0.0.0", "k" * 15, True),
        ("0.0.0.0", "k" * 16, False),
        ("127.0.0.1", "x", False),
        ("localhost", "x", False),
    ],
)
def test_a_short_key_is_a_warning_where_other_machines_can_try_it(tmp_path, host, key, warned):
    said = told(tmp_path, HTTP_HOST=host, SERVER_API_KEY=key)
    assert [warning.key for warning in said] == ["SERVER_API_KEY"] * warned
    assert all(key not in str(warning).split() for warning in said)
