"""Where the agent's options come from, and what is said about wrong ones."""

from pathlib import Path

import pytest

from ai_ops.agent.__main__ import main, parser
from ai_ops.agent.options import load
from ai_ops.errors import PermanentError
from ai_ops.monitoring.detect import LogFilter

BASE = {"LOG_FILE_PATH": "a.log", "AGENT_REPO_URL": "https://git.example/a/b"}


def options(tmp_path, *, flags=None, environment=None, dotenv="", toml=""):
    (tmp_path / ".env").write_text(dotenv)
    (tmp_path / "ai-ops.toml").write_text(toml)
    return load(flags, environment={**BASE, **(environment or {})}, folder=tmp_path)


def complaint(tmp_path, **places):
    with pytest.raises(PermanentError) as failure:
        options(tmp_path, **places)
    assert failure.value.code == "options_invalid"
    return failure.value.message


def test_the_defaults_are_the_documented_ones(tmp_path):
    loaded = options(tmp_path)
    assert loaded.keywords == ("ERROR", "Exception", "CRITICAL")
    assert (loaded.debounce_seconds, loaded.dedup_window_seconds) == (0.5, 3600)
    assert loaded.server_url == "http://127.0.0.1:8080"
    assert loaded.data_dir == Path("data")
    assert loaded.log_filter is LogFilter.BALANCED
    assert loaded.node
    assert loaded.sources[0].code_host == "", "the server decides"


def test_flags_beat_the_environment_which_beats_dotenv_which_beats_the_file(tmp_path):
    places = [
        ("toml", 'service_name = "file"'),
        ("dotenv", "SERVICE_NAME=dotenv"),
        ("environment", {"SERVICE_NAME": "environment"}),
        ("flags", {"SERVICE_NAME": "flag"}),
    ]
    given = {}
    for (place, value), expected in zip(places, ["file", "dotenv", "environment", "flag"], strict=True):
        given[place] = value
        assert options(tmp_path, **given).sources[0].service == expected


def test_tables_describe_many_apps(tmp_path):
    toml = """
    environment = "production"
    [[source]]
    path = "/logs/shop/*.log"
    repo_url = "https://git.example/acme/shop"
    code_host = "gitlab"
    service = "shop"
    language = "java"
    release = "abc"
    ignore = ["health check"]
    [[source]]
    path = "/logs/web.log"
    """
    _, shop, web = options(tmp_path, toml=toml).sources
    assert (shop.repo_url, shop.code_host, shop.service) == (
        "https://git.example/acme/shop",
        "gitlab",
        "shop",
    )
    assert (shop.environment, shop.language, shop.release) == ("production", "java", "abc")
    assert shop.ignore == ("health check",)
    assert web.repo_url == BASE["AGENT_REPO_URL"]


