"""Which errors an installation's own rules expect."""

import pytest

from ai_ops.core.expected import ExpectedRule, judge
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.issue import TriageClass

FRAMES = (Frame("/srv/app/payments/card.py", 3, "charge"), Frame("/usr/lib/python3.11/x.py", 1, "y", False))
ERROR = ErrorDetail("raw", "python", "shop.errors.CardDeclined", "The bank said No to card", FRAMES)
REPO = "github.com/acme/shop"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"type": "CardDeclined"}, True),
        ({"type": "*Declined"}, True),
        ({"type": "shop.errors.*"}, True),
        ({"type": "Card"}, False),
        ({"message": "said no"}, True),
        ({"message": "said yes"}, False),
        ({"path": "payments/*.py"}, True),
        ({"path": "/srv/app/payments/card.py"}, True),
        ({"path": "ayments/*.py"}, False),
        ({"path": "x.py"}, False),
        ({"type": "*Declined", "message": "said yes"}, False),
        ({"type": "*Declined", "repo": "github.com/acme/*"}, True),
        ({"type": "*Declined", "repo": "github.com/other/*"}, False),
    ],
)
def test_all_that_a_rule_says_must_fit(rule, fits):
    assert ExpectedRule("told to the customer", **rule).fits(ERROR, REPO) is fits


def test_the_first_rule_that_fits_gives_the_reason():
    rules = (
        ExpectedRule("no", type="Other"),
        ExpectedRule("first", path="payments/*"),
        ExpectedRule("b", type="*"),
    )
    decision = judge(ERROR, "ERROR", REPO, rules)
    assert (decision.triage_class, decision.repair) == (TriageClass.EXPECTED, False)
    assert decision.reason.endswith(": first")


def test_without_a_rule_triage_decides():
    assert judge(ERROR, "ERROR", REPO).repair
    assert judge(ERROR, "ERROR", REPO, (ExpectedRule("no", type="Other"),)).repair
