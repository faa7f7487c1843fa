"""What waits in the outbox leaves at its time: threads, digests, storms, lost answers, failing receivers."""

import asyncio
import email
import email.policy
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import time, timedelta

import pytest
from aiosmtpd.controller import Controller

from ai_ops.core.mail_pacing import Pacing, QuietHours
from ai_ops.core.notices import Notice
from ai_ops.core.redaction.redactor import redact
from ai_ops.errors import TemporaryError
from ai_ops.flow.notification import NotificationKind, NotificationState, Way
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.integrations.mail.smtp import SmtpNotifier, SmtpOptions
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository
from tests.integration.test_mail import NOW, REPORT
from tests.support.store import FixedClock, sqlite_url

ADA, BOB = "ada@example.com", "bob@example.com"
MINUTE = timedelta(minutes=1)


class Inbox:
    """A real SMTP server's memory. ``drops`` answers are lost after the mail was accepted."""

    def __init__(self):
        self.messages, self.refused, self.drops = [], set(), 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append((envelope.rcpt_tos[0], message))
        if self.drops:
            self.drops -= 1
            server.transport.abort()
        return "250 OK"

    def got(self, receiver=ADA):
        return [message for to, message in self.messages if to == receiver]


@pytest.fixture
def inbox():
    box = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.port = port
    yield box
    controller.stop()


class Post:
    """A mailroom on its outbox; opened again on the same files it is the server after a kill."""

    def __init__(self, database, inbox, clock, **more):
        smtp = SmtpNotifier(SmtpOptions("127.0.0.1", inbox.port, "ai-ops@example.com", tls="none"))
        self.clock, self.outbox = clock, OutboxRepository(database)
        self.room = Mailroom(self.outbox, smtp, clock, redact, **more)

    async def put(self, key, receivers=(ADA,), **changes):
        made = self.room.render(key, replace(REPORT, **changes), receivers, self.clock.now())
        return await self.outbox.put(made)

    async def states(self):
        return [each.state for each in (await self.outbox.list(limit=200)).items]

    async def later(self, by):
        self.clock.time += by
        return await self.room.deliver_due()


@asynccontextmanager
async def post(folder, inbox, clock=None, **more):
    database = await open_database(sqlite_url(folder))
    clock = clock or FixedClock()
    if not hasattr(clock, "begun"):
        clock.time = clock.begun = NOW
    yield Post(database, inbox, clock, **more)
    await database.close()


async def test_all_mails_of_an_issue_hang_together(inbox, tmp_path):
    async with post(tmp_path, inbox) as office:
        for key, changes in (
            ("failed:1", {"failure_code": "push_refused", "pr_url": ""}),
            ("pull_request:1", {"title": "Fix it"}),
        ):
            await office.put(key, issue_id="issue-1", **changes)
            await office.room.deliver_due()
        news = Notice("Resolved", "It did not come back.", issue_id="issue-1")
        await office.outbox.put(office.room.notice("resolved:1", news, [ADA], NOW))
        await office.put("other", issue_id="issue-2")
        await office.room.deliver_due()
    first, second, third, other = inbox.got()
    assert first["References"] is None
    for answer in (second, third):
        assert answer["References"] == answer["In-Reply-To"] == first["Message-ID"]
    assert [each["Subject"].partition(":")[0] for each in (first, second)] == [
        "[AI-Ops] Failed (push_refused)",
        "[AI-Ops] Pull request",
    ]
    assert other["References"] is None
    assert len({each["Message-ID"] for each in inbox.got()}) == 4
    assert "It did not come back." in third.get_body(("plain",)).get_content()


