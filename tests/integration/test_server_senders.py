"""Applications that send by themselves: SDKs of Sentry and OpenTelemetry, recorded and real."""

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ai_ops.server.senders import protobuf
from ai_ops.server.senders.mapping import Sender, Senders
from tests.support.running_server import AGENT_KEY, REPO, running

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests/data/senders"
SENDERS = Senders(
    (
        Sender("sentry", "7", REPO, service="shop"),
        Sender("sentry", "8", "https://elsewhere.example/a/b"),
        Sender("otlp", "shop", REPO, environment="unsaid"),
    )
)


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path, senders=SENDERS) as started:
        yield started


def recorded(name):
    return (RECORDED / name).read_bytes()


def sentry_auth(key):
    return f"Sentry sentry_key={key}, sentry_version=7, sentry_client=sentry.python/2.75.0"


async def envelope(server, body, *, project="7", key=AGENT_KEY, path="", **headers):
    if body[:2] == b"\x1f\x8b":
        headers["Content-Encoding"] = "gzip"
    sent = {"Content-Type": "application/x-sentry-envelope", **headers}
    if key:
        sent["X-Sentry-Auth"] = sentry_auth(key)
    return await server.post(path or f"/api/{project}/envelope/", body=body, key="", headers=sent)


async def logs(server, body, *, kind="application/x-protobuf", key=AGENT_KEY):
    headers = {"Content-Type": kind} | ({"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {})
    return await server.post("/v1/logs", body=body, key=key, headers=headers)


def wrapped(event, kind="event"):
    payload = json.dumps(event).encode()
    return b'{"event_id":"%s"}\n{"type":"%s","length":%d}\n%s\n' % (
        event.get("event_id", "e" * 32).encode(),
        kind.encode(),
        len(payload),
        payload,
    )


async def only_event(server):
    (event,) = await server.rows("events")
    return event


async def only_issue(server):
    (item,) = (await server.get("/v1/issues")).json["items"]
    return (await server.get(f"/v1/issues/{item['issue_id']}")).json


async def test_an_exception_of_a_sentry_sdk_becomes_an_issue_and_a_task(server):
    answer = await envelope(server, recorded("sentry-0.envelope.gz"))
    assert (answer.status, len(answer.json["id"])) == (200, 32)
    issue = await only_issue(server)
    assert issue["exception_type"] == "ValueError"
    event = await only_event(server)
    assert (event["release"], event["environment"], event["service"]) == ("abc123", "staging", "shop")
    assert 'File "/srv/shop/app.py", line 8, in rate' in json.dumps(event, default=str).replace("\\", "")
    assert len((await server.get("/v1/tasks")).json["items"]) == 1


async def test_it_is_one_issue_with_what_a_log_says_of_the_same_exception(server):
    await envelope(server, recorded("sentry-0.envelope.gz"))
    await logs(server, recorded("otlp-0.protobuf.gz"))
    issue = await only_issue(server)
    assert issue["count"] == 2


async def test_what_is_no_error_is_dropped_and_asked_not_to_be_sent(server):
    answer = await envelope(server, recorded("sentry-1.envelope.gz"))
    assert answer.headers["X-Sentry-Rate-Limits"] == "3600:transaction:organization"
    answer = await envelope(server, recorded("sentry-3.envelope.gz"))
    assert (answer.status, "X-Sentry-Rate-Limits" in answer.headers) == (200, False)
    await server.nothing_happened()
    metrics = (await server.get("/metrics")).body.decode()
    assert 'ai_ops_sender_items_total{outcome="dropped",sender="sentry"} 2.0' in metrics


async def test_a_message_of_level_error_is_an_event(server):
    await envelope(server, recorded("sentry-2.envelope.gz"))
    assert "just words" in json.dumps(await only_event(server), default=str)


async def test_errors_of_opentelemetry_become_events(server):
    answer = await logs(server, recorded("otlp-0.protobuf.gz"))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    event = await only_event(server)
    assert (event["release"], event["environment"], event["service"]) == ("abc123", "staging", "shop")
    assert (await only_issue(server))["exception_type"] == "ValueError"


async def test_an_exception_without_a_trace_is_known_by_its_type(server):
    named = {"exception.type": "KeyError", "exception.message": "total"}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
    record = {"severityNumber": 17, "body": {"stringValue": "cart broke"}, "attributes": attributes}
    said = {"service.name": "shop", "telemetry.sdk.language": "python"}
    resource = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]}
    group = {"resource": resource, "scopeLogs": [{"logRecords": [record]}]}
    body = json.dumps({"resourceLogs": [group]}).encode()
    assert (await logs(server, body, kind="application/json")).status == 200
    issue = await only_issue(server)
    assert (issue["exception_type"], issue["language"]) == ("KeyError", "python")
    assert issue["title"].startswith("KeyError")


