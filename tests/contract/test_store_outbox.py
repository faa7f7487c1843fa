"""The outbox on real databases: one message to one receiver is one notification, whatever comes between."""

import json
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from ai_ops.errors import PermanentError
from ai_ops.flow.notification import Notification, NotificationKind, NotificationState, Way
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository
from tests.contract.test_store_database import back_to
from tests.support.store import START, sqlite_url

LATER = START + timedelta(minutes=1)


@pytest.fixture
def outbox(database):
    return OutboxRepository(database)


def message(key="k", recipients=("a@x",), **changes):
    made = Notification(key, f"<{key}@x>", recipients, "subject", "text", "<p>", START)
    return replace(made, **changes)


async def released(outbox, *recipients, **changes):
    kept = await outbox.put(message(recipients=recipients or ("a@x",), **changes))
    await outbox.release([each.id for each in kept], START)
    return kept


async def due(outbox, at=START, way=Way.MAIL, **limit):
    return [each.recipient for each in await outbox.due(at, way, **limit)]


async def test_a_message_is_one_notification_for_each_receiver_however_often_it_is_put(outbox):
    first = await outbox.put(message(recipients=("a@x", "webhook:ops", "a@x")))
    again = await outbox.put(message(recipients=("a@x", "webhook:ops"), subject="other"))
    assert first == again
    assert [each.recipient for each in first] == ["a@x", "webhook:ops"]
    assert [each.subject for each in again] == ["subject", "subject"]
    assert (await outbox.put(message(recipients=("late@x",))))[0].recipients == ("late@x",)
    assert len((await outbox.list()).items) == 3


async def test_nothing_is_due_before_it_was_released(outbox):
    (kept,) = await outbox.put(message())
    assert await due(outbox) == []
    assert [each.id for each in await outbox.waiting()] == [kept.id]
    await outbox.release([kept.id], START)
    assert await outbox.waiting() == []
    assert await due(outbox) == ["a@x"]
    assert await outbox.released_since(START - timedelta(seconds=1)) == {"a@x": [START]}
    assert await outbox.released_since(START) == {}


async def test_each_way_and_each_receiver_is_tried_and_ends_on_its_own(outbox):
    mail, other, hook = await released(outbox, "a@x", "b@x", "webhook:ops")
    await outbox.mark_failed(mail.id, "450 busy", LATER)
    await outbox.mark_failed(hook.id, "410 gone", None)
    await outbox.mark_sent(other.id, START)
    assert await due(outbox) == await due(outbox, way=Way.WEBHOOK) == []
    assert await due(outbox, LATER) == ["a@x"]
    states = {each.recipient: each.state for each in (await outbox.list()).items}
    assert states == {"a@x": "pending", "b@x": "sent", "webhook:ops": "failed"}


async def test_one_that_was_sent_stays_sent(outbox):
    (kept,) = await released(outbox)
    await outbox.mark_failed(kept.id, "450 busy", LATER)
    assert [each.attempts for each in await outbox.due(LATER, Way.MAIL)] == [1]
    await outbox.mark_sent(kept.id, LATER)
    await outbox.mark_failed(kept.id, "late answer", LATER)
    found = await outbox.find(kept.id)
    assert (found.state, found.sent_at, found.last_error) == ("sent", LATER, "")
    assert await due(outbox, LATER + timedelta(days=1)) == []


async def test_what_is_held_says_why_and_stays_undecided(outbox):
    (kept,) = await outbox.put(message())
    await outbox.hold([kept.id], LATER, "quiet hours")
    (waiting,) = await outbox.waiting()
    assert waiting.next_attempt_at == LATER
    assert (await outbox.find(kept.id)).last_error == "waits: quiet hours"
    await outbox.release([kept.id], LATER)
    await outbox.hold([kept.id], LATER + timedelta(days=1), "too late")
    assert await due(outbox, LATER) == ["a@x"]


async def test_what_is_urgent_and_what_was_not_looked_at_stand_before_a_storm_that_waits(outbox):
    storm = [(await outbox.put(message(f"storm-{number}")))[0] for number in range(3)]
    await outbox.hold([each.id for each in storm], LATER, "the daily digest")
    (new,) = await outbox.put(message("new", ("webhook:ops",)))
    (urgent,) = await outbox.put(message("urgent", urgent=True))
    found = [each.id for each in await outbox.waiting(limit=3)]
    assert found == [urgent.id, new.id, storm[0].id]
    await outbox.hold([urgent.id], LATER, "tried")
    assert (await outbox.waiting(limit=1))[0].id == urgent.id


