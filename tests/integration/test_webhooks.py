"""Programs are told by signed requests: over real HTTP on loopback, each once, and nowhere else."""

import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from ai_ops.core.redaction.redactor import redact
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.notification import Way
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.integrations.webhooks import Endpoint, WebhookNotifier, key_of, signature
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository
from tests.integration.test_mail import HOSTILE, NOW, REPORT
from tests.support.store import FixedClock, sqlite_url

SECRET = "whsec_" + base64.b64encode(b"a planted key of a webhook").decode()


class Receiver:
    """What a program got, and what it answers."""

    def __init__(self):
        self.requests, self.answers, self.url = [], [], ""

    async def take(self, request):
        self.requests.append((dict(request.headers), await request.read()))
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers, text="said\x1b[31m" if status >= 400 else None)


@pytest.fixture
async def receiver():
    taken = Receiver()
    app = web.Application()
    app.router.add_post("/hook", taken.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taken.port = runner.addresses[0][1]
    taken.url = f"http://127.0.0.1:{taken.port}/hook"
    yield taken
    await runner.cleanup()


def clock():
    made = FixedClock()
    made.time = NOW
    return made


def notification(report=REPORT):
    made = MailRenderer().render("pull_request:1", report, ["webhook:ops"], NOW)
    return replace(made, recipient="webhook:ops")


def notifier(url, *, private=True, **more):
    return WebhookNotifier({"ops": Endpoint(url, key_of(SECRET), private)}, clock(), **more)


async def test_a_request_is_signed_over_its_id_time_and_bytes_and_says_what_happened(receiver):
    assert "127.0.0.1" in await notifier(receiver.url).deliver(notification())
    ((headers, body),) = receiver.requests
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = hmac.new(b"a planted key of a webhook", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(wanted).decode()
    assert headers["webhook-id"] == notification().id
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    said = json.loads(body)
    assert (said["type"], said["version"], said["id"]) == ("pull_request", 1, notification().id)
    assert said["timestamp"] == "2026-11-25T12:00:00Z"
    assert said["data"]["pr_url"] == REPORT.pr_url
    assert said["data"]["verdict"] == "proved"
    assert "planted" not in body.decode()


def test_the_signature_is_that_of_the_published_example():
    """The test vector of the Standard Webhooks reference libraries."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://127.0.0.1:{port}/hook", None),
        ("http://[::ffff:127.0.0.1]:{port}/hook", None),
        ("http://hooks.example.com:{port}/hook", ["127.0.0.1"]),
        ("http://hooks.example.com:{port}/hook", ["203.0.113.9", "10.0.0.8"]),
        ("http://hooks.example.com:{port}/hook", ["169.254.169.254"]),
        ("http://hooks.example.com:{port}/hook", ["::1"]),
    ],
    ids=["loopback", "mapped", "a name of loopback", "one of several", "metadata", "IPv6"],
)
async def test_nothing_is_sent_into_a_private_network(receiver, url, addresses):
    async def found(host, port):
        return addresses

    more = {"look_up": found} if addresses else {}
    with pytest.raises(PermanentError, match="webhook_private"):
        await notifier(url.format(port=receiver.port), private=False, **more).deliver(notification())
    assert receiver.requests == []


async def test_the_address_that_was_looked_at_is_the_one_that_is_asked(receiver):
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["203.0.113.9"]

    url = f"http://hooks.example.com:{receiver.port}/hook"
    await notifier(url, look_up=rebinding).deliver(notification())
    assert asked == ["hooks.example.com"]
    assert receiver.requests[0][0]["Host"] == f"hooks.example.com:{receiver.port}"


async def test_a_redirect_is_not_followed(receiver):
    receiver.answers = [(307, {"Location": f"{receiver.url}?again"})]
    with pytest.raises(PermanentError, match="webhook_refused"):
        await notifier(receiver.url).deliver(notification())
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers", "delay"),
    [
        (500, {}, None),
        (404, {}, None),
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"Retry-After": "Wed, 25 Nov 2026 12:01:00 GMT"}, 60.0),
        (503, {"Retry-After": "9" * 9}, 86400.0),
        (503, {"Retry-After": "soon"}, None),
    ],
    ids=["500", "404", "seconds", "a date", "too long", "nonsense"],
)
async def test_what_is_not_taken_is_tried_again_when_the_receiver_wants(receiver, status, headers, delay):
    receiver.answers = [(status, headers)]
    with pytest.raises(TemporaryError, match=f"webhook_unavailable.* {status}: said") as caught:
        await notifier(receiver.url).deliver(notification())
    assert caught.value.delay == delay
    assert "\x1b" not in str(caught.value)


async def test_nobody_there_is_temporary():
    with pytest.raises(TemporaryError, match="webhook_unavailable"):
        await notifier("http://127.0.0.1:9/hook").deliver(notification())


async def test_gone_is_the_end_and_is_not_asked_again(receiver):
    receiver.answers = [(410, {})]
    sender = notifier(receiver.url)
    for _ in range(2):
        with pytest.raises(PermanentError, match="webhook_gone"):
            await sender.deliver(notification())
    assert len(receiver.requests) == 1


async def test_one_that_was_gone_is_asked_again_when_a_person_wants_it(receiver, tmp_path):
    receiver.answers = [(410, {}), (503, {})]
    time = clock()
    sender = WebhookNotifier({"ops": Endpoint(receiver.url, b"k", True)}, time)
    async with mailroom(tmp_path, sender, time) as (outbox, room):
        for key in ("pull_request:1", "pull_request:2"):
            await outbox.put(room.render(key, REPORT, ["webhook:ops"], NOW))
            await room.deliver_due()
        failed = (await outbox.list()).items
        assert {each.state for each in failed} == {"failed"} and len(receiver.requests) == 1
        await outbox.retry(failed[0].id)
        for seconds in (0, 60):  # the first try meets a passing failure
            time.forward(seconds)
            await room.deliver_due()
        await outbox.put(room.render("pull_request:3", REPORT, ["webhook:ops"], NOW))
        await room.deliver_due()
        assert sorted(each.state for each in (await outbox.list()).items) == ["failed", "sent", "sent"]
    assert len(receiver.requests) == 4


async def test_one_that_is_no_longer_configured_ends_with_that_reason(receiver):
    with pytest.raises(PermanentError, match="receiver_unknown"):
        await notifier(receiver.url).deliver(replace(notification(), recipient="webhook:old"))


@asynccontextmanager
async def mailroom(folder, way, time):
    database = await open_database(sqlite_url(folder))
    outbox = OutboxRepository(database)
    files = FileNotifier(folder / "outbox", "ai-ops@example.com")
    yield outbox, Mailroom(outbox, files, time, redact, others={Way.WEBHOOK: way})
    await database.close()


async def test_through_the_outbox_each_is_taken_once_after_failures(receiver, tmp_path):
    receiver.answers = [(500, {}), (503, {"Retry-After": "60"})]
    time = clock()
    sender = WebhookNotifier({"ops": Endpoint(receiver.url, b"k", True)}, time)
    async with mailroom(tmp_path, sender, time) as (outbox, room):
        await outbox.put(room.render("pull_request:1", REPORT, ["webhook:ops", "a@example.com"], NOW))
        for seconds in (0, 2, 30, 31, 300):
            time.forward(seconds)
            await room.deliver_due()
        assert {each.state for each in (await outbox.list()).items} == {"sent"}
    assert len(receiver.requests) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert len({body for _, body in receiver.requests}) == 1
    assert len({headers["webhook-signature"] for headers, _ in receiver.requests}) == 3, "each has its time"


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:24] for text in HOSTILE])
async def test_hostile_text_is_only_ever_a_value_and_is_sent(receiver, tmp_path, text):
    report = replace(
        REPORT, title=text, cause=text, service=text, release=text, failure_code="x", failure=text
    )
    time = clock()
    sender = WebhookNotifier({"ops": Endpoint(receiver.url, b"k", True)}, time)
    async with mailroom(tmp_path, sender, time) as (outbox, room):
        await outbox.put(room.render("failed:1", report, ["webhook:ops"], NOW))
        assert await room.deliver_due() == {"failed:1"}
    said = json.loads(receiver.requests[0][1])
    assert set(said) == {"type", "version", "id", "timestamp", "data"}
    assert all(
        word in said["data"]["title"] for word in text.split() if word.isascii() and word.isprintable()
    )