async def test_what_a_trace_shows_is_not_lost_to_the_type_that_goes_with_it(server):
    """A trace without a type of its own has its frames all the same, and errors in two places stay two."""
    trace = (
        "goroutine 1 [running]:\nmain.{0}(...)\n\t/srv/shop/{0}.go:12 +0x1d\nmain.main()\n\t/srv/m.go:7 +0x1"
    )
    for place in ("rate", "price"):
        named = {"exception.type": "*errors.errorString", "exception.stacktrace": trace.format(place)}
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
        record = {"severityNumber": 17, "body": {"stringValue": "it broke"}, "attributes": attributes}
        service = [{"key": "service.name", "value": {"stringValue": "shop"}}]
        group = {"resource": {"attributes": service}, "scopeLogs": [{"logRecords": [record]}]}
        body = json.dumps({"resourceLogs": [group]}).encode()
        assert (await logs(server, body, kind="application/json")).status == 200
    found = (await server.get("/v1/issues")).json["items"]
    assert {item["culprit"] for item in found} == {
        "main.rate (/srv/shop/rate.go)",
        "main.price (/srv/shop/price.go)",
    }


async def test_two_exceptions_of_one_type_are_told_apart_by_the_words_of_their_records(server):
    for words in ("the database is away", "the disk has no room"):
        attributes = [{"key": "exception.type", "value": {"stringValue": "MyErr"}}]
        record = {"severityNumber": 17, "body": {"stringValue": words}, "attributes": attributes}
        service = [{"key": "service.name", "value": {"stringValue": "shop"}}]
        group = {"resource": {"attributes": service}, "scopeLogs": [{"logRecords": [record]}]}
        await logs(server, json.dumps({"resourceLogs": [group]}).encode(), kind="application/json")
    assert len((await server.get("/v1/issues")).json["items"]) == 2


async def test_the_json_form_is_the_same_event_as_the_binary_one(server):
    await logs(server, recorded("otlp-0.protobuf.gz"))
    value = protobuf.read_request(gzip.decompress(recorded("otlp-0.protobuf.gz")))
    for group in value["resourceLogs"]:
        for scope in group["scopeLogs"]:
            for record in scope["logRecords"]:
                record["timeUnixNano"] = str(record["timeUnixNano"])
    answer = await logs(server, json.dumps(value).encode(), kind="application/json")
    assert (answer.status, answer.json) == (200, {})
    await only_event(server)


@pytest.mark.parametrize("send", ["sentry", "otlp"])
async def test_a_body_that_is_sent_again_after_a_crash_is_counted_once(tmp_path, send):
    """As when the server is killed between the commit and the answer."""
    for _ in range(2):
        async with running(tmp_path, senders=SENDERS) as server, server.engine_off():
            for _ in range(2):
                if send == "sentry":
                    assert (await envelope(server, recorded("sentry-0.envelope.gz"))).status == 200
                else:
                    assert (await logs(server, recorded("otlp-0.protobuf.gz"))).status == 200
            assert (await only_event(server))["count"] == 1
            assert (await only_issue(server))["count"] == 1


async def test_records_of_one_request_that_say_the_same_are_each_counted(server):
    record = {"severityNumber": 17, "timeUnixNano": "1772366400000000000", "body": {"stringValue": "boom"}}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record] * 3}]}]}
    for _ in range(2):
        assert (await logs(server, json.dumps(body).encode(), kind="application/json")).status == 200
    assert (await only_issue(server))["count"] == 3


