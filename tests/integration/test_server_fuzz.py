"""Whatever a body says, it is answered without a fault."""

import gzip
import itertools
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_ops.server.senders import protobuf
from ai_ops.server.senders.mapping import Sender, Senders
from tests.support.running_server import REPO as REPO_URL
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
     "Traceback (most recent call last):", '{"message": "x", "exc_info": [1]}', "%s%n{token}", "\u2028",
     "\ud800", "\udfff\ud800", "\ufeff", "\ufffe", "\U0010ffff", "\x1b[2J", "\r\n\r\n", "e\u0301" * 50,
     "\U0001f469\u200d\U0001f4bb", "NaN", "-Infinity", "1e999", "0x1", "9" * 5000, "null", "true",
     "'; DROP TABLE issues; --", "<script>alert(1)</script>", "../../etc/passwd", "$(id)", "`id`", "{{7*7}}",
     "[" * 2000, "\u0130\u0131\u00df\ufb03"]
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


ANY_VALUE = st.recursive(
    st.one_of(
        VALUES,
        st.dictionaries(
            st.sampled_from(["stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"]),
            SCALARS,
            max_size=2,
        ),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"arrayValue": st.fixed_dictionaries({"values": st.lists(inner, max_size=3)})}),
        st.fixed_dictionaries(
            {"kvlistValue": st.fixed_dictionaries({"values": st.lists(inner, max_size=3)})}
        ),
    ),
    max_leaves=6,
)
ATTRIBUTES = st.one_of(
    VALUES,
    st.lists(
        st.fixed_dictionaries(
            {
                "key": st.one_of(
                    st.sampled_from(
                        ["service.name", "host.name", "service.version", "exception.type",
                         "exception.stacktrace", "exception.message", "deployment.environment"]
                    ),
                    VALUES,
                ),
                "value": ANY_VALUE,
            }
        ),
        max_size=4,
    ),
)  # fmt: skip
RECORDS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"severityNumber": st.one_of(st.just(17), VALUES), "body": ANY_VALUE, "attributes": ATTRIBUTES},
        optional=dict.fromkeys(
            ["timeUnixNano", "observedTimeUnixNano", "severityText", "traceId", "spanId"], VALUES
        ),
    ),
)
EXPORTS = st.one_of(
    VALUES,
    st.builds(
        lambda resource, records: {
            "resourceLogs": [
                {"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": records}]},
                resource,
            ]
        },
        ATTRIBUTES,
        st.one_of(VALUES, st.lists(RECORDS, max_size=4)),
    ),
)
EXCEPTION = spoiled(
    {"type": "Boom", "value": "boom", "stacktrace": {"frames": [{"filename": "a.py", "lineno": 1}]}},
    ["type", "value", "module", "stacktrace"],
)
SENTRY_EVENTS = st.builds(
    lambda event, exceptions: {**event, "exception": {"values": exceptions}},
    spoiled(
        {"event_id": "e" * 32, "platform": "python"},
        ["event_id", "level", "platform", "message", "logentry", "timestamp", "environment", "release",
         "server_name", "breadcrumbs"],
    ),
    st.lists(st.one_of(EXCEPTION, VALUES), max_size=3),
)  # fmt: skip
HALF_SURROGATES = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2)
SENTRY_HEADERS = st.fixed_dictionaries({"event_id": st.one_of(HALF_SURROGATES, HOSTILE, VALUES)})
SENTRY_ITEMS = st.tuples(
    st.one_of(st.just({"type": "event"}), spoiled({"type": "event"}, ["type", "length"]), VALUES),
    st.one_of(SENTRY_EVENTS, VALUES),
)


def a_message(fields):
    """The bytes of a protobuf message of (number, value): bytes or a whole number each."""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += protobuf._number(number << 3 | 2) + protobuf._number(len(value)) + value
        else:
            out += protobuf._number(number << 3) + protobuf._number(value)
    return out


FIELD_NUMBERS = st.integers(1, 12)
MESSAGES = st.recursive(
    st.one_of(st.binary(max_size=20), HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass"))),
    lambda inner: st.lists(
        st.tuples(FIELD_NUMBERS, st.one_of(inner, st.integers(0, 2**64 - 1))), max_size=4
    ).map(a_message),
    max_leaves=10,
)


def wrapped(record):
    """The request that holds one record."""
    for number in (2, 2, 1):
        record = a_message([(number, record)])
    return record


@pytest.fixture
async def server(tmp_path):
    allowed = ("https://github.com/acme/*", str(tmp_path))
    senders = Senders((Sender("otlp", "", REPO_URL), Sender("sentry", "7", REPO_URL)))
    async with running(tmp_path, allowed_repos=allowed, senders=senders) as started:
        started.worker.gate.set()
        yield started


def encoded(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def escaped(value):
    """As ASCII, where half a surrogate is an escape."""
    return json.dumps(value).encode()


SPELLINGS = st.sampled_from([encoded, escaped])


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
@given(
    body=st.binary(max_size=200),
    squeeze=st.booleans(),
    path=st.sampled_from(["/v1/tasks", "/v1/events", "/v1/logs", "/api/7/envelope/"]),
)
async def test_no_bytes_are_a_fault(server, body, squeeze, path):
    headers = {"Content-Encoding": "gzip"} if squeeze else {}
    is_answered(await server.post(path, body=body, headers=headers))
    is_answered(await server.post(path, body=gzip.compress(body), headers=headers))


@FUZZ
@given(body=EXPORTS, spelt=SPELLINGS)
async def test_no_export_of_logs_is_a_fault(server, body, spelt):
    answer = await server.post("/v1/logs", body=spelt(body))
    is_answered(answer)
    assert isinstance(answer.json, dict)


@FUZZ
@given(body=st.one_of(MESSAGES, MESSAGES.map(wrapped), st.binary(max_size=200)))
async def test_no_binary_export_of_logs_is_a_fault(server, body):
    is_answered(await server.post("/v1/logs", body=body, headers={"Content-Type": "application/x-protobuf"}))


@FUZZ
@given(
    header=SENTRY_HEADERS,
    items=st.lists(SENTRY_ITEMS, max_size=3),
    spelt=SPELLINGS,
    project=st.text(max_size=9),
)
async def test_no_envelope_is_a_fault(server, header, items, spelt, project):
    body = b"\n".join(spelt(line) for line in (header, *itertools.chain.from_iterable(items)))
    for name in ("7", quote(project.encode("utf-8", "surrogatepass"), safe="")):
        answer = await server.post(f"/api/{name}/envelope/", body=body)
        is_answered(answer)
        assert isinstance(answer.json, dict)


@FUZZ
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "state", "issue_id", "kind"]), st.text(max_size=30)
    )
)
async def test_no_query_is_a_fault(server, query):
    everywhere = {name: query[name] for name in ("limit", "cursor") if name in query}
    for path, asked in (("tasks", query), *((p, everywhere) for p in ("issues", "traces", "pull-requests"))):
        text = urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in asked.items()})
        is_answered(await server.get(f"/v1/{path}?{text}"))


@FUZZ
@given(name=st.text(max_size=120).filter(lambda name: name not in ("limit", "cursor")))
async def test_no_name_in_a_query_is_a_fault(server, name):
    text = urlencode({name.encode("utf-8", "surrogatepass"): "x"})
    answer = await server.get(f"/v1/issues?{text}")
    assert answer.status == 422 and answer.json["code"] == "invalid_request"
    assert answer.json["detail"].isprintable()
