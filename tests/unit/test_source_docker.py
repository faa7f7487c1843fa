"""Docker containers: every line once, over restarts, broken connections and lines written out of order."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

import pytest

from ai_ops.errors import TemporaryError
from ai_ops.monitoring.multiline import CUT, MAX_LINE_BYTES
from ai_ops.monitoring.sources.docker import DockerSource
from ai_ops.monitoring.sources.docker_containers import Container, is_meant
from ai_ops.monitoring.sources.docker_position import ContainerPosition
from ai_ops.monitoring.sources.docker_stream import log_lines, split_stamp
from ai_ops.monitoring.sources.http import Endpoint
from ai_ops.monitoring.sources.port import Entry
from tests.support.docker_double import SECOND, START, docker_double


@pytest.fixture
def engine():
    with tempfile.TemporaryDirectory() as folder, docker_double(Path(folder)) as double:
        yield double


def source(engine, *globs, **more):
    return DockerSource(Endpoint.parse(engine.url), globs, **{"follow": False, "from_start": True, **more})


async def read(engine, positions, *globs, found=None, **more):
    """Read to the end as an agent does, keep the positions, and return (origin, text)."""
    found = [] if found is None else found
    async for entry in source(engine, *globs, **more).entries(dict(positions)):
        if isinstance(entry, Entry):
            found.append((entry.origin, entry.text.decode()))
        positions[entry.stream] = entry.position
    return found


async def test_lines_of_containers_with_and_without_a_terminal_are_read(engine):
    web, shell = engine.add("web"), engine.add("shell", tty=True)
    web.write("out")
    web.write("err", stdio=2)
    shell.write("typed")
    assert sorted(await read(engine, {})) == [
        ("docker:shell/stdout", "typed"),
        ("docker:web/stderr", "err"),
        ("docker:web/stdout", "out"),
    ]


async def test_a_long_line_in_several_frames_is_one_line(engine):
    web = engine.add("web")
    for number in range(3):
        web.log.append((1, START + number, b"x" * 100 + (b"\n" if number == 2 else b"")))
        web.log.append((2, START + number, b"between\n"))
    lines = [text for origin, text in await read(engine, {}) if origin.endswith("stdout")]
    assert lines == ["x" * 300]


async def test_what_was_read_does_not_come_again(engine):
    positions, web = {}, engine.add("web")
    for number in range(3):
        web.write(f"same time {number}", at=START)
    assert len(await read(engine, positions)) == 3
    web.write("same time 3", at=START)
    web.write("later", at=START + 1)
    assert [text for _, text in await read(engine, positions)] == ["same time 3", "later"]
    assert await read(engine, positions) == []


async def test_lines_of_stdout_and_stderr_that_were_written_out_of_order_are_all_read(engine):
    positions, web = {}, engine.add("web")
    web.write("err", stdio=2, at=START + 2_000_000)
    assert len(await read(engine, positions)) == 1
    web.write("out, stamped before", stdio=1, at=START + 1_000_000)
    assert [text for _, text in await read(engine, positions)] == ["out, stamped before"]


async def test_a_quiet_stderr_does_not_have_days_of_stdout_read_again():
    position = ContainerPosition({"stderr": (START, 1), "stdout": (START + 86_400 * SECOND, 1)})
    assert position.since == f"{START // SECOND + 86_400 - 5}.000000000"


async def test_a_clock_that_is_set_back_loses_no_line(engine):
    web = engine.add("web")
    web.write("before", at=START + 10 * SECOND)
    web.write("after", at=START)
    web.write("and on", at=START + 1)
    assert [text for _, text in await read(engine, {})] == ["before", "after", "and on"]


@pytest.mark.parametrize("tty", [False, True], ids=["frames", "terminal"])
async def test_a_connection_that_breaks_anywhere_loses_and_doubles_nothing(engine, tty):
    web = engine.add("web", tty=tty)
    for number in range(4):
        web.write(f"line {number}")
    wanted = [f"line {number}" for number in range(4)]
    for cut in range(1, 170, 7):
        positions, found = {}, []
        engine.cut = cut
        with contextlib.suppress(TemporaryError):  # beyond the end of the log nothing breaks
            await read(engine, positions, found=found)
        engine.cut = 0
        assert [text for _, text in found + await read(engine, positions)] == wanted, cut


async def test_a_log_that_broke_off_is_a_failure_after_the_others_were_read(engine):
    found = []
    for name in ("long", "short"):
        engine.add(name).write("x" * (200 if name == "long" else 10))
    engine.cut = 100
    with pytest.raises(TemporaryError) as failure:
        await read(engine, {}, found=found)
    assert failure.value.code == "source_unreachable"
    assert found == [("docker:short/stdout", "x" * 10)]


def test_what_comes_after_a_clock_was_set_back_is_new_after_a_restart_too():
    position = ContainerPosition()
    for stdio, at in (("stderr", 100), ("stdout", 101), ("stdout", 40)):
        assert position.take(stdio, at * SECOND) == 1
    again = ContainerPosition.parse(str(position)).resumed()
    assert again.since == "40.000000000"
    assert [again.take("stdout", at * SECOND) for at in (39, 40, 45)] == [None, None, 1]
    assert again.take("stderr", 46 * SECOND) == 1


async def test_without_a_position_only_what_is_new_is_read_and_later_containers_whole(engine):
    positions, old = {}, engine.add("old")
    old.write("long ago")
    options = {"from_start": False, "clock": lambda: START / SECOND + 60}
    assert await read(engine, positions, **options) == []
    old.write("new", at=START + 61 * SECOND)
    engine.add("young").write("first words")
    assert sorted(text for _, text in await read(engine, positions, **options)) == ["first words", "new"]


async def following(engine, *globs):
    """Yield texts as they come."""
    entries = source(engine, *globs, follow=True).entries({})
    try:
        async for entry in entries:
            if isinstance(entry, Entry):
                yield entry.text.decode()
    finally:
        await entries.aclose()


async def test_it_follows_containers_that_appear_restart_and_end(engine):
    texts = following(engine)
    web = engine.add("web")
    web.write("one")
    assert await anext(texts) == "one"
    while not engine._watchers:
        await asyncio.sleep(0.01)
    engine.add("worker").write("two")
    assert await anext(texts) == "two"
    engine.end(web)
    web.write("last words of a short life")
    engine.start(web)
    engine.end(web)
    assert await anext(texts) == "last words of a short life"
    engine.start(web)
    web.write("three")
    assert await anext(texts) == "three"
    await texts.aclose()


async def test_without_events_the_list_alone_leads_to_new_containers(engine, monkeypatch):
    monkeypatch.setattr("ai_ops.monitoring.sources.docker._LOOK_SECONDS", 0.05)
    engine.has_events = False
    texts = following(engine)
    waiting = asyncio.ensure_future(anext(texts))
    await asyncio.sleep(0)
    engine.add("late").write("found")
    assert await waiting == "found"
    await texts.aclose()


async def test_a_container_whose_log_cannot_be_read_is_named_once_and_others_go_on(engine, caplog):
    engine.add("dark", readable=False)
    engine.add("web").write("fine")
    assert await read(engine, {}) == [("docker:web/stdout", "fine")]
    assert "does not support reading" in caplog.text or "501" in caplog.text


async def test_an_engine_that_is_away_may_come_back(tmp_path):
    with pytest.raises(TemporaryError) as failure:
        [e async for e in DockerSource(Endpoint.parse(f"unix://{tmp_path}/no.sock")).entries({})]
    assert failure.value.code == "source_unreachable"


@pytest.mark.parametrize(
    ("globs", "meant"),
    [
        ((), True),
        (("web-*",), True),
        (("db", "web-1"), True),
        (("web",), False),
        (("label:app=shop",), True),
        (("label:app=*",), True),
        (("label:app=w*",), False),
    ],
)
def test_containers_are_chosen_by_globs(globs, meant):
    assert is_meant(Container("a" * 64, "web-1", True, {"app": "shop"}), globs) is meant


def test_the_agents_own_container_is_not_read():
    assert not is_meant(Container("0123456789ab" + "c" * 52, "agent"), ("*",), "0123456789ab")


@pytest.mark.parametrize(
    ("line", "at", "text"),
    [
        (b"2026-03-01T12:00:00.000000001Z a b", START + 1, b"a b"),
        (b"2026-03-01T12:00:00Z a", START, b"a"),
        (b"2026-03-01T13:00:00.5+01:00 a", START + SECOND // 2, b"a"),
        (b"2026-03-01T12:00:00.1Z ", START + SECOND // 10, b""),
        (b"no time", None, b"no time"),
        (b"2026-03-01 12:00:00", None, b"2026-03-01 12:00:00"),
        (b"", None, b""),
    ],
)
def test_the_time_of_a_line_is_exact(line, at, text):
    assert split_stamp(line) == (at, text)


async def body(*chunks):
    for chunk in chunks:
        yield chunk


async def test_frames_may_come_in_any_pieces():
    frame = b"\x02\0\0\0\0\0\0\x23" + b"2026-03-01T12:00:00.000000000Z boo\n"
    assert len(frame) == 8 + 0x23
    lines = [line async for line in log_lines(body(*[bytes([b]) for b in frame * 2]), terminal=False)]
    assert [(line.stdio, line.text) for line in lines] == [("stderr", b"boo")] * 2


@pytest.mark.parametrize(
    "data", [b"\x07\0\0\0\0\0\0\x01x", b"\x01\0\0\0\xff\xff\xff\xffx", b"HTTP/1.1 200 OK"]
)
async def test_what_has_no_frames_is_refused(data):
    with pytest.raises(TemporaryError):
        [line async for line in log_lines(body(data), terminal=False)]


async def test_an_endless_line_is_cut():
    chunk = b"x" * 65_536
    lines = [line async for line in log_lines(body(*[chunk] * 40, b"\n"), terminal=True)]
    assert [len(line.text) for line in lines] == [MAX_LINE_BYTES + len(CUT)]