def test_a_log_path_on_the_command_line_stands_alone(tmp_path):
    toml = '[[source]]\npath = "/logs/web.log"\n'
    loaded = options(tmp_path, toml=toml, flags={"LOG_FILE_PATH": ["b.log", "c/*.log"]})
    assert [source.path for source in loaded.sources] == ["b.log", "c/*.log"]


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("s3cret-key\n")
    assert (
        options(tmp_path, environment={"AGENT_API_KEY_FILE": str(tmp_path / "key")}).api_key == "s3cret-key"
    )


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DEBOUNCE_SECONDS": "soon"}, "DEBOUNCE_SECONDS (environment): 'soon' is not a number"),
        ({"DEDUP_WINDOW_SECONDS": "-1"}, "DEDUP_WINDOW_SECONDS (environment): must be 0 or more"),
        ({"DEDUP_WINDOW_SECONDS": "nan"}, "DEDUP_WINDOW_SECONDS (environment): must be 0 or more"),
        ({"MAX_ERROR_QUEUE_SIZE": "0"}, "MAX_ERROR_QUEUE_SIZE (environment): must be 1 or more"),
        ({"CODE_HOST": "bitbucket"}, "CODE_HOST (environment): 'bitbucket' must be one of github"),
        ({"LOG_FILTER": "loud"}, "LOG_FILTER (environment): 'loud' must be one of strict"),
        (
            {"AGENT_SERVER_URL": "localhost:8080"},
            "AGENT_SERVER_URL (environment): 'localhost:8080' must look",
        ),
        (
            {"AGENT_SERVER_URL": "http://h:99999"},
            "AGENT_SERVER_URL (environment): 'http://h:99999' must look",
        ),
        ({"AGENT_SERVER_URL": "http://u:p@h"}, "AGENT_SERVER_URL (environment): must not hold credentials"),
        ({"AGENT_SERVER_URL": "ftp://u:p@h"}, "AGENT_SERVER_URL (environment): must not hold credentials"),
        ({"AGENT_REPO_URL": "https://u:p@h/a/b"}, "AGENT_REPO_URL (environment): must not hold a password"),
        ({"AGENT_API_KEY": "a\r\nX-Evil: 1"}, "AGENT_API_KEY (environment): must be printable ASCII"),
        ({"AGENT_API_KEY_FILE": "/no/such"}, "AGENT_API_KEY_FILE (environment): /no/such cannot be read"),
        ({"AGENT_REPO_URL": ""}, "AGENT_REPO_URL: is missing"),
        ({"LOG_FILE_PATH": ""}, "LOG_FILE_PATH: is missing"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_key_is_named_with_its_place_and_the_reason(tmp_path, environment, words):
    assert words in complaint(tmp_path, environment=environment)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("https://ghp_token@github.com/acme/shop.git", "https://github.com/acme/shop.git"),
        ("https://joe@bitbucket.example:8443/acme/shop", "https://bitbucket.example:8443/acme/shop"),
        ("ssh://git@github.com/acme/shop", "ssh://git@github.com/acme/shop"),
        ("git@github.com:acme/shop.git", "git@github.com:acme/shop.git"),
        ("/srv/git/shop.git", "/srv/git/shop.git"),
        ("https://[half/acme", "https://[half/acme"),
    ],
    ids=["token", "user", "ssh", "scp", "path", "no address"],
)
def test_no_user_of_a_repository_goes_on_the_wire(tmp_path, said, meant):
    assert options(tmp_path, environment={"AGENT_REPO_URL": said}).sources[0].repo_url == meant
    table = f'[[source]]\npath = "a"\nrepo_url = "{said}"\n'
    assert options(tmp_path, environment={"LOG_FILE_PATH": ""}, toml=table).sources[0].repo_url == meant


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[[source]]\npath = "a"\nrepo_url = "https://u:p@h/a"\n', "repo_url must not hold a password"),
        ("[[source]\n", "ai-ops.toml: cannot be read"),
        ('[[source]]\npath = "a"\nrepo = "x"\n', "[[source]] 1 (ai-ops.toml): repo is not a key"),
        ("[[source]]\n", "[[source]] 1 (ai-ops.toml): path is missing"),
        ('[[source]]\npath = 3\nrepo_url = "x"\n', "[[source]] 1 (ai-ops.toml): path must be text"),
        (
            '[[source]]\npath = "a"\ncode_host = "svn"\n',
            "[[source]] 1 (ai-ops.toml): code_host must be one of",
        ),
        ('source = "a"\n', "source (ai-ops.toml): must be tables"),
        ('redact = "a"\n', "ai-ops.toml: redact: must be tables"),
        ('[[redact]]\nname = "x"\n', "ai-ops.toml: [[redact]] 1: name and pattern must both be there"),
        (
            '[[redact]]\nname = "x"\npattern = "a*"\n',
            "ai-ops.toml: [[redact]] 1 (x): pattern matches nothing",
        ),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(tmp_path, toml, words):
    assert words in complaint(tmp_path, toml=toml)


def test_all_problems_are_named_at_once(tmp_path):
    words = complaint(tmp_path, environment={"DEBOUNCE_SECONDS": "x", "CODE_HOST": "y"})
    assert "DEBOUNCE_SECONDS" in words and "CODE_HOST" in words


def test_log_path_may_be_repeated():
    assert parser().parse_args(["--log-path", "a", "--log-path", "b"]).log_path == ["a", "b"]


