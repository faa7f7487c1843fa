"""How a pull request is opened: ready, as a draft, or as one until CI passes."""

import pytest

from ai_ops.core.drafts import Draft, Drafting, drafting
from ai_ops.flow.task import Verdict

READY, STAYS, UNTIL = Drafting(False, False), Drafting(True, False), Drafting(True, True)


@pytest.mark.parametrize(
    ("asked", "until_green", "expected"),
    [
        pytest.param(None, False, READY, id="nobody asks"),
        pytest.param(None, True, UNTIL, id="the server asks"),
        pytest.param(Draft.NEVER, True, READY, id="the repository wants none"),
        pytest.param(Draft.ALWAYS, True, STAYS, id="the repository wants one for people"),
        pytest.param(Draft.UNTIL_GREEN, False, UNTIL, id="the repository asks"),
    ],
)
def test_the_repositorys_word_comes_before_the_servers(asked, until_green, expected):
    assert drafting(Verdict.PROVED, asked, until_green=until_green) == expected


@pytest.mark.parametrize("asked", [None, *Draft])
def test_what_is_not_proved_is_made_ready_by_people_alone(asked):
    assert drafting(Verdict.UNPROVED, asked, until_green=True) == STAYS