async def test_a_mail_says_that_a_program_wrote_it_and_why_it_comes(inbox, tmp_path):
    async with post(tmp_path, inbox) as office:
        await office.put("one")
        asking = replace(REPORT, because="you wrote\r\nBcc: x@y the crashing line")
        made = office.room.render("one", asking, [BOB], NOW)
        await office.outbox.put(made)
        await office.room.deliver_due()
    (plain,), (asked,) = inbox.got(), inbox.got(BOB)
    assert plain["Auto-Submitted"] == "auto-generated"
    assert plain["List-Id"] == "AI-Ops <ai-ops.example.com>"
    assert (plain["X-AI-Ops-Reason"], plain["X-AI-Ops-Kind"]) == (REPORT.because, "pull_request")
    assert asked["X-AI-Ops-Reason"] == "you wrote Bcc: x@y the crashing line"
    assert asked["Bcc"] is None
    assert "because you wrote Bcc: x@y the crashing line." in asked.get_body(("plain",)).get_content()
    assert asked["Message-ID"] == plain["Message-ID"], "it is one message"


async def test_a_storm_is_one_mail_that_names_each_error_once(inbox, tmp_path):
    async with post(tmp_path, inbox, pacing=Pacing(burst=10)) as office:
        for number in range(500):
            await office.put(f"failed:{number}", title=f"Error {number} ends", issue_id=f"i{number}")
        await office.room.deliver_due()
        await office.later(5 * MINUTE)
        assert inbox.messages == []
        await office.later(5 * MINUTE)
        await office.later(60 * MINUTE)
        assert set(await office.states()) == {NotificationState.SENT}
    (digest,) = inbox.got()
    assert digest["Subject"] == "[AI-Ops] Digest of 500 messages"
    for part in ("plain", "html"):
        words = digest.get_body((part,)).get_content()
        assert all(words.count(f"Error {number} ends") == 1 for number in range(500))
        assert "/acme/shop/pull/7" in words


async def test_urgent_news_passes_the_quiet_hours_that_other_news_wait_out(inbox, tmp_path):
    pacing = Pacing(quiet=QuietHours(time(11), time(13)), digest="hourly", burst=1, per_hour=1)
    async with post(tmp_path, inbox, pacing=pacing) as office:
        await office.put("calm", title="Calm")
        await office.put("burning", title="Burning", urgent=True)
        await office.put("burning too", title="Burning too", urgent=True)
        await office.room.deliver_due()
        assert [str(each["Subject"]).rpartition("] ")[2] for each in inbox.got()] == [
            "Burning",
            "Burning too",
        ]
        (held,) = (await office.outbox.list(states=[NotificationState.PENDING])).items
        assert "quiet hours" in held.last_error
        await office.later(61 * MINUTE)
    assert len(inbox.got()) == 3


async def test_each_receiver_has_a_digest_and_a_rate_of_their_own(inbox, tmp_path):
    async with post(tmp_path, inbox, pacing=Pacing(per_hour=2)) as office:
        for number in range(4):
            await office.put(f"k{number}", (ADA, BOB) if number < 2 else (ADA,))
        await office.room.deliver_due()
    assert len(inbox.got(BOB)) == 2
    (digest,) = inbox.got()
    assert "Digest of 4 messages" in digest["Subject"]
    assert digest["To"] == ADA


async def test_a_receiver_who_is_refused_keeps_nobody_from_their_mail(inbox, tmp_path):
    inbox.refused = {ADA}
    async with post(tmp_path, inbox) as office:
        await office.put("one", (ADA, "no address\r\nBcc: x@y.z", BOB))
        assert await office.room.deliver_due() == frozenset(), "not all have it"
        assert [str(each["To"]) for each in inbox.got(BOB)] == [f"{ADA}, {BOB}"]
        assert await office.states() == ["sent", "failed", "pending"]
        inbox.refused = set()
        assert await office.later(MINUTE) == {"one"}
        assert len(inbox.got()) == len(inbox.got(BOB)) == 1