def test_a_wrong_option_ends_with_2(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEBOUNCE_SECONDS", "soon")
    assert main(["--log-path", "a.log", "--repo-url", "https://git.example/a/b"]) == 2


@pytest.mark.parametrize(
    ("flags", "kinds", "once"),
    [
        ({"LOG_SOURCE": ["stdin"]}, ["stdin"], True),
        ({"LOG_FILE_PATH": ["-"]}, ["stdin"], True),
        ({"LOG_FILE_PATH": ["-", "a.log"]}, ["file", "stdin"], False),
        ({"LOG_SOURCE": ["journald", "docker"]}, ["journald", "docker"], False),
        ({"LOG_SOURCE": ["journald"], "LOG_FILE_PATH": ["b.log"]}, ["file", "journald"], False),
    ],
    ids=["stdin", "dash", "dash and file", "two", "source and file"],
)
def test_sources_that_flags_name_stand_alone_and_files_come_first(tmp_path, flags, kinds, once):
    loaded = options(tmp_path, flags=flags, toml='[[source]]\npath = "c.log"\n')
    assert [source.kind for source in loaded.sources] == kinds
    assert loaded.once is once, "standard input alone has an end"


def test_tables_name_other_sources_and_those_of_the_server_are_passed_over(tmp_path):
    toml = """
    [[source]]
    kind = "journald"
    units = ["shop.service"]
    [[source]]
    kind = "elk"
    index = "logs-*"
    [[source]]
    kind = "sentry"
    project = "7"
    repo_url = "https://git.example/acme/web"
    [[source]]
    path = "c.log"
    [[source]]
    path = "-"
    """
    environment = {"ELK_URL": "https://es.example", "ELK_INDEX": "others", "LOG_FILE_PATH": ""}
    sources = options(tmp_path, toml=toml, environment=environment).sources
    assert [source.kind for source in sources] == ["file", "journald", "elk", "stdin"]
    assert (sources[1].units, sources[2].index) == (("shop.service",), "logs-*")
    assert {source.repo_url for source in sources} == {BASE["AGENT_REPO_URL"]}


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({"environment": {"LOG_SOURCE": "syslog"}}, "LOG_SOURCE (environment): 'syslog' must be one of"),
        ({"environment": {"LOG_SOURCE": "elk"}}, "ELK_URL: is missing"),
        ({"environment": {"LOG_SOURCE": "elk", "ELK_URL": "es:9200"}}, "ELK_URL: must look like"),
        (
            {"environment": {"LOG_SOURCE": "docker", "DOCKER_HOST": "tcp://x:1"}},
            "DOCKER_HOST: must look like",
        ),
        ({"toml": '[[source]]\nkind = "syslog"\n'}, "kind must be one of"),
        ({"toml": '[[source]]\nkind = "file"\n'}, "path is missing"),
    ],
    ids=["kind", "no address", "no URL", "no socket", "kind of a table", "no path"],
)
def test_a_wrong_source_is_named(tmp_path, places, words):
    assert words in complaint(tmp_path, **places)


def test_the_password_in_an_address_is_not_said_when_it_is_wrong(tmp_path):
    environment = {"LOG_SOURCE": "elk", "ELK_URL": "https://elastic:s3cret@es.example/?a=b"}
    assert "s3cret" not in complaint(tmp_path, environment=environment)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--log-path", "a.log", "b.log"], True),
        (["--log-path", "a.log", "b.log", "--once"], True),
        (["--log-path", "a.log", "--onse"], False),
        (["b.log"], False),
    ],
    ids=["expanded", "expanded before a flag", "misspelt flag", "no path"],
)
def test_a_glob_that_the_shell_expanded_is_told_to_be_quoted(capsys, arguments, hint):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "unrecognized arguments: " in said
    assert ("Put it in quotes: --log-path '" in said) is hint


@pytest.mark.parametrize(
    ("dotenv", "url"),
    [
        ("HTTP_PORT=9090", "http://127.0.0.1:9090"),
        ("HTTP_HOST=0.0.0.0\nHTTP_PORT=9090", "http://127.0.0.1:9090"),
        ("HTTP_HOST=::1", "http://[::1]:8080"),
        ("HTTP_PORT=9090\nAGENT_SERVER_URL=https://ops.example", "https://ops.example"),
        ("HTTP_PORT=none", "http://127.0.0.1:8080"),
        ("", "http://127.0.0.1:8080"),
    ],
)
def test_without_an_address_the_server_that_is_configured_here_is_asked(tmp_path, dotenv, url):
    assert options(tmp_path, dotenv=dotenv).server_url == url
