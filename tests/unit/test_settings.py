"""One order of places, and every bad key named."""

import tomllib
from pathlib import Path

import pytest

from ai_ops.config_loading import ConfigurationError, forget_secrets, load
from ai_ops.config_places import likely
from ai_ops.core.setting_names import NAMES, is_known
from ai_ops.settings import Settings, masked
from ai_ops.wiring.adapters import commit_rules
from ai_ops.wiring.masking import redactor

WEBHOOK = '[[webhook]]\nname = "ops"\nurl = "https://ops.example"\nsecret = "x"\n'


def loaded(tmp_path, environment=None, flags=None, dotenv="", toml=""):
    if dotenv:
        (tmp_path / ".env").write_text(dotenv)
    if toml:
        (tmp_path / "ai-ops.toml").write_text(toml)
    return load(flags, environment=environment or {}, folder=tmp_path)


def problems(tmp_path, **places):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, **places)
    return {(p.key, p.origin): f"{p.reason}. {p.mend}" for p in caught.value.problems}


def test_defaults_are_those_of_the_documentation(tmp_path):
    settings = loaded(tmp_path).settings
    assert (settings.code_host, settings.claude_fix_mode, settings.http_port) == (
        "github",
        "code_blocks",
        8080,
    )
    assert settings.keywords == ("ERROR", "Exception", "CRITICAL")
    assert (settings.max_concurrent_tasks, settings.debounce_seconds) == (2, 0.5)
    budgets = (settings.budget_usd_per_run, settings.budget_usd_per_hour, settings.budget_usd_per_day)
    assert budgets == (2.0, 10.0, 20.0)
    assert (settings.require_proof, settings.sandbox, settings.setup_network) == (True, "bwrap", False)
    assert settings.database.endswith("data/ai_ops.db")


FIVE_PLACES = {
    "flag": {"flags": {"http_port": 4}},
    "environment": {"environment": {"HTTP_PORT": "3"}},
    ".env": {"dotenv": "HTTP_PORT=2\n"},
    "ai-ops.toml": {"toml": "http_port = 1\n"},
    "default": {},
}


@pytest.mark.parametrize(
    ("strongest", "port"),
    [("flag", 4), ("environment", 3), (".env", 2), ("ai-ops.toml", 1), ("default", 8080)],
    ids=list(FIVE_PLACES),
)
def test_the_strongest_of_the_five_places_that_speak_counts(tmp_path, strongest, port):
    places = list(FIVE_PLACES)
    speaking = places[places.index(strongest) :]
    found = loaded(tmp_path, **{k: v for place in speaking for k, v in FIVE_PLACES[place].items()})
    assert (found.settings.http_port, found.origin("http_port")) == (port, strongest)


def test_a_place_that_says_nothing_or_less_than_nothing_does_not_count(tmp_path):
    places = {
        "flags": {"http_port": None, "log_file_path": ()},
        "environment": {"HTTP_PORT": ""},
        "dotenv": "HTTP_PORT=\n",
    }
    found = loaded(tmp_path, toml='http_port = 1\nlog_file_path = ["a.log"]\n', **places)
    assert (found.settings.http_port, found.settings.log_file_path) == (1, ("a.log",))


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "token").write_text("planted-token-value\n")
    settings = loaded(tmp_path, {"GITHUB_TOKEN_FILE": str(tmp_path / "token")}).settings
    assert settings.github_token is not None
    assert settings.github_token.get_secret_value() == "planted-token-value"
    assert "planted" not in repr(settings)


def secret_file(tmp_path, value="from-a-file"):
    (tmp_path / "token").write_text(value)
    return str(tmp_path / "token")


@pytest.mark.parametrize("place", ["environment", ".env", "ai-ops.toml"])
def test_a_secrets_file_is_named_in_any_place_and_the_origin_says_where(tmp_path, place):
    name = secret_file(tmp_path)
    places = {
        "environment": {"environment": {"GITHUB_TOKEN_FILE": name}},
        ".env": {"dotenv": f"GITHUB_TOKEN_FILE={name}\n"},
        "ai-ops.toml": {"toml": f'github_token_file = "{name}"\n'},
    }
    found = loaded(tmp_path, **places[place])
    assert found.settings.github_token.get_secret_value() == "from-a-file"
    assert found.origin("github_token") == f"{place} (GITHUB_TOKEN_FILE)"


