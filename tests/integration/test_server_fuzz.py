"""Whatever a body says, it is answered without a fault."""

import gzip
import json
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.running_server import a_prompt, a_repair, running, wire_event

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOSTILE = st.sampled_from(
    ["", " ", "\0", "\u202e", "-x", "--upload-pack=x", "ext::sh", "https://github.com/acme/shop",
     "https://[::1", "https://x:99999/a/b", "//", "file:///", "file://\0", "git@:x", "a" * 5000, "/" * 3000,
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-01T00:00:00Z", "{}", "[",
     "Traceback (most recent call last):", '{"message": "x", "exc_info": [1]}', "%s%n{token}", "\u2028"]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-10, 10),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=50), HOSTILE)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def spoiled(good, names):
    """Bodies that are good but for some fields."""
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=5).map(lambda bad: {**good, **bad})


TASK_FIELDS = [
    "repo_url", "error_content", "prompt", "code_host", "fix_mode", "service", "environment", "release",
    "name", "description", "type", "priority", "folder", "allowed_tools", "budget_usd",
    "timeout_seconds", "x",
]  # fmt: skip
EVENT_FIELDS = [
    "schema_version", "event_id", "occurred_at", "node", "service", "repo", "source", "level", "context",
    "error", "count",
]  # fmt: skip
REPO = spoiled(wire_event()["repo"], ["repo_url", "code_host", "default_branch"])
FRAME = spoiled({"file": "a.py", "line": 1, "function": "f"}, ["file", "line", "function", "in_app"])
ERROR = st.builds(
    lambda error, frames: {**error, "frames": frames},
    spoiled(
        {"raw_excerpt": "boom", "exception_type": "Boom"},
        ["raw_excerpt", "language", "exception_type", "message", "fingerprint"],
    ),
    st.lists(st.one_of(FRAME, VALUES), max_size=3),
)
EVENTS = st.one_of(
    VALUES,
    spoiled(wire_event(), EVENT_FIELDS),
    st.builds(lambda repo, error: {**wire_event(), "repo": repo, "error": error}, REPO, ERROR),
)


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path, allowed_repos=("https://github.com/acme/*", str(tmp_path))) as started:
        started.worker.gate.set()
        yield started


def encoded(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def is_answered(answer):
    assert answer.status < 500, answer.body
    assert answer.headers["X-Request-ID"]
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["code"] and answer.json["detail"]


@FUZZ
@given(body=st.one_of(VALUES, spoiled(a_repair(), TASK_FIELDS), spoiled(a_prompt(), TASK_FIELDS)))
async def test_no_task_is_a_fault(server, body):
    is_answered(await server.post("/v1/tasks", body=encoded(body)))


@FUZZ
@given(events=st.one_of(VALUES, st.lists(EVENTS, max_size=4)))
async def test_no_batch_is_a_fault(server, events):
    answer = await server.post("/v1/events", body=encoded({"events": events}))
    is_answered(answer)
    if answer.status == 200:
        said = answer.json
        assert said["accepted"] + said["duplicates"] + len(said["rejected"]) == len(events)


@FUZZ
@given(body=st.binary(max_size=200), squeeze=st.booleans(), path=st.sampled_from(["/v1/tasks", "/v1/events"]))
async def test_no_bytes_are_a_fault(server, body, squeeze, path):
    headers = {"Content-Encoding": "gzip"} if squeeze else {}
    is_answered(await server.post(path, body=body, headers=headers))
    is_answered(await server.post(path, body=gzip.compress(body), headers=headers))


@FUZZ
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "state", "issue_id", "kind"]), st.text(max_size=30)
    )
)
async def test_no_query_is_a_fault(server, query):
    for path in ("tasks", "issues", "traces", "pull-requests"):
        text = urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in query.items()})
        is_answered(await server.get(f"/v1/{path}?{text}"))
