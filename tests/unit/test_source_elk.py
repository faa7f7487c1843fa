"""Elasticsearch: each document once, whatever its time and whenever it arrives."""

import asyncio

import pytest

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.monitoring.sources import elk
from ai_ops.monitoring.sources.elk import ElkOptions, ElkSource
from ai_ops.monitoring.sources.http import Endpoint
from ai_ops.monitoring.sources.port import Entry, Mark
from tests.support.elk_double import elk_double, millis

NOON = millis("2026-03-01T12:00:00Z") / 1000


@pytest.fixture(params=["elasticsearch", "opensearch"])
def double(request):
    with elk_double() as made:
        made.opensearch = request.param == "opensearch"
        yield made


def at(seconds):
    return f"2026-03-01T11:{seconds // 60:02}:{seconds % 60:02}.000Z"


async def look(double, positions, *, now=NOON, url="", headers=None, **more):
    """Read to the end as an agent does, keep the positions, and return the texts."""
    options = ElkOptions(**{"follow": False, "from_start": True, "page": 3, **more})
    source = ElkSource(Endpoint.parse(url or double.url, headers), options, clock=lambda: now)
    texts = []
    async for entry in source.entries(dict(positions)):
        if isinstance(entry, Entry):
            texts.append(entry.text.decode())
        if entry.position:
            positions[entry.stream] = entry.position
    return texts


async def test_documents_of_one_time_on_several_pages_come_once_each(double):
    for number in range(10):
        double.add(**{"@timestamp": at(5), "message": f"m{number}"})
    texts = await look(double, {})
    assert sorted(texts) == sorted(f"m{n}" for n in range(10))
    assert double.views == {}, "a point in time was left open"


async def test_what_was_read_does_not_come_again(double):
    positions = {}
    double.add(**{"@timestamp": at(5), "message": "first"})
    assert await look(double, positions) == ["first"]
    double.add(**{"@timestamp": at(5), "message": "of the same time"})
    double.add(**{"@timestamp": at(6), "message": "later"})
    assert await look(double, positions) == ["of the same time", "later"]
    assert await look(double, positions) == []


async def test_a_document_that_arrives_late_is_read_and_a_very_late_one_is_not(double):
    positions = {}
    double.add(**{"@timestamp": at(600), "message": "newest"})
    await look(double, positions, late_seconds=60)
    double.add(**{"@timestamp": at(545), "message": "late"})
    double.add(**{"@timestamp": at(530), "message": "too late"})
    assert await look(double, positions, late_seconds=60) == ["late"]


async def test_a_document_is_read_after_the_refresh_that_shows_it(double):
    positions = {}
    double.add(refresh=False, **{"@timestamp": at(5), "message": "hidden"})
    double._searchable = []
    assert await look(double, positions) == []
    double.refresh()
    assert await look(double, positions) == ["hidden"]


async def test_a_document_dated_ahead_is_read_in_its_time_and_makes_nothing_late(double):
    positions = {}
    double.add(**{"@timestamp": "2026-03-01T13:00:00Z", "message": "ahead"})
    double.add(**{"@timestamp": at(5), "message": "now"})
    assert await look(double, positions) == ["now"]
    assert await look(double, positions, now=NOON + 3600) == ["ahead"]


async def test_without_a_position_reading_begins_now(double):
    positions = {}
    double.add(**{"@timestamp": at(5), "message": "old"})
    assert await look(double, positions, from_start=False) == []
    double.add(**{"@timestamp": "2026-03-01T12:00:01Z", "message": "new"})
    assert await look(double, positions, from_start=False, now=NOON + 2) == ["new"]


async def test_more_documents_than_are_remembered_come_once_each(double, monkeypatch):
    monkeypatch.setattr(elk, "_REMEMBERED", 4)
    positions = {}
    for number in range(20):
        double.add(**{"@timestamp": at(number), "message": f"m{number}"})
    assert await look(double, positions) == [f"m{n}" for n in range(20)]
    assert await look(double, positions) == []
    assert len(next(iter(positions.values()))) < 200


