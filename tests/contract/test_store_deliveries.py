"""What came in about pull requests is known again; on SQLite and PostgreSQL."""

import asyncio
from datetime import timedelta

from ai_ops.flow.pull_request import CommentKind, HostedComment
from ai_ops.store.deliveries import DeliveryRepository, SeenCommentRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.retention import Retention
from tests.support.store import START, pull_request


async def test_a_delivery_is_new_once_and_by_its_sender(database, clock):
    deliveries = DeliveryRepository(database, clock)
    said = await asyncio.gather(*(deliveries.is_new("github", "d" * 9000) for _ in range(5)))
    assert sorted(said) == [False] * 4 + [True]
    assert await deliveries.is_new("gitlab", "d" * 9000)
    assert not await DeliveryRepository(database, clock).is_new("github", "d" * 9000)


async def test_deliveries_are_forgotten_after_a_month(database, clock):
    deliveries, retention = DeliveryRepository(database, clock), Retention(database, clock, 90, 90)
    assert await deliveries.is_new("github", "1")
    clock.forward(29 * 86_400)
    assert await deliveries.is_new("github", "2")
    await retention.sweep()
    assert not await deliveries.is_new("github", "1")
    clock.forward(2 * 86_400)
    await retention.sweep()
    assert await deliveries.is_new("github", "1")
    assert not await deliveries.is_new("github", "2")


async def test_the_later_word_on_a_comment_counts(database, clock):
    await PullRequestRepository(database, clock).record(pull_request())
    seen = SeenCommentRepository(database)
    comment = HostedComment("c-1", CommentKind.COMMENT, "ann", "x", START + timedelta(minutes=1))
    await seen.put("pr-1", comment, done=False)
    await seen.put("pr-1", comment, done=True)
    assert await seen.of("pr-2") == {}
    (known,) = (await seen.of("pr-1")).items()
    assert (known[0], known[1].done, known[1].created_at) == ("c-1", True, comment.created_at)
