"""The systemd journal, read through the real ``journalctl`` where it can run, and through a double."""

import asyncio
import os

import pytest

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.monitoring.sources.journald import JournaldSource
from ai_ops.monitoring.sources.port import Entry, Mark
from tests.support.journal import REAL, journal

needs_journald = pytest.mark.skipif(not REAL, reason="needs root, bubblewrap and systemd-journald")


@pytest.fixture(params=[False, pytest.param(True, marks=needs_journald)], ids=["double", "journald"])
def log(request):
    with journal(real=request.param) as made:
        yield made


def source(log, *units, **more):
    options = {"follow": False, "from_start": True, "own_pid": 0, **more}
    return JournaldSource(units, [str(log.path / "journalctl")], **options)


async def read(log, positions, *units, **more):
    """Read to the end as an agent does, keep the positions, and return the entries."""
    found = []
    async for entry in source(log, *units, **more).entries(dict(positions)):
        if isinstance(entry, Entry):
            found.append(entry)
        positions[entry.stream] = entry.position
    return found


async def settled(log, count, *units):
    """Wait until the journal has so many entries of the units."""
    for _ in range(1000):
        found = await read(log, {}, *units)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(found)} of {count}")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("ERROR plain", b"ERROR plain"),
        ("Traceback (most recent call last):\n  File x\nValueError: no", None),
        (b"\x1b[31mERROR\x1b[0m \xff\xfe", b"\x1b[31mERROR\x1b[0m \xff\xfe"),
        ("x" * 40_000, None),
        ("非常", "非常".encode()),
        ("", b""),
    ],
    ids=["text", "several lines", "not text", "long", "chinese", "empty"],
)
async def test_every_kind_of_message_is_read_as_it_was_written(log, message, text):
    log.write(message, priority=3)
    (entry,) = await settled(log, 1, "shop.service")
    assert entry.text == (message.encode() if text is None else text)
    assert entry.level == "ERROR"
    assert entry.time > 1e9
    assert entry.identity.startswith("journald:s=")


async def test_only_the_units_that_were_named_are_read(log):
    for unit in ("shop.service", "web.service", "db.service"):
        log.write(f"of {unit}", unit=unit)
    found = await settled(log, 2, "shop.service", "db.service")
    assert [entry.text for entry in found] == [b"of shop.service", b"of db.service"]


async def test_reading_goes_on_after_the_cursor(log):
    positions = {}
    for number in range(5):
        log.write(f"line {number}")
    await settled(log, 5, "shop.service")
    assert len(await read(log, positions, "shop.service")) == 5
    assert await read(log, positions, "shop.service") == []
    log.write("line 5")
    await settled(log, 6, "shop.service")
    assert [entry.text for entry in await read(log, positions, "shop.service")] == [b"line 5"]


async def test_without_a_position_it_begins_at_the_end_and_remembers_that(log):
    positions = {}
    log.write("old")
    await settled(log, 1, "shop.service")
    assert await read(log, positions, "shop.service", from_start=False) == []
    log.write("new")
    await settled(log, 2, "shop.service")
    found = await read(log, positions, "shop.service", from_start=False)
    assert [entry.text for entry in found] == [b"new"]


async def test_what_follows_an_entry_of_another_unit_is_not_left_out(log):
    positions = {}
    log.write("of another", unit="web.service")
    await settled(log, 1, "web.service")
    assert await read(log, positions, "shop.service", from_start=False) == []
    log.write("new")
    await settled(log, 1, "shop.service")
    found = await read(log, positions, "shop.service", from_start=False)
    assert [entry.text for entry in found] == [b"new"]


async def test_what_the_agent_itself_says_is_passed_over_and_the_position_moves_on(log):
    positions = {}
    log.write("ERROR of the agent", pid=os.getpid())
    await settled(log, 1, "shop.service")
    assert await read(log, positions, "shop.service", own_pid=os.getpid()) == []
    assert await read(log, positions, "shop.service") == []


async def test_it_follows_and_leaves_no_process_behind(log):
    entries = source(log, "shop.service", follow=True).entries({})
    assert isinstance(await anext(entries), Mark)
    waiting = asyncio.ensure_future(anext(entries))
    log.write("as it happens")
    assert (await asyncio.wait_for(waiting, 30)).text == b"as it happens"
    await entries.aclose()


def fake(folder, script):
    program = folder / "journalctl"
    program.write_text(script)
    program.chmod(0o755)
    return JournaldSource((), [str(program)], from_start=True)


async def test_a_journalctl_that_fails_is_asked_again_later(tmp_path):
    with pytest.raises(TemporaryError) as failure:
        [e async for e in fake(tmp_path, "#!/bin/sh\necho 'no journal files' >&2\nexit 1\n").entries({})]
    assert failure.value.code == "source_failed"
    assert "no journal files" in failure.value.message


async def test_a_system_without_journalctl_is_named(tmp_path):
    with pytest.raises(PermanentError) as failure:
        [e async for e in JournaldSource((), [str(tmp_path / "none")], from_start=True).entries({})]
    assert failure.value.code == "source_missing"


async def test_what_is_no_entry_is_passed_over(tmp_path, caplog):
    script = """#!/bin/sh
echo 'not JSON'
echo '[1]'
echo '{"MESSAGE": "without a cursor"}'
echo '{"__CURSOR": "c1", "MESSAGE": null, "PRIORITY": 3}'
echo '{"__CURSOR": "c2", "MESSAGE": ["one", [116, 119, 111]], "__REALTIME_TIMESTAMP": "x"}'
exit 1
"""
    found = []

    async def read_all():
        async for entry in fake(tmp_path, script).entries({}):
            found.extend([entry] if isinstance(entry, Entry) else [])

    with pytest.raises(TemporaryError):
        await read_all()
    assert [(entry.position, entry.text) for entry in found] == [("c1", b""), ("c2", b"one\ntwo")]
    assert "passed over" in caplog.text
