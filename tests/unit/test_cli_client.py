"""The command line's client: streams, servers that are slow to come, and what is no server of ours."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ai_ops.cli.client import ApiClient
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.sse import ServerEvent, parse


def test_events_are_read_with_kind_id_and_data():
    stream = b': ping\n\nevent: step\nid: 7\ndata: {"a": 1}\n\ndata: [1]\r\n\r\nevent: lost\ndata: 1\n'
    assert list(parse(stream.splitlines(keepends=True))) == [
        ServerEvent("step", "7", {"a": 1}),
        ServerEvent("message", "", [1]),
    ]


class Answers(BaseHTTPRequestHandler):
    """Answers from a list of (status, body); notes what was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Last-Event-ID")))
        status, body = (200, b"{}") if self.path == "/healthz" else self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        return


@pytest.fixture
def server():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.answers, running.asked = [], []
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def client(server):
    return ApiClient(f"http://127.0.0.1:{server.server_port}", "")


def test_a_stream_that_breaks_off_is_taken_up_where_it_was(server):
    server.answers = [
        (200, b'event: step\nid: 4\ndata: {"n": 1}\n\nevent: step\nid: 5\ndata: {"n"'),
        (200, b'event: step\nid: 5\ndata: {"n": 2}\n\nevent: complete\nid: 6\ndata: {}\n\n'),
    ]
    events = list(client(server).events("/stream"))
    assert [event.id for event in events] == ["4", "5", "6"]
    assert [asked for asked in server.asked if asked[0] == "/stream"] == [("/stream", None), ("/stream", "4")]


def test_a_stream_of_nothing_is_not_found(server):
    problem = {"detail": "There is no task with this id", "code": "task_not_found"}
    server.answers = [(404, json.dumps(problem).encode())]
    with pytest.raises(CliError, match="task_not_found") as caught:
        list(client(server).events("/stream"))
    assert caught.value.code is Exit.NOT_FOUND


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_was_said():
    with pytest.raises(CliError) as caught:
        ApiClient("http://127.0.0.1:9", "").wait(0.01)
    assert caught.value.code is Exit.UNREACHABLE


def test_https_towards_a_server_of_plain_http_says_which_address_to_use(server):
    url = f"https://127.0.0.1:{server.server_port}"
    with pytest.raises(CliError) as caught:
        ApiClient(url, "").get("/v1/tasks")
    assert caught.value.code is Exit.UNREACHABLE
    assert str(caught.value) == f"the server at {url} speaks plain http; use {url.replace('https', 'http')}"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("ftp://x", ""),
        ("nonsense", ""),
        ("http://127.0.0.1:9/a b", ""),
        ("http://127.0.0.1:port", ""),
        ("http://joe:planted@127.0.0.1:9", ""),
        ("http://127.0.0.1:9", "planted\nkey"),
        ("http://127.0.0.1:9", "planted-鍵"),
    ],
    ids=["scheme", "no scheme", "blank", "port", "password", "key of two lines", "key of no ASCII"],
)
def test_an_address_or_a_key_that_cannot_be_is_a_usage_error_that_tells_no_key(url, key):
    with pytest.raises(CliError) as caught:
        ApiClient(url, key).get("/v1/tasks")
    assert caught.value.code is Exit.USAGE
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"\xff"], ids=["a page", "bytes"])
def test_another_server_is_told_apart_from_ours(server, body):
    server.answers = [(200, body)]
    with pytest.raises(CliError, match="no AI-Ops server") as caught:
        client(server).get("/v1/tasks")
    assert caught.value.code is Exit.FAILED


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (401, "key_missing", Exit.REFUSED),
        (403, "scope_missing", Exit.REFUSED),
        (404, "task_not_found", Exit.NOT_FOUND),
        (404, "pull_request_not_found", Exit.NOT_FOUND),
        (404, "artifact_not_found", Exit.NOT_FOUND),
        (409, "illegal_transition", Exit.REFUSED),
        (409, "ambiguous_id", Exit.USAGE),
        (422, "invalid_request", Exit.USAGE),
        (500, "internal_error", Exit.FAILED),
        (503, "storage_unavailable", Exit.FAILED),
    ],
)
def test_each_problem_has_its_exit_code_and_one_sentence(server, status, code, wanted):
    server.answers = [(status, json.dumps({"detail": "It is so.", "code": code}).encode())]
    with pytest.raises(CliError) as caught:
        client(server).get("/v1/tasks")
    further = {
        "key_missing": "; a command's key is AI_OPS_API_KEY",
        "task_not_found": "; see `ai-ops task list`",
        "pull_request_not_found": "; see `ai-ops pr list`",
    }
    assert (caught.value.code, str(caught.value)) == (wanted, f"It is so ({code}){further.get(code, '')}")


def test_a_next_step_that_the_server_says_is_not_said_again(server):
    body = {"detail": "There is no such task. `ai-ops task list`", "code": "task_not_found"}
    server.answers = [(404, json.dumps(body).encode())]
    with pytest.raises(CliError) as caught:
        client(server).get("/v1/tasks/x")
    assert str(caught.value) == "There is no such task. `ai-ops task list` (task_not_found)"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"detail": null, "code": 1}', b"<html>"])
def test_a_failure_that_is_no_problem_is_told_by_its_status(server, body):
    server.answers = [(502, body)]
    with pytest.raises(CliError, match="the server answered 502"):
        client(server).get("/v1/tasks")


def test_every_field_that_is_wrong_is_told_and_the_first_once(server):
    errors = [{"field": name, "reason": "is needed"} for name in ("a", "b")]
    body = {"detail": "a: is needed", "code": "invalid_request", "errors": errors}
    server.answers = [(422, json.dumps(body).encode())]
    with pytest.raises(CliError) as caught:
        client(server).get("/v1/tasks")
    assert str(caught.value) == "a: is needed (invalid_request)\n  b: is needed"