@pytest.mark.parametrize(
    ("record", "taken"),
    [
        ({"severityNumber": 17}, True),
        ({"severityNumber": 21}, True),
        ({"severityNumber": 16}, False),
        ({"severityText": "error"}, True),
        ({"severityText": "WARN"}, False),
        ({"attributes": [{"key": "exception.type", "value": {"stringValue": "E"}}]}, True),
        ({}, False),
    ],
    ids=["error", "fatal", "warning", "error by name", "warning by name", "exception", "nothing said"],
)
async def test_records_are_errors_by_their_severity(server, record, taken):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    whole = {"body": {"stringValue": "it broke"}, **record}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [whole]}]}]}
    await logs(server, json.dumps(body).encode(), kind="application/json")
    assert bool(await server.rows("events")) is taken


def request_of(*records):
    """A request in the form of JSON, of the service that is mapped."""
    attributes = [
        {"key": "service.name", "value": {"stringValue": "shop"}},
        {"key": "host.name", "value": {"stringValue": "h1"}},
    ]
    group = {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": list(records)}]}
    return {"resourceLogs": [group]}


async def as_json(server, body):
    return await logs(server, json.dumps(body).encode(), kind="application/json")


def nested(levels, name=""):
    """A value in as many lists as there are levels; of OpenTelemetry's own when they are named."""
    opening, closing = (f'{{"{name}":{{"values":[', "]}}") if name else ("[", "]")
    return (opening * levels + closing * levels).encode()


RECORD = {
    "timeUnixNano": "1760000000000000000",
    "observedTimeUnixNano": "1760000000100000000",
    "severityNumber": 17,
    "severityText": "ERROR",
    "body": {"stringValue": "payment failed"},
    "attributes": [{"key": "log.file.position", "value": {"intValue": "77"}}],
}
OTHERS = {
    "time": {"timeUnixNano": "1760000001000000000"},
    "observed time": {"observedTimeUnixNano": "1760000000900000000"},
    "attribute": {"attributes": [{"key": "log.file.position", "value": {"intValue": "78"}}]},
    "one attribute more": {
        "attributes": [*RECORD["attributes"], {"key": "order", "value": {"stringValue": "9"}}]
    },
    "severity": {"severityNumber": 18},
    "severity's name": {"severityText": "ERROR2"},
    "trace": {"traceId": "5b8efff798038103d269b633813fc60c"},
    "span": {"spanId": "eee19b7ec3c1b174"},
    "body": {"body": {"stringValue": "payment failed again"}},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("words", ["payment failed", "payment failed " * 2000], ids=["short", "long"])
async def test_records_that_differ_in_one_thing_are_two_however_often_each_is_sent(server, other, words):
    """As from a clock that stops at the second, in a request each."""
    one = RECORD | {"body": {"stringValue": words}}
    two = one | other
    for record in (one, two, one, two, two):
        assert (await as_json(server, request_of(record))).status == 200
    assert [event["count"] for event in await server.rows("events")] == [1, 1]


async def test_the_same_words_at_the_same_time_from_two_instances_are_two(server):
    body = request_of(RECORD)
    for pod in ("shop-1", "shop-2", "shop-1"):
        attributes = body["resourceLogs"][0]["resource"]["attributes"]
        attributes[2:] = [{"key": "k8s.pod.name", "value": {"stringValue": pod}}]
        await as_json(server, body)
    assert len(await server.rows("events")) == 2


async def test_a_repeated_request_is_the_same_in_whatever_order_its_attributes_come(server):
    attributes = OTHERS["one attribute more"]["attributes"]
    for order in (attributes, attributes[::-1]):
        await as_json(server, request_of(RECORD | {"attributes": order}))
    assert (await only_issue(server))["count"] == 1


async def test_long_records_of_one_request_that_say_the_same_are_each_counted(server):
    record = RECORD | {"body": {"stringValue": "payment failed " * 2000}}
    for _ in range(2):
        await as_json(server, request_of(*[record] * 3))
    assert (await only_issue(server))["count"] == 3


ODD = {
    "a key that is a list": b'{"attributes":[{"key":[]}]}',
    "a key that is an object": b'{"attributes":[{"key":{}}]}',
    "no record": b"7",
    "no body": b'{"severityNumber":17,"body":[[]]}',
    "lists in a text": b'{"severityNumber":17,"body":{"stringValue":' + nested(1000) + b"}}",
    "lists in a list": b'{"severityNumber":17,"body":{"arrayValue":{"values":' + nested(1000) + b"}}}",
    "lists of lists": b'{"severityNumber":17,"body":' + nested(250, "arrayValue") + b"}",
    "objects of objects": b'{"severityNumber":17,"attributes":[{"key":"k","value":'
    + nested(250, "kvlistValue")
    + b"}]}",
}


@pytest.mark.parametrize("record", ODD.values(), ids=ODD)
async def test_records_that_no_exporter_writes_are_no_fault_and_hold_nothing_else_up(server, record):
    good = {"severityNumber": 17, "body": {"stringValue": "boom"}}
    body = json.dumps(request_of("ODD", good)).encode().replace(b'"ODD"', record)
    assert (await logs(server, body, kind="application/json")).status == 200
    assert "boom" in json.dumps(await server.rows("events"), default=str)


async def test_an_id_that_is_no_text_is_no_fault(server):
    answer = await envelope(server, b'{"event_id":"\\ud800"}\n')
    assert (answer.status, answer.json) == (200, {"id": "?"})


async def test_a_service_that_nobody_mapped_is_said_in_the_answer(server):
    record = {"severityNumber": 17, "body": {"stringValue": "boom"}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record] * 2}]}]}).encode()
    answer = await logs(server, body, kind="application/json")
    assert answer.json["partialSuccess"]["rejectedLogRecords"] == "2"
    assert "names the service ''" in answer.json["partialSuccess"]["errorMessage"]
    await server.nothing_happened()


