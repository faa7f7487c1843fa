"""What is blocked in plain words is blocked in other words as well."""

import pytest

from ai_ops.core.guard import Severity, review
from tests.support.patches import diff, reader

LOGGED = "ZeroDivisionError: division by zero\norder ORD-2024-991 amount 7731 flags 0xBEEF kind GIFT-55"
PRICE = "def price(order, amount):\n    total = TABLE[order]\n    return total / amount\n"


@pytest.fixture
def blocked(tmp_path):
    """Return the rules that block a change of one file."""

    def run(name, old, new, **more):
        before, after = {name: old}, {name: new}
        found = review(diff(tmp_path, before, after), reader(before), reader(after), **more)
        return {finding.rule for finding in found if finding.severity is Severity.BLOCKED}

    return run


def answered(condition):
    """Return the code with a constant for what a condition tells."""
    return PRICE.replace("    total", f"    if {condition}:\n        return 0\n    total", 1)


@pytest.mark.parametrize(
    "condition",
    [
        "order == 'ORD-2024-991'",
        "order == 'ORD-' + '2024-' + '991'",
        "order == ('ORD-' '2024-' '991')",
        r"order == '\x4fRD-2024\u002d991'",
        "order.startswith('ORD-2024-9')",
        "order[:9] == 'ORD-2024-'",
        "order.endswith('-991')",
        "amount == 7_731",
        "amount == 0x1e33",
        "amount == 7731.0",
        "amount == 0xBEEF",
    ],
)
def test_a_value_of_the_log_is_found_however_it_is_written(blocked, condition):
    found = blocked("shop/price.py", PRICE, answered(condition), logged=LOGGED)
    assert found == {"input_special_cased"}


@pytest.mark.parametrize(
    "condition",
    [
        "order.startswith('GIFT-')",
        "order.startswith('X-' + '2024-1')",
        "amount == 7_730",
        "order[:2] == 'OR'",
    ],
)
def test_what_the_log_does_not_say_or_says_of_many_is_free(blocked, condition):
    assert blocked("shop/price.py", PRICE, answered(condition), logged=LOGGED) == set()
