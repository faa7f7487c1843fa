"""Bad input of every kind: a 4xx problem with a stable code and field, nothing stored, nothing started."""

import asyncio
import gzip
import json
import zlib

import pytest

from ai_ops.server import bodies
from ai_ops.server.bodies import BODY_LIMIT
from ai_ops.server.handlers.events import BATCH_BYTES
from tests.support.running_server import REPO, a_prompt, a_repair, running, wire_event

GZIP = {"Content-Encoding": "gzip"}
BOTH = ("/v1/tasks", "/v1/events")


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started
        await started.nothing_happened()


def is_problem(answer, status, code, field=None):
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-ID"]
    problem = answer.json
    assert problem["code"] == code, problem
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]], problem
        assert all(error["reason"] for error in problem["errors"])
    return True


MALFORMED = {
    "empty": b"",
    "cut short": b'{"prompt": "he',
    "two documents": b"{} {}",
    "comment": b'{"prompt": "x"} // no',
    "not UTF-8": b'{"prompt": "\xff"}',
    "UTF-16": '{"prompt": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"prompt": "x"}',
    "lone surrogate": b'{"prompt": "\\ud800"}',
    "NaN": b'{"prompt": "x", "budget_usd": NaN}',
    "Infinity": b'{"prompt": "x", "budget_usd": Infinity}',
    "1e400": b'{"prompt": "x", "budget_usd": 1e400}',
    "5000 digits": b'{"prompt": "x", "budget_usd": 1' + b"0" * 5000 + b"}",
    "nested deep": b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "raw control character": b'{"prompt": "a\x00b"}',
}


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_json_is_malformed(server, path, body):
    is_problem(await server.post(path, body=body), 400, "malformed_json")


async def test_a_field_named_twice_is_malformed(server):
    body = (
        b'{"prompt": "x", "repo_url": "https://github.com/acme/a", "repo_url": "https://github.com/acme/b"}'
    )
    is_problem(await server.post("/v1/tasks", body=body), 400, "malformed_json")


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("value", [None, [], "text", 7, True])
async def test_a_body_that_is_no_object_is_invalid(server, path, value):
    answer = await server.post(path, body=json.dumps(value).encode())
    is_problem(answer, 422, "invalid_request", "body" if path == "/v1/tasks" else "events")


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ";;;"]
)
async def test_only_json_is_taken(server, path, media_type):
    answer = await server.post(path, body=b'{"prompt": "x"}', headers={"Content-Type": media_type})
    is_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("path", BOTH)
async def test_only_gzip_is_taken_as_an_encoding(server, path):
    body = zlib.compress(b'{"prompt": "x"}')
    answer = await server.post(path, body=body, headers={"Content-Encoding": "deflate"})
    is_problem(answer, 415, "unsupported_encoding")