async def test_a_project_that_nobody_mapped_or_may_not_be_worked_on_is_refused(server):
    answer = await envelope(server, recorded("sentry-0.envelope.gz"), project="9")
    assert (answer.status, answer.json["code"]) == (422, "sender_unmapped")
    answer = await envelope(server, recorded("sentry-0.envelope.gz"), project="8")
    assert (answer.status, answer.json["code"]) == (422, "event_rejected")
    await server.nothing_happened()


async def test_the_public_key_of_a_dsn_is_an_agent_key(server):
    body = recorded("sentry-0.envelope.gz")
    assert (await envelope(server, body, key="")).json["code"] == "key_missing"
    assert (await envelope(server, body, key="wrong")).json["code"] == "key_unknown"
    await server.nothing_happened()
    assert (
        await envelope(server, body, key="", path=f"/api/7/envelope/?sentry_key={AGENT_KEY}")
    ).status == 200
    assert (await logs(server, recorded("otlp-0.protobuf.gz"), key="")).status == 401
    assert (await logs(server, recorded("otlp-0.protobuf.gz"), key="wrong")).status == 401


async def test_the_key_of_a_dsn_opens_no_other_route(server):
    headers = {"X-Sentry-Auth": sentry_auth(server.key)}
    assert (await server.get("/v1/issues", key="", headers=headers)).status == 401


async def test_a_server_without_keys_takes_any_dsn_from_this_machine(tmp_path):
    async with running(tmp_path, senders=SENDERS, server_key="", agent_keys=()) as server:
        assert (await envelope(server, recorded("sentry-0.envelope.gz"), key="anything")).status == 200
        answer = await envelope(server, recorded("sentry-0.envelope.gz"), Origin="https://evil.example")
        assert answer.json["code"] == "origin_not_allowed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]\n",
        b'{}\n{"type":"event","length":99}\n{}',
        b'{}\n{"type":"event","length":-1}\n{}',
        b'{}\n{"type":"event"}\nno JSON\n',
        b'{}\n{"type":"event"}\n{"message":"no id"}\n',
        b"{}\n" + b'{"type":"x"}\n{}\n' * 101,
        b'{}\n{"type":"event"}\n' + b"[" * 100_000,
    ],
    ids=["empty", "no JSON", "list", "too long", "negative", "event", "no id", "too many", "deep"],
)
async def test_what_is_no_envelope_is_refused(server, body):
    answer = await envelope(server, body)
    assert (answer.status, answer.json["code"]) == (400, "malformed_envelope")
    await server.nothing_happened()


def deep(levels):
    data = b""
    for _ in range(levels):
        data = b"\x0a" + protobuf._number(len(data)) + data
        data = b"\x2a" + protobuf._number(len(data)) + data
    record = b"\x2a" + protobuf._number(len(data)) + data
    for _ in range(3):
        record = b"\x12" + protobuf._number(len(record)) + record
    return b"\x0a" + record[1:]