@pytest.mark.parametrize(
    ("dotenv", "toml", "origin"),
    [("GITHUB_TOKEN_FILE=/no/such\n", "", ".env"), ("", 'github_token_file = "/no/such"\n', "ai-ops.toml")],
    ids=[".env", "ai-ops.toml"],
)
def test_a_bad_secrets_file_has_the_origin_that_names_it(tmp_path, dotenv, toml, origin):
    found = problems(tmp_path, dotenv=dotenv, toml=toml)
    assert "cannot be read: no such file" in found[("GITHUB_TOKEN_FILE", origin)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"  \n", "is empty"), (b"\xff\xfe", "not UTF-8"), (None, "is a directory")],
    ids=["empty", "binary", "folder"],
)
def test_a_secrets_file_without_a_secret_is_named(tmp_path, content, reason):
    path = tmp_path / "token"
    path.mkdir() if content is None else path.write_bytes(content)
    found = problems(tmp_path, environment={"GITHUB_TOKEN_FILE": str(path)})
    assert reason in found[("GITHUB_TOKEN_FILE", "environment")]


def test_a_secrets_file_that_a_stronger_place_overrules_is_not_read(tmp_path):
    found = loaded(tmp_path, {"GITHUB_TOKEN": "said"}, dotenv="GITHUB_TOKEN_FILE=/no/such\n")
    assert found.settings.github_token.get_secret_value() == "said"


def test_only_what_is_asked_for_is_looked_at(tmp_path):
    environment = {"SMTP_PASSWORD_FILE": "/no/such", "MAX_ROUNDS": "many", "HTTP_PORT": "8099"}
    found = load(environment=environment, folder=tmp_path, only=["http_port"])
    assert found.settings.http_port == 8099
    with pytest.raises(ConfigurationError):
        load(environment=environment, folder=tmp_path, only=["smtp_password"])


def test_problems_are_named_in_the_settings_order(tmp_path):
    names = [f"{name.upper()}_FILE" for name in Settings.model_fields if name not in ("source", "release")]
    twins = [name for name in names if name.removesuffix("_FILE") and is_known(name)]
    environment = dict.fromkeys(reversed(twins), "/no/such")
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, environment)
    named = [problem.key for problem in caught.value.problems]
    assert len(named) > 50
    assert named == [name for name in names if name in named]


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


def test_own_rules_of_redaction_are_read_from_toml(tmp_path):
    toml = "[[redact]]\nname = 'badge'\npattern = 'badge-(\\d+)'\n"
    settings = loaded(tmp_path, toml=toml).settings
    assert redactor(settings).redact("badge-123456789012") == "badge-***9012"


