"""What a scheduled.json or a queue.json asks for, read from files that nobody wrote by hand."""

from __future__ import annotations

import json

import pytest

from ai_ops.cli.importing import plan_import


def plan(**entry):
    data = json.dumps({"list": [{"id": "a", "prompt": "?", **entry}]})
    return plan_import(data.encode(), timezone="UTC", repo_url=None)


@pytest.mark.parametrize("identity", ["任务1", "tab\tid", "new\nline", "é"])
def test_an_id_that_no_header_can_hold_makes_its_task_once_all_the_same(identity):
    (item,) = plan(id=identity).items
    assert item.key.isascii() and item.key.isprintable() and len(item.key) <= 200
    assert item.key == plan(id=identity).items[0].key != plan(id=identity + "2").items[0].key
    assert item.external_id == identity


def test_a_plain_id_is_its_own_key():
    assert plan(id="nightly-1").items[0].key == "import:nightly-1"


@pytest.mark.parametrize("timeout", [10**400, 1e308, float("inf")])
def test_a_time_out_beyond_all_numbers_is_a_day(timeout):
    assert plan(timeout=timeout).items[0].body["timeout_seconds"] == 86_400


@pytest.mark.parametrize("name", ["id", "prompt", "workspace"])
def test_half_a_character_is_named_with_its_place(name):
    assert any(f"list[0].{name}: must be text" in problem for problem in plan(**{name: "a\ud800"}).problems)