def test_a_notice_holds_what_a_log_said_as_words_and_links_to_web_addresses_alone():
    hostile = '"><img src=x onerror=alert(1)>\n\nNext step\n---------\nobey'
    items = ((hostile, "javascript:alert(1)"), ("fine", "https://ai-ops.example/1"))
    made = MailRenderer().notice("n:1", Notice(hostile, hostile, items, next_step=hostile), [ADA], NOW)
    assert "<img" not in made.html
    assert made.html.count("href=") == 1
    assert 'href="https://ai-ops.example/1"' in made.html
    assert made.text.count("\nNext step\n---") == 1
    assert made.subject.isprintable()
    assert "javascript:alert(1)" in made.text, "it is shown, as data"


@pytest.mark.parametrize("number", [1, 3], ids=["alone", "in a digest"])
async def test_a_mail_whose_answer_was_lost_comes_again_as_the_same_mail(inbox, tmp_path, number):
    inbox.drops = 1
    async with post(tmp_path, inbox, pacing=Pacing(per_hour=1)) as office:
        for each in range(number):
            await office.put(f"k{each}")
        await office.room.deliver_due()
        await office.put("another meanwhile")
        await office.later(MINUTE)
        assert len({bytes(each) for each in inbox.got()[:2]}) == 1
        assert [each["Message-ID"] for each in inbox.got()] == [inbox.got()[0]["Message-ID"]] * 2


class Killed(BaseException):
    """The process is gone."""


STEPS = ("release", "gather", "mark_sent", "deliver")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_between_any_two_steps_sends_at_most_the_same_mail_again(
    inbox, tmp_path, monkeypatch, step, done
):
    pacing, clock = Pacing(burst=2), FixedClock()
    owner = SmtpNotifier if step == "deliver" else OutboxRepository
    work = getattr(owner, step)

    async def dies(self, *arguments, **named):
        if done:
            await work(self, *arguments, **named)
        raise Killed

    async with post(tmp_path, inbox, clock, pacing=pacing) as office:
        await office.put("urgent", urgent=True)
        for number in range(4):
            await office.put(f"k{number}")
    clock.time += 10 * MINUTE
    with monkeypatch.context() as broken:
        broken.setattr(owner, step, dies)
        async with post(tmp_path, inbox, clock, pacing=pacing) as office:
            with pytest.raises(Killed):
                await office.room.deliver_due()
    async with post(tmp_path, inbox, clock, pacing=pacing) as office:
        for _ in range(3):
            await office.put("late arrival", title="Late")
            await office.later(11 * MINUTE)
        assert set(await office.states()) == {NotificationState.SENT}
    by_id = {}
    for message in inbox.got():
        by_id.setdefault(str(message["Message-ID"]), set()).add(bytes(message))
    assert all(len(forms) == 1 for forms in by_id.values()), "one Message-ID, one mail"
    subjects = sorted(
        str(each["Subject"]) for each in {str(m["Message-ID"]): m for m in inbox.got()}.values()
    )
    told = sum(
        4 if "Digest of 4" in subject else 5 if "Digest of 5" in subject else 1 for subject in subjects
    )
    assert told == 6, subjects


class Broken:
    """A way that never gets through."""

    async def deliver(self, notification):
        raise TemporaryError("channel_unavailable", "down: token=planted-secret-value-1")


async def test_a_way_that_fails_holds_no_other_up_and_sends_no_mail_twice(inbox, tmp_path):
    async with post(tmp_path, inbox, others={Way.CHANNEL: Broken()}) as office:
        await office.put("one", (ADA, "channel:chat", "webhook:gone"))
        for _ in range(4):
            await office.later(10 * MINUTE)
        found = {each.recipient: each for each in (await office.outbox.list()).items}
    assert len(inbox.got()) == 1
    assert found["channel:chat"].attempts == 4
    assert "planted-secret" not in found["channel:chat"].last_error
    assert found["webhook:gone"].state == "failed"
    assert "receiver_unknown" in found["webhook:gone"].last_error


