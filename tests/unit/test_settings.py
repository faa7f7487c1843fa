"""One order of places, and every bad key named."""

from pathlib import Path

import pytest

from ai_ops.settings import ConfigurationError, Settings, load, masked


def loaded(tmp_path, environment=None, flags=None, dotenv="", toml=""):
    if dotenv:
        (tmp_path / ".env").write_text(dotenv)
    if toml:
        (tmp_path / "ai-ops.toml").write_text(toml)
    return load(flags, environment=environment or {}, folder=tmp_path)


def problems(tmp_path, **places):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, **places)
    return {(p.key, p.origin): p.reason for p in caught.value.problems}


def test_defaults_are_those_of_the_documentation(tmp_path):
    settings = loaded(tmp_path).settings
    assert (settings.code_host, settings.claude_fix_mode, settings.http_port) == (
        "github",
        "code_blocks",
        8080,
    )
    assert settings.keywords == ("ERROR", "Exception", "CRITICAL")
    assert (settings.max_concurrent_tasks, settings.debounce_seconds) == (2, 0.5)
    assert (settings.budget_usd_per_run, settings.budget_usd_per_day) == (2.0, 20.0)
    assert (settings.require_proof, settings.sandbox, settings.setup_network) == (True, "bwrap", False)
    assert settings.database.endswith("data/ai_ops.db")


def test_flags_win_over_environment_over_dotenv_over_toml(tmp_path):
    places = {
        "toml": 'http_port = 1\nservice_name = "toml"\nenvironment = "toml"\nrelease = "toml"\n',
        "dotenv": "HTTP_PORT=2\nSERVICE_NAME=dotenv\nENVIRONMENT=dotenv\n",
        "environment": {"HTTP_PORT": "3", "SERVICE_NAME": "environment"},
        "flags": {"http_port": 4, "service_name": None},
    }
    found = loaded(tmp_path, **places)
    settings = found.settings
    assert (settings.http_port, settings.service_name) == (4, "environment")
    assert (settings.environment, settings.release) == ("dotenv", "toml")
    assert found.origins == {
        "http_port": "flag",
        "service_name": "environment",
        "environment": ".env",
        "release": "ai-ops.toml",
    }


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "token").write_text("planted-token-value\n")
    settings = loaded(tmp_path, {"GITHUB_TOKEN_FILE": str(tmp_path / "token")}).settings
    assert settings.github_token is not None
    assert settings.github_token.get_secret_value() == "planted-token-value"
    assert "planted" not in repr(settings)


def test_release_file_is_a_setting_of_its_own(tmp_path):
    settings = loaded(tmp_path, {"RELEASE_FILE": "/app/REVISION"}).settings
    assert settings.release_file == Path("/app/REVISION")
    assert settings.release == ""


def test_lists_are_split_at_commas(tmp_path):
    environment = {"KEYWORDS": "FATAL, panic ,", "SERVER_AGENT_KEYS": "one,two"}
    settings = loaded(tmp_path, environment).settings
    assert settings.keywords == ("FATAL", "panic")
    assert [key.get_secret_value() for key in settings.server_agent_keys] == ["one", "two"]


def test_sources_are_read_from_toml(tmp_path):
    toml = '[[source]]\npath = "a.log"\nrepo_url = "https://github.com/a/b"\n[[source]]\npath = "b.log"\n'
    assert [source.path for source in loaded(tmp_path, toml=toml).settings.source] == ["a.log", "b.log"]


@pytest.mark.parametrize(
    ("places", "key", "origin", "reason"),
    [
        ({"environment": {"HTTP_PORT": "many"}}, "HTTP_PORT", "environment", "integer"),
        ({"environment": {"CODE_HOST": "svn"}}, "CODE_HOST", "environment", "github"),
        ({"dotenv": "SANDBOX=maybe\n"}, "SANDBOX", ".env", "bwrap"),
        ({"toml": "htp_port = 1\n"}, "htp_port", "ai-ops.toml", "did you mean http_port"),
        ({"toml": "not toml"}, "ai-ops.toml", "ai-ops.toml", "cannot be read"),
        (
            {"environment": {"GITHUB_TOKEN_FILE": "/no/such"}},
            "GITHUB_TOKEN_FILE",
            "environment",
            "cannot be read",
        ),
        ({"environment": {"CODE_HOST": "local"}}, "ALLOWED_REPOS", "default", "is required"),
        ({"environment": {"QUEUE_LOW": "20"}}, "QUEUE_LOW", "environment", "below QUEUE_HIGH"),
        ({"toml": '[[source]]\npath = "a"\nrepo = "b"\n'}, "SOURCE.0.REPO", "ai-ops.toml", "not permitted"),
    ],
    ids=[
        "type",
        "choice",
        "dotenv",
        "near-miss",
        "toml",
        "secret-file",
        "local-roots",
        "queue",
        "source-field",
    ],
)
def test_a_bad_key_is_named_with_its_place_and_the_reason(tmp_path, places, key, origin, reason):
    assert reason in problems(tmp_path, **places)[(key, origin)]


def test_all_bad_keys_are_named_at_once(tmp_path):
    assert len(problems(tmp_path, environment={"HTTP_PORT": "x", "SMTP_PORT": "y", "MAX_ROUNDS": "0"})) == 3


def test_no_reason_repeats_a_secret(tmp_path):
    found = problems(tmp_path, environment={"HTTP_PORT": "x", "GITHUB_TOKEN": "planted-token-value"})
    assert "planted" not in str(found)


def test_secrets_are_masked_when_shown(tmp_path):
    environment = {"GITHUB_TOKEN": "planted-token-value", "SERVER_AGENT_KEYS": "one,two"}
    settings = loaded(tmp_path, environment).settings
    shown = {name: masked(getattr(settings, name)) for name in Settings.model_fields}
    assert shown["github_token"] == "***"
    assert shown["server_agent_keys"] == "***, ***"
    assert shown["http_host"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('kind = "sentry"\nproject = "7"', "needs repo_url"),
        ('kind = "sentry"\nrepo_url = "https://github.com/a/b"', "needs project"),
        ('kind = "otlp"', "needs repo_url"),
        ('kind = "file"', "needs path"),
        ('kind = "syslog"', "should be 'file'"),
    ],
)
def test_a_source_that_lacks_something_is_named(tmp_path, table, complaint):
    (tmp_path / "ai-ops.toml").write_text(f"[[source]]\n{table}\n")
    with pytest.raises(ConfigurationError) as failure:
        load(environment={}, folder=tmp_path)
    assert complaint in failure.value.message


def test_the_address_of_elasticsearch_is_shown_masked(tmp_path):
    loaded = load(environment={"ELK_URL": "https://elastic:s3cret@es.example"}, folder=tmp_path)
    assert masked(loaded.settings.elk_url) == "***"
