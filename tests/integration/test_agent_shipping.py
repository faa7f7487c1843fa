"""A real agent process against a real server that may be down, slow to agree, or refuse."""

import json
import os
import re
import socket
import sqlite3
import stat
from pathlib import Path

import pytest

from ai_ops.agent.delivery import HttpDelivery
from ai_ops.errors import TemporaryError
from tests.support.agents import agent, event_server, problem, until

TRACE = """Traceback (most recent call last):
  File "/app/shop/cart.py", line 12, in total
    return sum(prices) / count
ZeroDivisionError: division by zero
"""


@pytest.fixture
def server():
    with event_server() as made:
        yield made


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.touch()
    return path


def write(path, *texts):
    with path.open("a") as file:
        file.write("".join(f"2026-03-01 12:00:00 ERROR {text}\n" for text in texts))


def following(agent_process):
    until(lambda: "following" in agent_process.said)


def test_an_error_arrives_whole(tmp_path, log, server):
    with agent(
        tmp_path, server.url, "--log-path", str(log), AGENT_API_KEY="key-1", SERVICE_NAME="shop"
    ) as running:
        following(running)
        with log.open("a") as file:
            file.write(f"starting\n2026-03-01 12:00:00 ERROR request failed\n{TRACE}")
        until(lambda: server.total == 1)
        assert running.terminate() == 0
    (event,) = server.events.values()
    assert event["error"]["exception_type"] == "ZeroDivisionError"
    assert event["error"]["raw_excerpt"] == f"2026-03-01 12:00:00 ERROR request failed\n{TRACE}".rstrip()
    assert event["context"] == ["starting"]
    assert event["repo"]["repo_url"] == "https://git.example/acme/shop"
    assert (event["node"], event["service"], event["count"]) == ("node-1", "shop", 1)
    assert event["source"] == {"path": str(log), "offset": 9}
    assert server.requests[0][1]["X-API-Key"] == "key-1"


def test_the_counts_are_shipped_when_it_is_told_to_stop_and_an_open_record_at_the_next_start(
    tmp_path, log, server
):
    with agent(tmp_path, server.url, "--log-path", str(log), DEBOUNCE_SECONDS="600") as running:
        following(running)
        write(log, *["request 1 failed"] * 5)
        until(lambda: server.total == 1)
        assert running.terminate() == 0
    assert sorted(event["count"] for event in server.events.values()) == [1, 3]
    with agent(tmp_path, server.url, "--log-path", str(log), "--once") as running:
        assert running.wait() == 0
    assert server.total == 5