@pytest.mark.parametrize("body", [b"\x0a\xff", b"\xff" * 20, b"\x0b", b"\x08\x01\x0d", deep(1000)])
async def test_what_is_no_protobuf_is_refused(server, body):
    answer = await logs(server, body)
    assert (answer.status, answer.json["code"]) == (400, "malformed_protobuf")


@pytest.mark.parametrize(("send", "status"), [("sentry", 413), ("otlp", 413)])
async def test_a_body_that_inflates_without_end_is_stopped(server, send, status):
    bomb = gzip.compress(b" " * (40 << 20))
    answer = await (envelope(server, bomb) if send == "sentry" else logs(server, bomb))
    assert answer.status == status


async def test_damaged_bodies_never_make_the_server_fail(server):
    dice = random.Random(11)
    event, records = (
        gzip.decompress(recorded(name)) for name in ("sentry-0.envelope.gz", "otlp-0.protobuf.gz")
    )
    for number in range(150):
        body = bytearray(event if number % 2 else records)
        for _ in range(dice.randrange(1, 12)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        answer = await (envelope(server, bytes(body)) if number % 2 else logs(server, bytes(body)))
        assert answer.status in (200, 400, 422), answer.body


WRONG = [None, 7, -1, 1e308, True, "x", "\x00\ud800", [], [None], {}, {"values": 3}, {"values": [7, {}]}]


FIELDS = "level exception message logentry timestamp platform release environment server_name breadcrumbs"


@pytest.mark.parametrize("name", FIELDS.split())
async def test_fields_of_any_type_are_taken_or_passed_over(server, name):
    for number, value in enumerate(WRONG):
        event = {"event_id": f"{number:032}", "exception": {"values": [{"type": "E", "value": "v"}]}}
        answer = await envelope(server, wrapped({**event, name: value}))
        assert answer.status in (200, 422), (value, answer.body)


JAVA = {
    "event_id": "a" * 32,
    "platform": "java",
    "exception": {
        "values": [
            {
                "module": "java.lang",
                "type": "ArithmeticException",
                "value": "/ by zero",
                "stacktrace": {
                    "frames": [
                        {"module": "shop.Rating", "function": "of", "filename": "Rating.java", "lineno": 7}
                    ]
                },
            },
            {
                "module": "shop",
                "type": "RatingException",
                "value": "no rating",
                "stacktrace": {
                    "frames": [
                        {"module": "shop.Main", "function": "main", "filename": "Main.java", "lineno": 3},
                        {"module": "shop.Rating", "function": "get", "filename": "Rating.java", "lineno": 9},
                    ]
                },
            },
        ]
    },
}


async def test_an_exception_of_java_is_written_out_as_java_does(server):
    await envelope(server, wrapped(JAVA))
    words = json.dumps(await only_event(server), default=str)
    assert "Caused by: java.lang.ArithmeticException: / by zero" in words
    assert (await only_issue(server))["exception_type"].endswith("RatingException")


async def test_secrets_in_what_senders_say_are_masked(server):
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    event = {
        "event_id": "b" * 32,
        "exception": {"values": [{"type": "E", "value": f"bad {token}"}]},
        "breadcrumbs": {"values": [{"category": "http", "message": f"token={token}"}]},
        "server_name": token,
    }
    await envelope(server, wrapped(event))
    await only_event(server)
    assert token.encode() not in server.stored_bytes()


def sdk(server, *arguments):
    """Run the application with a real SDK."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    script = ROOT / "tests/support/sdk_app.py"
    return subprocess.run(
        [sys.executable, script, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


async def test_a_real_sentry_sdk_is_served(server):
    import asyncio

    dsn = f"http://{AGENT_KEY}@127.0.0.1:{server.listening.port}/7"
    done = await asyncio.to_thread(sdk, server, "sentry", dsn)
    assert done.returncode == 0, done.stderr
    issues = (await server.get("/v1/issues")).json["items"]
    assert sorted(issue["exception_type"] for issue in issues) == ["", "ValueError"]


async def test_a_real_opentelemetry_exporter_is_served(server):
    import asyncio

    done = await asyncio.to_thread(sdk, server, "otlp", f"{server.listening.url}/v1/logs", AGENT_KEY)
    assert done.returncode == 0, done.stderr
    assert (await only_issue(server))["exception_type"] == "ValueError"
