"""From settings to the ways of telling people: what is wrong is named, what is secret stays so."""

import sys
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from ai_ops import preflight
from ai_ops.config_loading import ConfigurationError, load
from ai_ops.core.clock import SystemClock
from ai_ops.core.mail_pacing import Pacing, QuietHours
from ai_ops.flow.notification import NotificationKind, Way
from ai_ops.settings import Settings, masked
from ai_ops.wiring.adapters import policy
from ai_ops.wiring.masking import channels, redactor
from ai_ops.wiring.telling import endpoints, others, pacing, receivers, wishes

SLACK = "slack://TAAAAAAAA/BAAAAAAAA/plantedslacktokenofours1"
TOML = f"""
[[webhook]]
name = "ops"
url = "https://hooks.example.com/x"
secret = "planted-webhook-secret"
events = ["failed", "needs_review"]

[[channel]]
name = "team"
url = "{SLACK}"
"""


def loaded(tmp_path, toml="", **environment):
    (tmp_path / "ai-ops.toml").write_text(toml, encoding="utf-8")
    return load(environment=environment, folder=tmp_path)


def test_webhooks_and_channels_are_told_beside_the_people(tmp_path):
    settings = loaded(
        tmp_path, TOML, NOTIFY_URLS="json://chat.example/x,tgram://123456789:abcdefg_hij/1"
    ).settings
    named = receivers(settings)
    assert named[:2] == ("webhook:ops", "channel:team")
    assert [each.partition("-")[0] for each in named[2:]] == ["channel:json", "channel:tgram"]
    assert set(others(settings, SystemClock())) == {Way.WEBHOOK, Way.CHANNEL}
    assert wishes(settings) == {"webhook:ops": {NotificationKind.FAILED, NotificationKind.NEEDS_REVIEW}}
    assert policy(settings, "salt", "").recipients == ("on-call@localhost.localdomain", *named)
    silent = settings.model_copy(update={"email_enabled": False})
    assert policy(silent, "salt", "").recipients == named
    assert receivers(Settings()) == ()


def test_their_secrets_are_shown_nowhere_and_masked_everywhere(tmp_path):
    given = loaded(tmp_path, TOML, NOTIFY_URLS="tgram://123456789:planted_bot_token/1")
    shown = " ".join(masked(getattr(given.settings, name)) for name in Settings.model_fields)
    told = redactor(given.settings).redact(
        f"{shown} planted-webhook-secret plantedslacktokenofours1 planted_bot_token {SLACK} chat.example"
    )
    assert "planted" not in shown
    assert "planted" not in told
    assert "chat.example" in told
    assert "planted" not in repr(endpoints(given.settings))


def test_a_secret_may_lie_in_a_file(tmp_path):
    (tmp_path / "secret").write_text("from-a-file\n", encoding="utf-8")
    toml = TOML.replace('secret = "planted-webhook-secret"', f'secret_file = "{tmp_path}/secret"')
    toml = toml.replace(f'url = "{SLACK}"', f'url_file = "{tmp_path}/secret"')
    settings = loaded(tmp_path, toml).settings
    assert endpoints(settings)["ops"].secret == b"from-a-file"
    assert channels(settings) == {"team": "from-a-file"}


def test_the_pace_is_as_it_was_set(tmp_path):
    assert pacing(Settings()) == Pacing(burst=10, per_hour=30, zone=ZoneInfo("UTC"))
    settings = loaded(
        tmp_path, MAIL_DIGEST="daily", MAIL_DIGEST_AT="06:30", MAIL_BURST="0", MAIL_BURST_SECONDS="60",
        MAIL_PER_HOUR="3", MAIL_QUIET_HOURS="22:00-07:00", MAIL_TIMEZONE="Europe/Berlin",
    ).settings  # fmt: skip
    assert pacing(settings) == Pacing(
        "daily",
        time(6, 30),
        0,
        timedelta(minutes=1),
        3,
        QuietHours(time(22), time(7)),
        ZoneInfo("Europe/Berlin"),
    )


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MAIL_QUIET_HOURS": "22-7"}, "MAIL_QUIET_HOURS (environment) must look like 22:00-07:00"),
        ({"MAIL_QUIET_HOURS": "07:00-07:00"}, "must look like 22:00-07:00"),
        ({"MAIL_DIGEST_AT": "8 o'clock"}, "(environment) must be a time of the day like 08:00"),
        ({"MAIL_TIMEZONE": "Middle/Earth"}, "must be a time zone that this machine knows"),
        ({"MAIL_TIMEZONE": "../../etc/passwd"}, "must be a time zone that this machine knows"),
        ({"MAIL_DIGEST": "weekly"}, "must be one of off, hourly, daily"),
        ({"MAIL_PER_HOUR": "-1"}, "must be 0 or more"),
    ],
)  # fmt: skip
def test_a_pace_that_is_none_is_named(tmp_path, environment, words):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, **environment)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('secret = "planted-webhook-secret"', "", "needs either secret or secret_file"),
        ('name = "ops"', 'name = "webhook: ops"', "[[webhook]] 1, name"),
        ('"failed"', '"everything"', "[[webhook]] 1, events"),
        ('url = "https://hooks.example.com/x"', 'url = "file:///etc/passwd"', "must look like https://host"),
        (f'url = "{SLACK}"', "", "needs either url or url_file"),
    ],
    ids=["no secret", "name", "event", "scheme", "no channel"],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path, old, new, words):
    assert old in TOML
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, TOML.replace(old, new))
    assert words in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("planted-webhook-secret", "whsec_§", "ops (ai-ops.toml) has a secret that begins with whsec_"),
        ('secret = "', 'secret_file = "/nowhere/', "webhook-secret, which cannot be read"),
        (SLACK, "slack://planted", "[[channel]] team (ai-ops.toml) cannot be used: The address of a channel"),
        ("", TOML, "WEBHOOK (ai-ops.toml) has two tables called ops"),
    ],
    ids=["base64", "file", "address", "twice"],
)  # fmt: skip
def test_what_only_looks_right_is_found_before_a_start(tmp_path, old, new, words):
    given = loaded(tmp_path, TOML.replace(old, new) if old else TOML + new)
    told = " ".join(map(str, preflight.problems(given)))
    assert words in told
    assert "slack://planted" not in told
    assert preflight.problems(loaded(tmp_path, TOML)) == ()


def test_channels_without_the_extra_are_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert preflight.problems(loaded(tmp_path)) == ()
    (problem,) = preflight.problems(loaded(tmp_path, NOTIFY_URLS="json://chat.example/x"))
    assert problem.key == "NOTIFY_URLS"
    assert "ai-ops[server,channels]" in problem.mend
