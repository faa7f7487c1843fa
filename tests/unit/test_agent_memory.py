"""What the agent holds in memory while it reads: bytes are counted, so that other load changes nothing."""

import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from ai_ops.agent import kinds
from ai_ops.agent.agent import Agent
from ai_ops.agent.options import Options, Source
from ai_ops.errors import TemporaryError

_MB = 1 << 20
_LINE = 600_000


class Away:
    """A server that is away."""

    def deliver(self, batch):
        raise TemporaryError("server_unreachable", "no", delay=60.0)


@pytest.fixture
def peak():
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1] / _MB
    tracemalloc.stop()


def word(number):
    """A number in letters: each is an error of its own."""
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:04}")


def long_line(begin, number, text):
    return f"{begin} order {word(number)} {text * (_LINE // len(text.encode()))}\n"


@pytest.mark.parametrize(
    "begin", ["ERROR", "2026-03-01 12:00:00,000 ERROR"], ids=["waits for lines", "stands alone"]
)
def test_many_files_of_very_long_lines_take_little_more_than_one(tmp_path, peak, begin):
    files, each = 24, 2
    for number in range(files):
        lines = (long_line(begin, number * each + n, "failed here ") for n in range(each))
        (tmp_path / f"{number}.log").write_text("".join(lines))
    options = Options(
        (Source(str(tmp_path / "*.log"), "https://git.example/acme/shop"),),
        data_dir=tmp_path / "data",
        from_start=True,
        once=True,
        debounce_seconds=0.05,
    )
    agent = Agent(options, Away())
    assert agent.run(threading.Event()).waiting == files * each
    assert peak() < 8


@pytest.mark.parametrize(
    "text", [b" 1", b"\n\\\\", b"\\", b"C:\\a\\b;"], ids=["numbers", "lines", "backslashes", "paths"]
)
def test_the_shape_of_a_long_line_takes_little(peak, text):
    kinds._shape(b"2026-03-01 12:00:00 ERROR\n" + text * (_LINE // len(text)), "")
    assert peak() < 4


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is set")
def test_large_blocks_go_back_to_the_system_when_they_are_freed():
    program = """
import sys
from pathlib import Path
from ai_ops.agent.memory import return_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

return_large_blocks()
bytes(8 << 20)  # by itself this makes the C library keep what is freed up to that size
before = resident()
blocks = [b"x" * (1 << 20) for _ in range(32)]
last = [b"x" * 10_000 for _ in range(100)]
del blocks
print(resident() - before)
"""
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 4 * _MB


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is returned")
def test_what_is_free_between_blocks_in_use_goes_back_when_asked():
    program = """
import sys
from pathlib import Path
from ai_ops.agent.memory import return_freed, return_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

return_large_blocks()
blocks = [bytes(4000) for _ in range(8000)]
kept = blocks[::50]
del blocks
before = resident()
return_freed()
print(before - resident())
"""
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) > 16 * _MB
