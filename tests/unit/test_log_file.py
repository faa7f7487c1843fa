"""A packed log is read like a plain one, in bounded memory."""

import gzip
import random
import tracemalloc
import zlib

import pytest

from ai_ops.monitoring import log_file
from ai_ops.monitoring.log_file import may_hold, open_log

CONTENT = b"".join(b"%d %s\n" % (n, random.Random(n).randbytes(30).hex().encode()) for n in range(20_000))


def opened(path):
    status = path.stat()
    return open_log(str(path), (status.st_dev, status.st_ino))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(gzip.compress(CONTENT))
    return path


def test_reading_at_any_position_gives_what_was_packed(log):
    file, dice = opened(log), random.Random(1)
    for _ in range(200):
        at, size = dice.randrange(len(CONTENT) + 100), dice.randrange(1, 200_000)
        assert file.read_at(at, size) == CONTENT[at : at + size]
        assert file.read_at(0, 1024) == CONTENT[:1024]
    file.close()


def test_reading_forward_inflates_once(log, monkeypatch):
    made = []
    monkeypatch.setattr(zlib, "decompressobj", lambda *a, real=zlib.decompressobj: made.append(a) or real(*a))
    file = opened(log)
    for at in range(0, len(CONTENT), 100_000):
        assert file.read_at(at, 131_072) == CONTENT[at : at + 131_072]
        assert file.read_at(0, 1024) == CONTENT[:1024]
        assert file.read_at(max(file.first, at - 16_384), 64)
    file.close()
    assert len(made) == 1


def test_several_packed_streams_are_one_content_and_padding_ends_it(tmp_path):
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"") + gzip.compress(b"two\n") + b"\0" * 700)
    file = opened(path)
    assert file.read_at(0, 100) == b"one\ntwo\n"
    assert file.end(file.status()) == 8
    file.close()


def test_a_file_that_is_still_being_packed_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "app.log.1.gz"
    whole = gzip.compress(CONTENT)
    path.write_bytes(whole[:300_000])
    file = opened(path)
    first = file.read_at(0, 1 << 30)
    assert CONTENT.startswith(first)
    with path.open("ab") as more:
        more.write(whole[300_000:])
    assert first + file.read_at(len(first), 1 << 30) == CONTENT
    file.close()


@pytest.mark.parametrize(
    "raw", [b"no gzip at all", gzip.compress(CONTENT)[:50] + b"x" * 99], ids=["no", "broken"]
)
def test_what_is_damaged_says_so(tmp_path, raw):
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(raw)
    with pytest.raises(OSError, match="damaged"):
        opened(path).read_at(0, 1 << 20)


def test_a_bomb_is_read_in_bounded_memory_and_only_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(log_file, "_MAX_INFLATED_BYTES", 64 << 20)
    path = tmp_path / "app.log.1.gz"
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    with path.open("wb") as file:
        for _ in range(128):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    bomb = opened(path)
    tracemalloc.start()
    assert bomb.read_at(60 << 20, 1024) == bytes(1024)
    with pytest.raises(OSError, match="more than"):
        bomb.read_at(100 << 20, 1024)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_a_file_that_took_the_place_of_the_one_meant_is_refused(log):
    status = log.stat()
    with pytest.raises(OSError, match="another file"):
        open_log(str(log), (status.st_dev, status.st_ino + 1))


def test_whether_more_is_in_a_packed_file_is_told_from_its_end(log):
    assert may_hold(str(log), log.stat(), 0)
    assert may_hold(str(log), log.stat(), len(CONTENT) - 1)
    assert not may_hold(str(log), log.stat(), len(CONTENT))
