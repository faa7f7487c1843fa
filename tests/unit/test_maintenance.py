"""Maintenance is a file: made here or by hand, and it outlives the server."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from ai_ops.core.ports import Maintenance
from ai_ops.engine.maintenance import MaintenanceFile
from ai_ops.errors import TemporaryError
from tests.support.store import START, FixedClock


@pytest.fixture
def switch(tmp_path):
    return MaintenanceFile(tmp_path / "data", FixedClock())


def test_it_is_off_until_it_is_on_and_both_may_be_said_again(switch, tmp_path):
    assert switch.current() is None
    switch.off()
    assert switch.on("a new disk") == Maintenance(START, "a new disk")
    assert switch.on("another reason") == switch.current() == Maintenance(START, "a new disk")
    assert MaintenanceFile(tmp_path / "data", FixedClock()).current() == Maintenance(START, "a new disk")
    assert (tmp_path / "data" / ".maintenance").stat().st_mode & 0o777 == 0o600
    switch.off()
    assert switch.current() is None


@pytest.mark.parametrize(
    "text", ["", "because", "{}", '{"since": 1, "reason": 2}', "[]", "\0" * 20_000, "[" * 9000]
)
def test_a_file_made_by_hand_counts_whatever_it_says(switch, tmp_path, text):
    file = tmp_path / "data" / ".maintenance"
    file.parent.mkdir()
    file.write_text(text)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    assert switch.current() == Maintenance(datetime.fromtimestamp(1_000_000_000, UTC))


def test_a_folder_of_that_name_counts_too(switch, tmp_path):
    (tmp_path / "data" / ".maintenance").mkdir(parents=True)
    assert switch.current() is not None


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(TemporaryError) as failed:
        MaintenanceFile(tmp_path / "data", FixedClock()).on("")
    assert failed.value.code == "storage_unavailable"


def test_a_time_without_a_zone_is_utc(switch, tmp_path):
    file = tmp_path / "data" / ".maintenance"
    file.parent.mkdir()
    file.write_text('{"since": "2026-01-02T03:04:05", "reason": "by hand"}')
    assert switch.current() == Maintenance(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "by hand")