@pytest.mark.parametrize("path", BOTH)
async def test_a_damaged_gzip_stream_is_malformed(server, path):
    whole = gzip.compress(b'{"prompt": "x", "events": []}')
    wrong_sum = whole[:-8] + b"\0\0\0\0" + whole[-4:]
    for body in (b"", b"plain", whole[: len(whole) // 2], whole[:-3], whole + b"more", whole * 2, wrong_sum):
        is_problem(await server.post(path, body=body, headers=GZIP), 400, "malformed_gzip")


@pytest.mark.parametrize(("path", "limit"), [("/v1/tasks", BODY_LIMIT), ("/v1/events", BATCH_BYTES)])
async def test_a_huge_body_is_too_large_whether_it_says_so_or_comes_in_pieces(server, path, limit):
    is_problem(await server.post(path, body=b" " * (limit + 1)), 413, "too_large")
    headers = {"X-API-Key": server.key, "Content-Type": "application/json"}

    async def pieces():
        for _ in range(limit // 1_000_000 + 2):
            yield b" " * 1_000_000

    async with server.session.post(server.listening.url + path, data=pieces(), headers=headers) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["code"] == "too_large"


@pytest.mark.parametrize("path", BOTH)
async def test_a_gzip_bomb_is_stopped_at_the_limit(server, path):
    bomb = gzip.compress(b" " * 400_000_000, compresslevel=6)
    assert len(bomb) < 1_000_000
    is_problem(await server.post(path, body=bomb, headers=GZIP), 413, "too_large")


@pytest.mark.parametrize("rest", [b"", b"ZZ\r\n"], ids=["nothing more", "a broken chunk"])
async def test_a_body_that_never_ends_is_not_waited_for(server, monkeypatch, rest):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    head = (
        f"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.listening.port)
    writer.write(head + b"2\r\n{}\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(rest)
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 15)
    writer.close()
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"application/problem+json" in answer and b'"too_slow"' in answer


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(server):
    head = (
        f"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    ).encode()
    await server.raw(head + b'{"prompt": "x"', end=True)
    assert (await server.get("/healthz")).status == 200


NUL = "a\x00b"
BAD_TASKS = {
    "nothing": ({}, "error_content"),
    "both kinds": ({"prompt": "x", "error_content": "y", "repo_url": REPO}, "prompt"),
    "unknown field": (a_prompt(shell="rm -rf /"), "shell"),
    "unknown field of a prototype": (a_prompt(__proto__={}), "__proto__"),
    "empty error": (a_repair(error_content=""), "error_content"),
    "blank error": (a_repair(error_content=" \n\t "), "error_content"),
    "empty prompt": (a_prompt(prompt=""), "prompt"),
    "error of a wrong type": (a_repair(error_content=7), "error_content"),
    "error as a list": (a_repair(error_content=["x"]), "error_content"),
    "huge error": (a_repair(error_content="x" * 1_048_577), "error_content"),
    "NUL in the error": (a_repair(error_content=NUL), "error_content"),
    "NUL in a name": (a_prompt(name=NUL), "name"),
    "long name": (a_prompt(name="x" * 513), "name"),
    "no repository": ({"error_content": "x"}, "repo_url"),
    "empty repository": (a_repair(repo_url=""), "repo_url"),
    "repository of a wrong type": (a_repair(repo_url={"url": REPO}), "repo_url"),
    "unknown fix mode": (a_repair(fix_mode="magic"), "fix_mode"),
    "unknown type": (a_prompt(type="gigantic"), "type"),
    "unknown priority": (a_prompt(priority="asap"), "priority"),
    "priority of a wrong type": (a_prompt(priority=1), "priority"),
    "negative budget": (a_prompt(budget_usd=-1), "budget_usd"),
    "no budget": (a_prompt(budget_usd=0), "budget_usd"),
    "budget as text": (a_prompt(budget_usd="1"), "budget_usd"),
    "budget as a truth": (a_prompt(budget_usd=True), "budget_usd"),
    "endless time": (a_prompt(timeout_seconds=1e9), "timeout_seconds"),
    "tools that its type has not": (
        a_prompt(type="lightweight", allowed_tools=["Bash", "x"]),
        "allowed_tools",
    ),
    "a tool of a wrong type": (a_prompt(allowed_tools=["Read", 7]), "allowed_tools.1"),
    "too many tools": (a_prompt(allowed_tools=["Read"] * 51), "allowed_tools"),
    "a repair with a name": (a_repair(name="x"), "name"),
    "a repair with a time limit": (a_repair(timeout_seconds=5), "timeout_seconds"),
    "a prompt with a fix mode": (a_prompt(fix_mode="agentic"), "fix_mode"),
    "a code host without a repository": (a_prompt(code_host="github"), "code_host"),
}


@pytest.mark.parametrize(("body", "field"), BAD_TASKS.values(), ids=BAD_TASKS.keys())
async def test_a_task_that_does_not_fit_is_invalid_at_its_field(server, body, field):
    is_problem(await server.post("/v1/tasks", body), 422, "invalid_request", field)


async def test_a_folder_of_the_server_is_never_worked_on(server):
    is_problem(await server.post("/v1/tasks", a_prompt(folder="/etc")), 422, "folder_not_allowed", "folder")


async def test_ten_thousand_bad_fields_are_answered_briefly(server):
    body = a_prompt(**{f"field-{'x' * 300}-{number}": 1 for number in range(10_000)})
    answer = await server.post("/v1/tasks", body)
    is_problem(answer, 422, "invalid_request")
    assert len(answer.body) < 32_768


BAD_REPOSITORIES = {
    "an option": ("--upload-pack=touch /tmp/x", "invalid_repo_url"),
    "a short option": ("-uorigin", "invalid_repo_url"),
    "a remote helper": ("ext::sh -c touch% /tmp/x", "invalid_repo_url"),
    "a file descriptor": ("fd::17", "invalid_repo_url"),
    "a newline": ("https://github.com/acme/shop\nHost: evil", "invalid_repo_url"),
    "a carriage return": ("https://github.com/acme/shop\r", "invalid_repo_url"),
    "a variable": ("https://github.com/$HOME/shop", "invalid_repo_url"),
    "a password": ("https://user:hunter2hunter2@github.com/acme/shop", "invalid_repo_url"),
    "no repository": ("https://github.com/", "invalid_repo_url"),
    "traversal": ("https://github.com/acme/../../etc", "invalid_repo_url"),
    "another scheme": ("ftp://github.com/acme/shop", "invalid_repo_url"),
    "plain http": ("http://github.com/acme/shop", "invalid_repo_url"),
    "a private address": ("https://10.0.0.1/acme/shop", "repo_not_allowed"),
    "the metadata service": ("https://169.254.169.254/acme/shop", "repo_not_allowed"),
    "a decimal address": ("https://2130706433/acme/shop", "invalid_repo_url"),
    "loopback": ("https://localhost/acme/shop", "repo_not_allowed"),
    "another host": ("https://git.example/acme/shop", "repo_not_allowed"),
    "a local path": ("/etc", "repo_not_allowed"),
    "a file address": ("file:///etc", "repo_not_allowed"),
}


@pytest.mark.parametrize(("url", "code"), BAD_REPOSITORIES.values(), ids=BAD_REPOSITORIES.keys())
async def test_a_repository_that_may_not_be_worked_on_is_refused_everywhere(server, url, code):
    for body in (a_repair(repo_url=url), a_prompt(repo_url=url)):
        answer = await server.post("/v1/tasks", body)
        is_problem(answer, 422, code, "repo_url")
        assert b"hunter2" not in answer.body
    event = wire_event(repo={"repo_url": url, "code_host": ""})
    answer = await server.post("/v1/events", {"events": [event]})
    assert answer.status == 200
    assert [(one["index"], one["code"]) for one in answer.json["rejected"]] == [(0, code)]
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize(
    ("code_host", "code"),
    [("svn", "unknown_code_host"), ("gitlab", "code_host_mismatch"), ("local", "code_host_mismatch")],
)
async def test_a_code_host_that_cannot_be_is_refused(server, code_host, code):
    is_problem(await server.post("/v1/tasks", a_repair(code_host=code_host)), 422, code, "code_host")
    answer = await server.post("/v1/events", {"events": [wire_event(repo={"code_host": code_host})]})
    assert [one["code"] for one in answer.json["rejected"]] == [code]


async def test_a_repository_outside_the_allowed_ones_is_refused(tmp_path):
    async with running(tmp_path, allowed_repos=("https://github.com/other/*",)) as server:
        is_problem(await server.post("/v1/tasks", a_repair()), 422, "repo_not_allowed", "repo_url")
        await server.nothing_happened()


@pytest.mark.parametrize("key", ["", "x" * 201, "\u00a0", "\u200b"], ids=["empty", "long", "space", "hidden"])
async def test_an_idempotency_key_of_odd_characters_is_invalid(server, key):
    answer = await server.post("/v1/tasks", a_prompt(), headers={"Idempotency-Key": key})
    is_problem(answer, 422, "invalid_request", "Idempotency-Key")


LISTS = ("/v1/tasks", "/v1/issues", "/v1/traces", "/v1/pull-requests")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "-1", "201", "1e2", "١", "", "9" * 30, "ten"])
async def test_a_limit_that_is_no_limit_is_invalid(server, path, limit):
    is_problem(await server.get(f"{path}?limit={limit}"), 422, "invalid_request", "limit")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", ["x", "%00", "djE6LTE", "djE6MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "%ED%A0%80"])
async def test_a_cursor_that_was_not_made_here_is_invalid(server, path, cursor):
    is_problem(await server.get(f"{path}?cursor={cursor}"), 422, "invalid_cursor", "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=asleep", "state"), ("kind=x&kind=repair", "kind"), ("priority=1", "priority"),
     ("issue_id=%00", "issue_id"), ("issue_id=", "issue_id"), ("issue_id=" + "x" * 201, "issue_id")],
)  # fmt: skip
async def test_a_filter_of_no_known_value_is_invalid(server, query, field):
    is_problem(await server.get(f"/v1/tasks?{query}"), 422, "invalid_request", field)