async def test_a_digest_shares_its_lot_with_its_parts(outbox):
    parts = [(await outbox.put(message(f"k{n}")))[0] for n in range(3)]
    digest = message("digest:1", kind=NotificationKind.DIGEST, released_at=START)
    for _ in range(2):  # a second time changes nothing
        await outbox.gather(digest, [each.id for each in parts])
    assert await outbox.waiting() == []
    (kept,) = await outbox.due(START, Way.MAIL)
    assert kept.key == "digest:1"
    assert {each.state for each in (await outbox.list()).items} == {"pending", "digested"}
    await outbox.mark_failed(kept.id, "554 no", None)
    failed = (await outbox.list(states=[NotificationState.FAILED])).items
    assert [each.last_error for each in failed] == ["554 no"] * 4
    assert (await outbox.retry(parts[0].id)).key == "digest:1"
    assert {each.state for each in (await outbox.list()).items} == {"pending", "digested"}
    await outbox.mark_sent(kept.id, LATER)
    assert [each.sent_at for each in (await outbox.list()).items] == [LATER] * 4


async def test_one_that_was_released_never_becomes_part_of_a_digest(outbox):
    (single,) = await released(outbox)
    await outbox.gather(message("digest:1", kind=NotificationKind.DIGEST, released_at=START), [single.id])
    assert (await outbox.find(single.id)).digest == ""


async def test_the_mails_of_a_thread_answer_its_first_one_and_say_their_own_news(outbox):
    (first,) = await outbox.put(message("one", thread="i1", subject="Failed"))
    (second,) = await outbox.put(message("two", thread="i1", subject="Pull request"))
    (third,) = await outbox.put(message("three", thread="i1", subject="Resolved"))
    (other,) = await outbox.put(message("four", thread="i2", subject="Another"))
    (late,) = await outbox.put(message("two", ("b@x",), thread="i1", subject="Pull request"))
    assert (first.in_reply_to, first.subject) == ("", "Failed")
    assert (second.in_reply_to, second.subject) == (first.message_id, "Pull request")
    assert (third.in_reply_to, third.subject) == (first.message_id, "Resolved")
    assert (other.in_reply_to, other.subject) == ("", "Another")
    assert (late.in_reply_to, late.subject) == ("", "Pull request"), "this receiver has not seen the first"


async def test_only_what_failed_is_tried_again_by_hand(outbox):
    (kept,) = await released(outbox)
    with pytest.raises(PermanentError, match="notification_not_failed"):
        await outbox.retry(kept.id)
    with pytest.raises(PermanentError, match="notification_not_found"):
        await outbox.retry("elsewhere")
    await outbox.mark_failed(kept.id, "550 no", None)
    assert (await outbox.retry(kept.id)).attempts == 0
    assert await due(outbox) == ["a@x"]


async def test_the_oldest_are_due_first_and_no_more_than_asked(outbox):
    for number in range(5):
        await released(outbox, f"{number}@x", key=f"k{number}")
    assert await due(outbox, limit=3) == ["0@x", "1@x", "2@x"]


async def test_what_was_kept_before_there_were_several_ways_is_kept_for_each_receiver(tmp_path):
    url = sqlite_url(tmp_path)
    await back_to("0009", await open_database(url))
    columns = "key, message_id, recipients, subject, text, html, created_at, state, attempts, last_error"
    with sqlite3.connect(tmp_path / "data" / "ai_ops.db") as old:
        for key, state in (("waits", "pending"), ("went", "sent")):
            row = (key, f"<{key}@x>", json.dumps(["a@x", "b@x"]), "s", "t", "h", "2026-01-01 12:00:00.000000")
            old.execute(f"INSERT INTO notifications ({columns}) VALUES (?,?,?,?,?,?,?,?,0,'')", (*row, state))
    old.close()
    database = await open_database(url)
    outbox = OutboxRepository(database)
    assert await outbox.waiting() == []
    assert await due(outbox) == ["a@x", "b@x"]
    await outbox.put(message("went", ("a@x", "b@x")))
    await outbox.put(message("waits", ("a@x", "b@x")))
    assert len((await outbox.list()).items) == 4, "none of them is new"
    await back_to("0009", database)
    database = await open_database(url)
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT key, state FROM notifications ORDER BY seq"))).all()
    await database.close()
    assert [tuple(row) for row in rows][:2] == [("waits", "pending"), ("went", "sent")]
