"""``ai-ops replay`` over real files, as a person runs it."""

import gzip
import json
import os
import subprocess
import sys

import pytest

from tests.support.agents import lay_down_root
from tests.support.cli import ROOT, ai_ops

TRACE = (
    "2026-11-{day:02} 08:00:00,123 ERROR shop: request {number} failed\n"
    "Traceback (most recent call last):\n"
    '  File "/srv/app/shop/ratings.py", line 12, in summary\n'
    "    return total / count\n"
    "ZeroDivisionError: division by zero\n"
)
REFUSED = "2026-11-{day:02} 09:00:00,000 ERROR shop: ConnectionRefusedError: [Errno 111] Connection refused\n"
CALM = "2026-11-{day:02} 07:00:00,000 INFO shop: all is well\n"


@pytest.fixture
def folder(tmp_path):
    def day(number, repeats):
        return CALM.format(day=number) * 50 + "".join(
            TRACE.format(day=number, number=n) + REFUSED.format(day=number) for n in range(repeats)
        )

    (tmp_path / "app.log").write_text(day(3, 2))
    (tmp_path / "app.log.1").write_text(day(2, 3))
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(day(1, 4).encode()))
    for age, name in enumerate(["app.log", "app.log.1", "app.log.2.gz"]):
        os.utime(tmp_path / name, (1_700_000_000 - age, 1_700_000_000 - age))
    return tmp_path


def replayed(folder, *arguments, **environment):
    code, out, err = ai_ops("replay", *arguments, "--json", cwd=folder, environment=environment)
    assert code == 0, err
    return json.loads(out)


def test_all_generations_of_a_log_are_read_and_grouped(folder):
    found = replayed(folder, "app.log*")
    assert [(log["path"], log["errors"], log["problem"]) for log in found["logs"]] == [
        ("app.log.2.gz", 8, None),
        ("app.log.1", 6, None),
        ("app.log", 4, None),
    ]
    fault, refused = found["groups"]
    assert (fault["count"], fault["task"], fault["triage"]) == (9, True, "code_fault")
    assert fault["exception_type"] == "ZeroDivisionError"
    assert fault["paths"] == ["app.log", "app.log.1", "app.log.2.gz"]
    assert fault["first_seen"].startswith("2026-11-01")
    assert fault["last_seen"].startswith("2026-11-03")
    assert (refused["count"], refused["task"], refused["triage"]) == (9, False, "infrastructure")
    assert refused["reason"]
    assert found["prediction"]["pull_requests_at_most"] == 1
    assert found["prediction"]["cost_usd"]["at_most"] == 2.0


@pytest.mark.parametrize("since", ["2026-11-03", "2026-11-03T00:00:00+00:00"])
def test_since_leaves_out_what_is_older(folder, since):
    found = replayed(folder, "app.log*", "--since", since, TZ="UTC")
    assert [group["count"] for group in found["groups"]] == [2, 2]


def test_since_takes_an_age(folder):
    assert replayed(folder, "app.log*", "--since", "1h")["groups"] == []


def test_a_repository_that_would_be_refused_is_said(folder):
    found = replayed(folder, "app.log", "--repo-url", "https://elsewhere.example/a/b")
    assert "elsewhere.example" in found["refused"]
    assert [group["task"] for group in found["groups"]] == [False, False]
    assert found["prediction"]["pull_requests_at_most"] == 0
    assert replayed(folder, "app.log", "--repo-url", "https://github.com/a/b")["refused"] is None


def test_people_get_a_table_and_the_prediction_in_words(folder):
    code, out, err = ai_ops("replay", "app.log*", cwd=folder)
    assert (code, err) == (0, "")
    assert "3 logs" in out
    assert "18 errors, 2 groups" in out
    assert "ZeroDivisionError in summary" in out
    assert "1 repair, at most as many pull requests" in out


def test_nothing_is_written(folder):
    before = sorted(path.name for path in folder.iterdir())
    replayed(folder, "app.log*", TMPDIR=str(folder))
    assert sorted(path.name for path in folder.iterdir()) == before


def damage(path):
    """Write an archive that is damaged in its middle; an error stands at its beginning."""
    calm = "".join(f"2026-11-01 07:00:00 INFO {os.urandom(40).hex()}\n" for _ in range(20_000))
    whole = bytearray(gzip.compress((TRACE.format(day=1, number=1) + calm).encode()))
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)


def test_an_archive_that_was_cut_short_gives_what_is_there_and_is_named(folder):
    for size in (-1, 20_000, 5):
        whole = gzip.compress(TRACE.format(day=1, number=1).encode() + os.urandom(40_000))
        (folder / "cut.log.gz").write_bytes(whole[:size])
        code, out, _ = ai_ops("replay", "cut.log.gz", "--json", cwd=folder)
        found = json.loads(out)
        assert (code, "cut short" in found["logs"][0]["problem"]) == (1, True)
        assert [group["count"] for group in found["groups"]] == [1] * (size != 5)