@pytest.mark.parametrize(
    "value", ["%00", "x" * 300, "..%2F..%2Fetc", "%ED%A0%80", "%zz", "'%20or%201=1", "💥"]
)
async def test_an_id_that_cannot_be_one_is_not_found(server, value):
    for path in ("tasks", "issues", "traces", "pull-requests"):
        assert (await server.get(f"/v1/{path}/{value}")).status == 404
    assert (await server.post(f"/v1/tasks/{value}/cancel")).status == 404
    assert (await server.post(f"/v1/pull-requests/{value}/merge")).status == 404
    assert (await server.get(f"/v1/tasks/{value}/stream")).status == 404
    assert (await server.get(f"/v1/traces/x/artifacts/{value}")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", "/v1/tasks?dryrun=true", "dry_run"),
        ("GET", "/v1/tasks?stat=failed", "priority"),
        ("HEAD", "/v1/issues?limits=3", ""),
        ("GET", "/v1/issues/x?limit=3", "takes none"),
        ("GET", "/v1/security/audit?verify=yes", "true or false"),
    ],
)
async def test_a_query_parameter_that_is_not_known_is_refused(server, method, path, known):
    body = a_prompt() if method == "POST" else None
    answer = await server.call(method, path, json_body=body)
    assert answer.status == 422
    if method != "HEAD":
        assert is_problem(answer, 422, "invalid_request", path.partition("?")[2].partition("=")[0])
        assert known in answer.json["detail"]


async def test_what_senders_and_probes_put_behind_their_addresses_is_theirs(server):
    assert (await server.post("/v1/events?from=proxy", {"events": []})).status == 200
    assert (await server.get("/healthz?t=1")).status == 200
    assert (await server.get("/metrics?name[]=up")).status == 200