@pytest.mark.parametrize(
    ("places", "key", "origin", "reason"),
    [
        ({"environment": {"HTTP_PORT": "many"}}, "HTTP_PORT", "environment", "a whole number"),
        ({"environment": {"CODE_HOST": "svn"}}, "CODE_HOST", "environment", "github"),
        ({"dotenv": "SANDBOX=maybe\n"}, "SANDBOX", ".env", "bwrap"),
        ({"toml": "htp_port = 1\n"}, "htp_port", "ai-ops.toml", "Did you mean http_port?"),
        ({"toml": "not toml"}, "ai-ops.toml", "ai-ops.toml", "cannot be read"),
        (
            {"environment": {"GITHUB_TOKEN_FILE": "/no/such"}},
            "GITHUB_TOKEN_FILE",
            "environment",
            "cannot be read",
        ),
        ({"environment": {"CODE_HOST": "local"}}, "ALLOWED_REPOS", "default", "is required"),
        ({"environment": {"QUEUE_LOW": "20"}}, "QUEUE_LOW", "environment", "below QUEUE_HIGH"),
        (
            {"toml": '[[source]]\npath = "a"\nrepo = "b"\n'},
            "[[source]] 1, repo",
            "ai-ops.toml",
            "not a key",
        ),
        (
            {"toml": f'{WEBHOOK}secrett = "y"\n'},
            "[[webhook]] 1, secrett",
            "ai-ops.toml",
            "is not a key of [[webhook]]",
        ),
        (
            {"toml": f'{WEBHOOK}events = ["failed", "faild"]\n'},
            "[[webhook]] 1, events 2",
            "ai-ops.toml",
            "must be one of pull_request, needs_review, failed, waiting, notice, digest",
        ),
        (
            {"toml": WEBHOOK.replace("ops", "Ops", 1)},
            "[[webhook]] 1, name",
            "ai-ops.toml",
            "lower-case letters",
        ),
        (
            {"toml": '[[redact]]\nname = "x"\npattern = "(a+)+b"\n'},
            "[[redact]] 1, pattern",
            "ai-ops.toml",
            "repeats without a bound",
        ),
        (
            {"toml": '[[expected]]\ntype = "X"\n'},
            "[[expected]] 1, reason",
            "ai-ops.toml",
            "missing",
        ),
        (
            {"toml": '[[expected]]\nreason = "so"\n'},
            "[[expected]] 1",
            "ai-ops.toml",
            "needs type, message or path",
        ),
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
        "webhook-field",
        "webhook-event",
        "webhook-name",
        "redact-pattern",
        "expected-reason",
        "expected-nothing",
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
        ('kind = "syslog"', "must be one of file, stdin"),
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


def test_a_table_is_shown_as_it_is_written_and_masked(tmp_path):
    table = (
        '[[webhook]]\nname = "ops"\nurl = "https://ops.example/hook"\n'
        'secret = "planted-secret-of-32-characters!"\nevents = ["pull_request"]\nprivate = true\n'
    )
    (tmp_path / "ai-ops.toml").write_text(table)
    shown = masked(load(environment={}, folder=tmp_path).settings.webhook)
    wanted = 'name = "ops", url = "https://ops.example/hook", secret = "***", events = ["pull_request"]'
    assert shown == f"{{ {wanted}, private = true }}"
    assert tomllib.loads(f"webhook = {shown}")["webhook"]["events"] == ["pull_request"]


def test_no_password_in_an_address_is_shown():
    assert masked("postgresql://ada:p@ss@db.example/x") == "postgresql://ada:***@db.example/x"
    assert masked(("https://ada:pass@git.example/*", "https://git.example/*")).count("***") == 1
    assert masked("http://127.0.0.1:8080") == "http://127.0.0.1:8080"


def test_the_names_that_both_the_server_and_the_agent_know_are_those_of_the_settings():
    assert {name.upper() for name in Settings.model_fields} == NAMES


@pytest.mark.parametrize(
    ("dotenv", "said"),
    [
        ("GITHUB_TOKN=x\n", ["GITHUB_TOKN (.env) is not a setting. Did you mean GITHUB_TOKEN?"]),
        ("http_prt=x\n", ["http_prt (.env) is not a setting. Did you mean http_port?"]),
        (
            "SMTP_PASWORD_FILE=x\n",
            ["SMTP_PASWORD_FILE (.env) is not a setting. Did you mean SMTP_PASSWORD_FILE?"],
        ),
        ("SERVER_BIND=x\n", ["The settings that begin with SERVER_ are SERVER_AGENT_KEYS, SERVER_API_KEY."]),
        ("POSTGRES_PASSWORD=x\nHTTP_PROXY=x\n", []),
        ("HTTP_PORT\n", ["HTTP_PORT (.env) has no value. Write HTTP_PORT=value."]),
        ("DATA_DIR=d\n!! what\n", ["line 2 (.env) cannot be read. Write NAME=value."]),
        ("GITHUB_TOKEN_FILE=/dev/null\nexport HTTP_PORT=1\nRELEASE_FILE=x\nAI_OPS_URL=\n", []),
    ],
    ids=["typo", "lower-case", "file-twin", "family", "another-programs", "no-value", "no-line", "known"],
)
def test_what_has_no_effect_in_the_env_file_is_told_and_refuses_nothing(tmp_path, dotenv, said):
    found = loaded(tmp_path, {"GITHUB_TOKEN": "x"}, dotenv=dotenv)
    told = [str(problem) for problem in likely(found.idle)]
    assert len(told) == len(said)
    assert all(words in line for words, line in zip(said, told, strict=True))


def test_another_programs_keys_are_known_as_such(tmp_path):
    found = loaded(tmp_path, dotenv="POSTGRES_PASSWORD=x\n")
    assert [(problem.key, problem.mend) for problem in found.idle] == [("POSTGRES_PASSWORD", "")]


def test_the_process_environment_belongs_to_everyone(tmp_path):
    assert loaded(tmp_path, {"GITHUB_TOKN": "x", "LANG": "C"}).idle == ()


def test_a_typo_does_not_hide_behind_a_bad_value(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, {"HTTP_PORT": "many"}, dotenv="GITHUB_TOKN=x\n")
    assert [problem.key for problem in caught.value.idle] == ["GITHUB_TOKN"]


@pytest.mark.parametrize("name", [".env", "ai-ops.toml"])
def test_a_file_that_is_no_text_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe")
    assert "not UTF-8" in problems(tmp_path)[(name, name)]


@pytest.mark.parametrize("name", [".env", "ai-ops.toml"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + b"http_port=8099\n")
    assert loaded(tmp_path).settings.http_port == 8099


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("MAX_ROUNDS", "0", "must be 1 or more"),
        ("SMTP_PORT", "70000", "must be 65535 or less"),
        ("TEST_WALL_SECONDS", "0", "must be more than 0"),
        ("BUDGET_USD_PER_RUN", "two", "must be a number"),
        ("EMAIL_ENABLED", "perhaps", "must be true or false"),
        ("SANDBOX", "on", "must be one of bwrap, auto, off"),
        ("PUBLIC_URL", "ai-ops.example", "must look like https://host"),
        ("GITHUB_BASE_URL", "https://ada:planted@git.example", "without user, password"),
        ("HTTP_HOST", "127.0.0.1:8080", "the port goes into HTTP_PORT"),
        ("DATA_DIR", "~nobody-of-that-name/x", "no such home folder"),
    ],
    ids=lambda value: value if value.isupper() and "_" in value else "",
)
def test_a_bad_value_is_told_in_plain_words_and_not_repeated(tmp_path, key, value, reason):
    words = problems(tmp_path, environment={key: value})[(key, "environment")]
    assert reason in words
    assert "planted" not in words


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080"), ("[::1]", "http://[::1]:8080")],
    ids=["v4", "v6", "brackets"],
)
def test_the_servers_own_address_can_be_asked(tmp_path, host, address):
    assert loaded(tmp_path, {"HTTP_HOST": host}).settings.own_address == address


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert loaded(tmp_path, {"DATA_DIR": "~/d"}).settings.data_dir == tmp_path / "d"