def test_archives_packed_one_after_another_are_whole(folder):
    path = folder / "two.log.gz"
    path.write_bytes(b"".join(gzip.compress(TRACE.format(day=d, number=d).encode()) for d in (1, 2)))
    assert [group["count"] for group in replayed(folder, "two.log.gz")["groups"]] == [2]


@pytest.mark.skipif(sys.platform != "linux", reason="root is refused nothing elsewhere")
def test_a_folder_that_may_not_be_looked_into_is_named(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0)
    for name in ("closed/a.log", "closed/*.log"):
        command = [sys.executable, "-m", "ai_ops", "replay", name]
        done = subprocess.run(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            preexec_fn=lay_down_root,
            check=False,
        )
        assert done.returncode == 3
        assert f"{name} names no file: no permission to read {closed}" in done.stderr
    closed.chmod(0o700)


def test_a_damaged_archive_gives_its_beginning_and_is_named(folder):
    damage(folder / "bad.log.gz")
    code, out, _ = ai_ops("replay", "bad.log.gz", "--json", cwd=folder)
    assert code == 1
    found = json.loads(out)
    assert "damaged" in found["logs"][0]["problem"]
    assert [group["count"] for group in found["groups"]] == [1]


def test_what_the_server_expects_is_no_task(folder):
    (folder / "ai-ops.toml").write_text(
        '[[expected]]\ntype = "ZeroDivisionError"\npath = "shop/*.py"\nreason = "known to the shop team"\n'
    )
    fault = next(g for g in replayed(folder, "app.log")["groups"] if g["exception_type"])
    assert (fault["task"], fault["triage"]) == (False, "expected")
    assert "known to the shop team" in fault["reason"]


def test_secrets_are_masked(folder):
    (folder / "s.log").write_text("2026-11-01 08:00:00 ERROR login with password=hunter2hunter2 failed\n")
    code, out, _ = ai_ops("replay", "s.log", "--json", cwd=folder)
    assert code == 0
    assert "hunter2hunter2" not in out


def test_the_installations_own_rules_mask_too(folder):
    (folder / "ai-ops.toml").write_text('[[redact]]\nname = "staff"\npattern = "EMP-[0-9]{6}"\n')
    (folder / "s.log").write_text("2026-11-01 08:00:00 ERROR badge of EMP-123456 was refused\n")
    code, out, err = ai_ops("replay", "s.log", "--json", cwd=folder)
    assert (code, "EMP-123456" in out + err) == (0, False)
    assert "badge of ***" in out


def test_what_a_source_ignores_is_not_forecast(folder):
    (folder / "ai-ops.toml").write_text(
        '[[source]]\npath = "*.log"\nrepo_url = "https://github.com/a/b"\nignore = ["division by zero"]\n'
        '[[source]]\npath = "other/*.log"\nrepo_url = "https://github.com/a/c"\nignore = ["refused"]\n'
    )
    found = replayed(folder, "app.log*")
    assert [(group["exception_type"], group["count"]) for group in found["groups"]] == [
        ("ConnectionRefusedError", 9)
    ]
    (folder / "other").mkdir()
    (folder / "app.log").rename(folder / "other" / "app.log")
    found = replayed(folder, "other/app.log")
    assert [(group["exception_type"], group["count"]) for group in found["groups"]] == [
        ("ZeroDivisionError", 2)
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.log"], 3, "names no file"),
        (["app.log", "--since", "yesterday-ish"], 2, "is no time"),
        (["app.log", "--since", "999999w"], 2, "is no time"),
        (["app.log", "--since", "9" * 5000 + "d"], 2, "is no time"),
        ([], 2, "LOG"),
    ],
    ids=["no file", "no time", "before all time", "a number too long", "no argument"],
)
def test_wrong_arguments_are_said_with_their_code(folder, arguments, code, words):
    ended, _, err = ai_ops("replay", *arguments, cwd=folder)
    assert (ended, words in err) == (code, True), err


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_a_log_that_cannot_be_read_fails_after_the_rest_was_printed(folder, as_json):
    damage(folder / "bad.log.gz")
    code, out, err = ai_ops("replay", "app.log", "bad.log.gz", *["--json"] * as_json, cwd=folder)
    assert code == 1
    if as_json:
        found = json.loads(out)
        assert [bool(log["problem"]) for log in found["logs"]].count(True) == 1
        assert {group["count"] for group in found["groups"]} >= {2}
    else:
        assert "bad.log.gz" in err
        assert "2 logs" in out and "ZeroDivisionError in summary" in out
