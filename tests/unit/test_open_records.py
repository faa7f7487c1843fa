"""What open records may hold together: files wait for each other, and no record comes to harm by it."""

import random

import pytest

from ai_ops.monitoring import open_records
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.log_monitor import LogMonitor

_ROOM = 50_000
_LINE = 20_000
_DEBOUNCE = 0.5
_ROUND = 0.1


class Rounds:
    """Reads in rounds of a tenth of a second; ``most``: what open records held at most."""

    def __init__(self, folder):
        self.monitor = LogMonitor([str(folder / "*.log")], Detector(), _DEBOUNCE, from_start=True)
        self.monitor.discover()
        self.now = 0.0
        self.most = 0
        self.records = []

    def read(self, rounds=1):
        for _ in range(rounds):
            for progress in self.monitor.read(lambda: 1000, self.now):
                self.records += progress.records
                self.most = max(self.most, self.held)
            self.now += _ROUND

    @property
    def held(self):
        return sum(file.open_bytes for file in self.monitor._files.values())

    def of(self, name):
        return [record.raw.decode() for record in self.records if record.path.endswith(f"/{name}.log")]


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(open_records, "MAX_OPEN_BYTES", _ROOM)


@pytest.fixture
def rounds_of():
    made = []

    def make(folder):
        made.append(Rounds(folder))
        return made[-1]

    yield make
    for rounds in made:
        rounds.monitor.close()


def error(name, number, size=_LINE):
    return f"ERROR {name} number {number} failed {'x' * size}"


@pytest.mark.usefixtures("narrow")
def test_files_with_large_records_are_read_in_turn_and_all_of_them(tmp_path, rounds_of):
    names = [f"{number:02}" for number in range(20)]
    for name in names:
        (tmp_path / f"{name}.log").write_text("".join(error(name, n) + "\n" for n in range(5)))
    rounds = rounds_of(tmp_path)
    rounds.read()
    assert rounds.monitor.is_held_up
    rounds.read(60)
    assert not rounds.monitor.is_held_up
    assert {name: rounds.of(name) for name in names} == {
        name: [error(name, n) for n in range(5)] for name in names
    }
    assert rounds.most <= _ROOM + 2 * _LINE


@pytest.mark.usefixtures("narrow")
def test_files_that_always_have_more_do_not_keep_the_others_from_their_turn(tmp_path, rounds_of):
    names = [f"{number:02}" for number in range(8)]
    for name in names:
        (tmp_path / f"{name}.log").touch()
    rounds = rounds_of(tmp_path)
    for number in range(40):
        for name in names:
            with (tmp_path / f"{name}.log").open("a") as file:
                file.write(error(name, number) + "\n")
        rounds.read()
    assert all(rounds.of(name) for name in names)


@pytest.mark.usefixtures("narrow")
def test_a_record_without_end_gives_way_when_its_time_is_up(tmp_path, rounds_of):
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_text(error(name, 0, _ROOM) + "\n")
    rounds = rounds_of(tmp_path)
    for _ in range(8):
        with (tmp_path / "a.log").open("a") as file:
            file.write("    and more of it\n")
        rounds.read()
    assert rounds.of("a")
    rounds.read(8)
    assert rounds.of("b") == [error("b", 0, _ROOM)]


@pytest.mark.usefixtures("narrow")
def test_quiet_files_that_wait_still_end_their_records_in_time(tmp_path, rounds_of):
    for name in "bcd":
        (tmp_path / f"{name}.log").write_text("ERROR small\n")
    rounds = rounds_of(tmp_path)
    rounds.read()
    for name in "ae":
        (tmp_path / f"{name}.log").write_text(error(name, 0, _ROOM) + "\n")
    rounds.monitor.discover()
    rounds.now = _DEBOUNCE - _ROUND
    rounds.read()
    assert rounds.held > _ROOM
    rounds.read()
    assert [rounds.of(name) for name in "bcd"] == [["ERROR small"]] * 3


@pytest.mark.parametrize("seed", range(8))
def test_records_are_joined_as_if_there_were_room(tmp_path, monkeypatch, rounds_of, seed):
    dice = random.Random(seed)
    lines = [
        "ERROR no {0}",
        "2026-03-01 12:00:00 ERROR late {0}",
        "Traceback (most recent call last):",
        '  File "/srv/a.py", line {0}, in f',
        "    x = {0}",
        "ValueError: bad {0}",
        "2026-03-01 12:00:00 INFO fine {0}",
    ]
    for name in "abcdefgh":
        text = "".join(dice.choice(lines).format(n) + "\n" for n in range(2000))
        (tmp_path / f"{name}.log").write_text(text)
    found = []
    for room in (1 << 30, 300):
        monkeypatch.setattr(open_records, "MAX_OPEN_BYTES", room)
        rounds = rounds_of(tmp_path)
        rounds.read(200)
        assert not rounds.monitor.is_held_up
        found.append({name: rounds.of(name) for name in "abcdefgh"})
    assert found[0] == found[1]