def test_the_spool_is_for_the_owner_alone(tmp_path, log, server):
    with agent(tmp_path, server.url, "--log-path", str(log)) as running:
        following(running)
        write(log, "x failed")
        until(lambda: server.total == 1)
        folder = tmp_path / "data" / "spool"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_once_reads_to_the_end_and_exits(tmp_path, log, server):
    write(log, *(f"part{n}x failed" for n in range(1200)))
    flags = ("--log-path", str(tmp_path / "*.log"), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
        assert running.wait() == 0
    assert server.total == 1200
    with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
        assert running.wait() == 0
    assert server.total == 1200


def test_https_towards_a_server_of_plain_http_says_which_address_to_use(server):
    url = server.url.replace("http:", "https:")
    with pytest.raises(TemporaryError, match="speaks plain http") as caught:
        HttpDelivery(url).deliver([b'{"event_id": "x"}'])
    assert caught.value.code == "server_unreachable"
    assert caught.value.next_step.startswith(f"Set AGENT_SERVER_URL to {server.url}, or")


def test_events_wait_while_the_server_is_down(tmp_path, log):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    write(log, "x failed", "y failed")
    flags = ("--log-path", str(log), "--from-start")
    with agent(tmp_path, f"http://127.0.0.1:{port}", *flags) as running:
        until(lambda: "does not answer" in running.said)
        with event_server(port) as server:
            until(lambda: server.total == 2)
            until(lambda: "shipping again" in running.said)
        assert running.said.count("does not answer") == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (problem(401, "unknown key"), "AGENT_API_KEY"),
        (problem(403), "right to POST"),
        (problem(429, Retry_After="0"), "answered 429"),
        (problem(500), "answered 500"),
        (problem(503, Retry_After="0"), "answered 503"),
        ((404, {}, {}), "Is AGENT_SERVER_URL an AI-Ops server?"),
        ((400, {"Content-Type": "text/html"}, "proxy"), "answered 400"),
        (
            (302, {"Location": "http://127.0.0.1:9/"}, {}),
            "answered 302. Set AGENT_SERVER_URL to where the server itself is, perhaps http://127.0.0.1:9/.",
        ),
        ((302, {}, {}), "Set AGENT_SERVER_URL to where the server itself is."),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_what_may_pass_by_itself_keeps_the_events(tmp_path, log, server, answer, said):
    refusals = iter([answer, answer])
    server.behave = lambda batch, headers: next(refusals, None)
    write(log, "x failed", "y failed")
    with agent(tmp_path, server.url, "--log-path", str(log), "--from-start") as running:
        until(lambda: server.total == 2)
        assert said in running.said
        assert len(re.findall(r"events? waits?:", running.said)) == 1


def test_retry_after_is_honoured(tmp_path, log, server):
    refusals = iter([problem(429, Retry_After="1")])
    server.behave = lambda batch, headers: next(refusals, None)
    write(log, "x failed")
    with agent(tmp_path, server.url, "--log-path", str(log), "--from-start"):
        until(lambda: server.total == 1)
    first, second = server.requests
    assert second[0] - first[0] >= 1.0


def test_a_batch_that_is_too_large_is_split(tmp_path, log, server):
    server.behave = lambda batch, headers: problem(413) if len(batch) > 3 else None
    write(log, *(f"part{n}x failed" for n in range(40)))
    flags = ("--log-path", str(log), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
        assert running.wait() == 0
    assert server.total == 40


def test_what_the_server_rejects_is_put_aside_and_counted(tmp_path, log, server):
    def behave(batch, headers):
        bad = [i for i, event in enumerate(batch) if "bad" in event["error"]["message"]]
        return 200, {}, {"rejected": [{"index": index, "reason": "is bad"} for index in bad]}

    server.behave = behave
    write(log, "good failed", "bad failed", "fine failed")
    with agent(tmp_path, server.url, "--log-path", str(log), "--from-start", "--once") as running:
        assert running.wait() == 1
        assert "1 event was rejected: is bad." in running.said
        assert f"lies in {tmp_path}/data/spool/rejected." in running.said
        assert "--resend-rejected" in running.said
    assert server.total == 2
    (file,) = (tmp_path / "data" / "spool" / "rejected").iterdir()
    kept = json.loads(file.read_text())
    assert kept["reason"] == "is bad"
    assert kept["event"]["error"]["message"] == "bad failed"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_one_event_that_spoils_its_batch_is_found(tmp_path, log, server):
    def behave(batch, headers):
        return problem(422) if any("bad" in event["error"]["message"] for event in batch) else None

    server.behave = behave
    write(log, *(f"part{n}x failed" for n in range(20)), "bad failed")
    flags = ("--log-path", str(log), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
        assert running.wait() == 1
    assert server.total == 20
    assert len(list((tmp_path / "data" / "spool" / "rejected").iterdir())) == 1


def test_reading_pauses_while_the_spool_is_full_and_nothing_is_lost(tmp_path, log, server):
    server.behave = lambda batch, headers: problem(503, Retry_After="0")
    write(log, *(f"part{n}x failed" for n in range(300)))
    flags = ("--log-path", str(log), "--from-start")
    options = {"DEDUP_WINDOW_SECONDS": "0", "MAX_ERROR_QUEUE_SIZE": "50"}
    with agent(tmp_path, server.url, *flags, **options) as running:
        until(lambda: "the spool is full" in running.said)
        server.behave = lambda batch, headers: None
        until(lambda: server.total == 300)
        assert running.terminate() == 0
        assert "300 occurrences shipped, 0 rejected, 0 dropped" in running.said


def test_deleted_files_that_do_not_fit_are_dropped_and_counted_exactly(tmp_path, log, server):
    server.behave = lambda batch, headers: problem(503, Retry_After="0")
    options = {"DEDUP_WINDOW_SECONDS": "0", "MAX_ERROR_QUEUE_SIZE": "50"}
    with agent(tmp_path, server.url, "--log-path", str(log), **options) as running:

        def dropped():
            said = re.findall(r"(\d+) occurrences? w(?:as|ere) dropped", running.said)
            return sum(map(int, said))

        for number in range(13):
            until(lambda wanted=number + 1: running.said.count("following") == wanted)
            write(log, *(f"part{number}x{line}y failed" for line in range(40)))
            log.rename(log.with_name("gone")).unlink()
            log.touch()
        until(lambda: dropped() > 0)
        server.behave = lambda batch, headers: None
        until(lambda: server.total + dropped() == 13 * 40)
        assert running.terminate() == 0
        assert f"{server.total} occurrences shipped, 0 rejected, {dropped()} dropped" in running.said


def test_a_second_agent_on_the_same_spool_is_refused(tmp_path, log, server):
    with agent(tmp_path, server.url, "--log-path", str(log)) as running:
        following(running)
        with agent(tmp_path, server.url, "--log-path", str(log)) as second:
            assert second.wait() == 1
        assert "another agent works on" in running.said


def rejecting(word):
    """Return a server's behaviour that rejects the events of repositories with this word."""

    def behave(batch, headers):
        bad = [index for index, event in enumerate(batch) if word in event["repo"]["repo_url"]]
        rejected = [{"index": index, "reason": "is not allowed. Allow it."} for index in bad]
        return 200, {}, {"rejected": rejected}

    return behave


def spool_totals(tmp_path):
    with sqlite3.connect(tmp_path / "data" / "spool" / "spool.db") as database:
        return dict(database.execute("SELECT name, value FROM totals"))


def test_what_was_rejected_is_sent_again_to_the_repository_that_is_configured_now(tmp_path, log, server):
    server.behave = rejecting("wrong")
    write(log, *["request failed"] * 3)
    flags = ("--log-path", str(log), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags, "--repo-url", "https://git.example/acme/wrong") as running:
        assert running.wait() == 1
        said = re.findall(r"(\d) events? \w+ rejected: is not allowed. Allow it. What is kept", running.said)
        assert sum(map(int, said)) == 2, "in one batch or in two"
    with agent(tmp_path, server.url, *flags) as running:
        assert running.wait() == 0, "what lies there is not sent again unasked"
    assert server.total == 0
    with agent(tmp_path, server.url, *flags, "--resend-rejected") as running:
        assert running.wait() == 0
        assert "2 rejected events are sent again from" in running.said
    assert server.total == 3
    assert {e["repo"]["repo_url"] for e in server.events.values()} == {"https://git.example/acme/shop"}
    assert list((tmp_path / "data" / "spool" / "rejected").iterdir()) == []
    assert spool_totals(tmp_path) == {"shipped": 3, "rejected": 0}


def test_what_is_rejected_again_lies_there_again(tmp_path, log, server):
    server.behave = rejecting("shop")
    write(log, "request failed")
    flags = ("--log-path", str(log), "--from-start", "--once")
    for more in ((), ("--resend-rejected",), ("--resend-rejected",)):
        with agent(tmp_path, server.url, *flags, *more) as running:
            assert running.wait() == 1
    assert len(list((tmp_path / "data" / "spool" / "rejected").glob("*.json"))) == 1
    assert spool_totals(tmp_path) == {"rejected": 1}


def test_nothing_that_was_rejected_is_nothing_to_send_again(tmp_path, log, server):
    with agent(tmp_path, server.url, "--log-path", str(log), "--once", "--resend-rejected") as running:
        assert running.wait() == 0
        assert "0 rejected events are sent again" in running.said


def test_events_of_a_source_that_is_gone_keep_their_repository(tmp_path, log, server):
    server.behave = rejecting("wrong")
    write(log, "request failed")
    flags = ("--from-start", "--once")
    wrong = ("--log-path", str(log), "--repo-url", "https://git.example/acme/wrong")
    with agent(tmp_path, server.url, *flags, *wrong) as running:
        assert running.wait() == 1
    other = ("--log-path", str(tmp_path / "other.log"), "--resend-rejected")
    with agent(tmp_path, server.url, *flags, *other) as running:
        assert running.wait() == 1
    (file,) = (tmp_path / "data" / "spool" / "rejected").iterdir()
    assert json.loads(file.read_text())["event"]["repo"]["repo_url"] == "https://git.example/acme/wrong"


def test_a_path_that_finds_nothing_is_named_with_the_reason_and_again_when_it_appears(tmp_path, log, server):
    late = tmp_path / "late" / "app.log"
    flags = ("--log-path", str(log), "--log-path", str(tmp_path / "late" / "*.log"))
    with agent(tmp_path, server.url, *flags) as running:
        until(lambda: "The agent waits for it" in running.said)
        reason = f"nothing to follow at {late.parent}/*.log: the folder {late.parent} does not exist"
        assert reason in running.said
        assert f"nothing to follow at {log}" not in running.said
        late.parent.mkdir()
        write(late, "request failed")
        until(lambda: server.total == 1)
        assert f"a file for {late.parent}/*.log has appeared" in running.said
        assert running.said.count("nothing to follow") == 1


def test_a_file_that_may_not_be_read_is_named_once_and_followed_when_it_may(tmp_path, log, server):
    write(log, "old failed")
    log.chmod(0)
    with agent(tmp_path, server.url, "--log-path", str(log)) as running:
        until(lambda: "The agent waits for it" in running.said)
        assert f"nothing to follow at {log}: no permission to read {log}" in running.said
        looked_again = len(running.said)
        log.chmod(0o600)
        until(lambda: f"a file for {log} has appeared" in running.said)
        assert running.said[:looked_again].count("nothing to follow") == 1
        assert running.said.count("cannot open") == 1


def test_a_folder_that_may_not_be_read_is_named(tmp_path, server):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    try:
        with agent(tmp_path, server.url, "--log-path", str(folder / "*.log"), "--once") as running:
            assert running.wait() == 1
            words = f"nothing to follow at {folder}/*.log: no permission to read {folder}. There is nothing"
            assert words in running.said
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("name", ["gone.log", "gone-*.log"], ids=["path", "glob"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another"])
def test_once_fails_where_a_path_finds_nothing_after_it_shipped_the_rest(tmp_path, log, server, name, beside):
    write(log, "request failed")
    missing = str(tmp_path / name)
    flags = ("--log-path", missing, *(("--log-path", str(log)) if beside else ()), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags) as running:
        assert running.wait() == 1
        reason = "no file matches" if "*" in name else "there is no such file"
        last = running.said.splitlines()[-1]
        assert f"ERROR {missing} was not read to its end: {reason}. Mend the path" in last
        assert "glob in quotes" in last
    assert server.total == beside


def test_once_fails_where_one_file_of_several_cannot_be_opened(tmp_path, log, server):
    write(log, "request failed")
    closed = tmp_path / "closed.log"
    write(closed, "nobody knows")
    closed.chmod(0)
    flags = ("--log-path", str(tmp_path / "*.log"), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags) as running:
        assert running.wait() == 1
        assert f"{closed} was not read to its end: Permission denied" in running.said.splitlines()[-1]
    assert server.total == 1


def test_a_misspelt_flag_is_not_taken_for_a_glob(tmp_path):
    with agent(tmp_path, "http://127.0.0.1:9", "--log-path", "a.log", "--state-dir", "b") as running:
        assert running.wait() == 2
        assert "unrecognized arguments: --state-dir b" in running.said
        assert "glob" not in running.said


def test_an_empty_log_is_no_failure(tmp_path, log, server):
    with agent(tmp_path, server.url, "--log-path", str(log), "--from-start", "--once") as running:
        assert running.wait() == 0


@pytest.mark.parametrize("from_start", [False, True], ids=["from the end", "from the start"])
def test_old_lines_are_read_only_when_asked_and_never_twice(tmp_path, log, server, from_start):
    write(log, "first failed")
    flags = ("--log-path", str(log), "--once", *(["--from-start"] if from_start else []))
    for text in ("second failed", "third failed"):
        with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
            assert running.wait() == 0
        write(log, text)
    with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
        assert running.wait() == 0
    seen = sorted(event["error"]["message"] for event in server.events.values())
    assert seen == (["first failed"] if from_start else []) + ["second failed", "third failed"]
    assert sum(count for _, _, count in server.requests) == len(seen), "nothing came twice"


def test_it_says_at_the_end_what_was_shipped_and_what_the_server_knew(tmp_path, log, server):
    write(log, "first failed", "second failed")
    flags = ("--log-path", str(log), "--from-start", "--once")
    with agent(tmp_path, server.url, *flags) as running:
        assert running.wait() == 0
        assert "2 occurrences were shipped" in running.said
        assert "known" not in running.said
    write(log, "third failed")
    with agent(tmp_path, server.url, *flags) as running:
        assert running.wait() == 0
        assert "1 occurrence was shipped" in running.said
    with agent(tmp_path, server.url, *flags, "--data-dir", str(tmp_path / "fresh")) as running:
        assert running.wait() == 0
        known = re.findall(r"(\d+) events? (?:was|were) known to the server already", running.said)
        assert sum(map(int, known)) == 3


def test_a_file_whose_name_is_no_text_is_followed_like_any_other_through_a_restart(tmp_path, log, server):
    flags = ("--log-path", str(tmp_path / "*.log"), "--from-start", "--once")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n2026-01-01 ERROR forged.log"))
    write(log, "first failed")
    write(odd, "second failed")
    for more in ("third failed", "fourth failed"):
        with agent(tmp_path, server.url, *flags, DEDUP_WINDOW_SECONDS="0") as running:
            assert running.wait() == 0
        write(odd, more)
    messages = [event["error"]["message"] for event in server.events.values()]
    assert sorted(messages) == ["first failed", "second failed", "third failed"]
    assert "\n2026-01-01 ERROR forged" not in running.said
    assert {event["source"]["path"] for event in server.events.values()} == {
        str(log), str(odd).replace("\udce9", "?"),
    }  # fmt: skip


def test_a_pattern_that_is_no_text_is_known_at_the_next_start(tmp_path, server):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - its name is bytes
    flags = ("--log-path", os.fsdecode(folder + b"/*.log"), "--once")
    for name in ("first", "second"):
        with agent(tmp_path, server.url, *flags) as running:
            running.wait()
        write(Path(os.fsdecode(folder + f"/{name}.log".encode())), f"{name} failed")
    with agent(tmp_path, server.url, *flags) as running:
        assert running.wait() == 0
    assert server.total == 2  # both appeared after the first look, so they are read from their beginning