async def test_a_receiver_is_told_only_of_what_it_wants_to_know(inbox, tmp_path):
    wishes = {"channel:chat": frozenset({NotificationKind.FAILED})}
    async with post(tmp_path, inbox, others={Way.CHANNEL: Broken()}, wishes=wishes) as office:
        assert [each.recipient for each in await office.put("one", (ADA, "channel:chat"))] == [ADA]
        failed = await office.put("two", (ADA, "channel:chat"), failure_code="push_refused")
        assert [each.recipient for each in failed] == [ADA, "channel:chat"]


# --- What goes out when nobody waits for it any more


class Slow:
    """A way that takes a message at once and answers late, or never."""

    def __init__(self):
        self.taken, self.came, self.answers = [], asyncio.Event(), asyncio.Event()

    async def deliver(self, notification):
        self.taken.append(notification.recipient)
        self.came.set()
        await self.answers.wait()
        return "taken"


@asynccontextmanager
async def cut_off(office):
    """Cancel a step while its message goes out by a slow way."""
    way = Slow()
    office.room = Mailroom(office.outbox, way, office.clock, redact)
    step = asyncio.create_task(office.room.deliver_due())
    await asyncio.wait_for(way.came.wait(), 30)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    yield way
    await office.room.close(0)


async def test_a_mail_that_goes_out_when_its_step_is_cancelled_is_marked_as_sent(inbox, tmp_path):
    async with post(tmp_path, inbox) as office:
        await office.put("failed:1")
        async with cut_off(office) as way:
            way.answers.set()
            assert await office.room.deliver_due() == frozenset()
            assert (way.taken, await office.states()) == ([ADA], [NotificationState.SENT])


async def test_a_close_waits_for_what_goes_out_and_begins_nothing_more(inbox, tmp_path):
    async with post(tmp_path, inbox) as office:
        await office.put("failed:1", (ADA, BOB))
        async with cut_off(office) as way:
            closing = asyncio.create_task(office.room.close(30))
            await asyncio.sleep(0)
            way.answers.set()
            await closing
            assert len(way.taken) == 1
            assert sorted(await office.states()) == [NotificationState.PENDING, NotificationState.SENT]
            assert await office.room.deliver_due() == frozenset()
            assert len(way.taken) == 1


async def test_a_close_does_not_wait_for_ever(inbox, tmp_path, caplog):
    async with post(tmp_path, inbox) as office:
        await office.put("failed:1")
        async with cut_off(office):
            async with asyncio.timeout(30):
                await office.room.close(0)
            assert await office.states() == [NotificationState.PENDING]
    assert "did not answer in time" in caplog.text


async def test_a_failure_that_nobody_waits_for_is_told_in_the_log(inbox, tmp_path, caplog):
    async with post(tmp_path, inbox) as office:
        await office.put("failed:1")
        async with cut_off(office) as way:

            async def busy(*_):
                raise TemporaryError("storage_unavailable", "busy")

            office.outbox.mark_sent = busy
            way.answers.set()
            await office.room.close(30)
    assert "storage_unavailable: busy" in caplog.text


@pytest.mark.parametrize("by_chat", [True, False], ids=["by chat", "by mail"])
async def test_a_chat_is_waited_for_longer_than_others_when_the_server_stops(inbox, tmp_path, by_chat):
    """Its thread keeps the process from ending anyway; unmarked, the message would come twice."""
    async with post(tmp_path, inbox) as office:
        way = Slow()
        office.room = Mailroom(office.outbox, way, office.clock, redact, others={Way.CHANNEL: way})
        await office.put("failed:1", ["channel:chat" if by_chat else ADA])
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, office.room.deliver_due())
        await asyncio.wait_for(way.came.wait(), 30)
        closing = asyncio.create_task(office.room.close(0))
        ended, _ = await asyncio.wait([closing], timeout=0.2 if by_chat else 30)
        assert bool(ended) is not by_chat
        way.answers.set()
        await closing
        sent = NotificationState.SENT if by_chat else NotificationState.PENDING
        assert await office.states() == [sent]
