"""Compliance policies: what applies, and what is a violation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from ai_ops.core.policies import Policy, Wish, violation
from ai_ops.flow.judgement import Role

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WISH = Wish("heavy_context", "git.example/acme/shop", Role.ADMIN)


@pytest.mark.parametrize(
    ("policy", "wish", "words"),
    [
        pytest.param(
            {"roles": (Role.ADMIN,)}, {"role": Role.SCHEDULE}, "the role schedule may not", id="role"
        ),
        pytest.param({"tools": ("Read", "Gr*")}, {"tools": ("Grep", "Bash")}, "the tool Bash", id="tool"),
        pytest.param(
            {"folders": ("src",)}, {"folders": ("src/a/b.py", "etc/x")}, "folder etc/x", id="folder"
        ),
        pytest.param(
            {"folders": ("src",)}, {"folders": ("srcs/a.py",)}, "folder srcs/a.py", id="a name alike"
        ),
        pytest.param({"hosts": ("*.example",)}, {"hosts": ("evil.test",)}, "the host evil.test", id="host"),
        pytest.param({"days": (5, 6)}, {}, "day of the week", id="day"),
        pytest.param({"hours": (time(8), time(11))}, {}, "only from 08:00 to 11:00 (UTC)", id="hour"),
        pytest.param({"hours": (time(22), time(6))}, {}, "only from 22:00", id="over midnight"),
        pytest.param({"hours": (time(8), time(18)), "timezone": "Asia/Tokyo"}, {}, "Tokyo", id="time zone"),
    ],
)
def test_what_a_policy_limits_must_fit(policy, wish, words):
    found = violation([Policy("p", **policy)], replace(WISH, **wish), MONDAY_NOON)
    assert found is not None
    assert found.policy == "p" and words in found.words


@pytest.mark.parametrize(
    ("policy", "wish"),
    [
        pytest.param({"roles": (Role.ADMIN,)}, {}, id="role"),
        pytest.param({"tools": ("Read",)}, {"tools": ("Read",)}, id="tool"),
        pytest.param({"folders": ("src/*", "docs")}, {"folders": ("src/a/b.py", "docs")}, id="folder"),
        pytest.param({"hosts": ("*.example",)}, {"hosts": ("api.example",)}, id="host"),
        pytest.param({"days": (0,), "hours": (time(8), time(18))}, {}, id="time"),
        pytest.param({"hours": (time(10), time(6))}, {}, id="over midnight"),
        pytest.param({"types": ("lightweight",), "roles": (Role.SCHEDULE,)}, {}, id="another type"),
        pytest.param({"repositories": ("*/other",), "roles": (Role.SCHEDULE,)}, {}, id="another repository"),
    ],
)
def test_what_fits_or_is_not_meant_is_free(policy, wish):
    assert violation([Policy("p", **policy)], replace(WISH, **wish), MONDAY_NOON) is None


def test_of_several_policies_all_must_be_kept():
    policies = [Policy("one", types=("heavy_context",)), Policy("two", repositories=("*/acme/*",), days=(6,))]
    found = violation(policies, WISH, MONDAY_NOON)
    assert found is not None and found.policy == "two"