def test_a_process_forgets_the_secrets_of_its_environment_and_nothing_else():
    environment = {
        "GITHUB_TOKEN": "t",
        "github_token": "t",
        "SERVER_AGENT_KEYS": "a,b",
        "ANTHROPIC_API_KEY": "k",
        "DATABASE_URL": "postgresql://ai:secret@db/x",
        "SMTP_PASSWORD_FILE": "/run/secrets/smtp",
        "GITHUB_BASE_URL": "https://git.example.test/api/v3",
        "PATH": "/usr/bin",
    }
    forget_secrets(environment)
    assert sorted(environment) == ["GITHUB_BASE_URL", "PATH", "SMTP_PASSWORD_FILE"]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("COMMIT_AUTHOR_NAME", "Robo <x>", "without < and >"),
        ("COMMIT_AUTHOR_NAME", "Robo\nSigned-off-by: x", "on one line"),
        ("COMMIT_AUTHOR_EMAIL", "robo", "like name@host"),
        ("COMMIT_AUTHOR_EMAIL", "a@b> <c@d", "like name@host"),
        ("COMMIT_CO_AUTHOR", "Claude", "Name <name@host>"),
        ("COMMIT_CO_AUTHOR", "Claude <a@b>\nX: y", "Name <name@host>"),
    ],
)
def test_a_name_that_git_could_not_keep_as_one_is_refused(tmp_path, key, value, reason):
    assert reason in problems(tmp_path, environment={key: value})[(key, "environment")]


def test_commits_name_claude_beside_the_author_unless_told_otherwise(tmp_path):
    assert commit_rules(loaded(tmp_path).settings).trailers == (
        "Co-authored-by: Claude <noreply@anthropic.com>",
    )
    nobody = {"COMMIT_CO_AUTHOR": "none", "COMMIT_SIGNOFF": "true", "COMMIT_AUTHOR_NAME": "Zoë Ops"}
    assert commit_rules(loaded(tmp_path, nobody).settings).trailers == (
        "Signed-off-by: Zoë Ops <ai-ops@users.noreply.invalid>",
    )
    scripted = {"SCRIPTED_ANSWERS": str(tmp_path / "answers.json")}
    assert commit_rules(loaded(tmp_path, scripted).settings).trailers == ()