async def test_a_kill_after_any_document_loses_and_doubles_nothing(double):
    """Only positions that were yielded are kept, with what came before them."""
    for number in range(11):
        double.add(**{"@timestamp": at(number // 4), "message": f"m{number}"})
    for stop in range(20):
        positions, kept, pending = {}, [], []
        options = ElkOptions(follow=False, from_start=True, page=3)
        source = ElkSource(Endpoint.parse(double.url), options, clock=lambda: NOON)
        entries = source.entries({})
        for _ in range(stop):
            entry = await anext(entries, None)
            if entry is None:
                break
            pending += [entry.text.decode()] if isinstance(entry, Entry) else []
            if entry.position:
                positions[entry.stream] = entry.position
                kept, pending = kept + pending, []
        await entries.aclose()
        kept += await look(double, positions)
        assert sorted(kept) == sorted(f"m{n}" for n in range(11)), stop


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, TemporaryError, "source_busy"),
        (503, TemporaryError, "source_busy"),
        (403, PermanentError, "source_refused"),
    ],
)
async def test_a_refusal_is_named(double, status, kind, code):
    double.fail = [status] * 3
    with pytest.raises(kind) as failure:
        await look(double, {})
    assert failure.value.code == code


async def test_a_page_without_some_shards_is_not_taken_for_the_whole(double):
    double.add(**{"@timestamp": at(5), "message": "m"})
    double.failed_shards = 1
    positions = {}
    with pytest.raises(TemporaryError):
        await look(double, positions)
    double.failed_shards = 0
    assert await look(double, positions) == ["m"]


async def test_user_and_password_of_the_address_become_a_header_and_are_never_shown(double):
    double.authorization = "Basic ZWxhc3RpYzpzM2NyZXQ="
    url = f"http://elastic:s3cret@127.0.0.1:{double.port}"
    assert await look(double, {}, url=url) == []
    double.authorization = "other"
    with pytest.raises(PermanentError) as failure:
        await look(double, {}, url=url)
    assert "s3cret" not in str(failure.value) + repr(Endpoint.parse(url))


async def test_a_service_that_is_away_may_come_back(double):
    with pytest.raises(TemporaryError) as failure:
        await look(double, {}, url="http://127.0.0.1:1")
    assert failure.value.code == "source_unreachable"


async def test_index_and_query_narrow_the_documents(double):
    double.add("shop-1", **{"@timestamp": at(1), "message": "a", "level": "error"})
    double.add("shop-2", **{"@timestamp": at(2), "message": "b", "level": "info"})
    double.add("web-1", **{"@timestamp": at(3), "message": "c", "level": "error"})
    assert await look(double, {}, index="shop-*", query="level:error") == ["a"]


async def test_it_looks_again_until_it_is_stopped(double):
    options = ElkOptions(poll_seconds=0.01, from_start=True)
    source = ElkSource(Endpoint.parse(double.url), options, clock=lambda: NOON)
    entries = source.entries({})
    assert isinstance(await anext(entries), Mark)
    double.add(**{"@timestamp": at(1), "message": "one"})
    assert (await anext(entries)).text == b"one"
    assert isinstance(await anext(entries), Mark)
    waiting = asyncio.ensure_future(anext(entries))
    double.add(**{"@timestamp": at(2), "message": "two"})
    assert (await waiting).text == b"two"
    await entries.aclose()


TRACE = 'Traceback (most recent call last):\n  File "/app/a.py", line 1, in f\n    g()\nValueError: no'


@pytest.mark.parametrize(
    ("source", "text", "level"),
    [
        ({"message": "ERROR plain"}, "ERROR plain", ""),
        (
            {"message": "failed", "log": {"level": "error"}, "error": {"stack_trace": TRACE}},
            f"failed\n{TRACE}",
            "ERROR",
        ),
        ({"message": f"failed\n{TRACE}", "error.stack_trace": TRACE}, f"failed\n{TRACE}", ""),
        (
            {"error": {"type": "ValueError", "message": "no"}, "log.level": "Fatal"},
            "ValueError: no",
            "CRITICAL",
        ),
        ({"a": {"b": 1}}, '{"@timestamp": "2026-03-01T11:00:05.000Z", "a": {"b": 1}}', ""),
    ],
    ids=["message", "ecs", "trace within the message", "type and message", "neither"],
)
async def test_a_document_becomes_what_a_logger_would_have_printed(double, source, text, level):
    name = double.add(**{"@timestamp": at(5), **source})
    elk_source = ElkSource(
        Endpoint.parse(double.url), ElkOptions(follow=False, from_start=True), lambda: NOON
    )
    (entry,) = [entry async for entry in elk_source.entries({}) if isinstance(entry, Entry)]
    assert (entry.text.decode(), entry.level) == (text, level)
    assert entry.identity == f"elk:logs/{name}"
    assert entry.time == NOON - 3595


async def test_https_towards_a_service_of_plain_http_is_named(double):
    source = ElkSource(Endpoint.parse(double.url.replace("http:", "https:")), ElkOptions(follow=False))
    with pytest.raises(TemporaryError, match="it speaks plain http"):
        [entry async for entry in source.entries({})]
