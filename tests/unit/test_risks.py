"""The risks of a change: how far it goes, what the evidence leaves open, and nothing invented."""

import pytest

from ai_ops.core.risks import risks
from ai_ops.flow.task import Proof, Reason, Verdict

CHANGE = """diff --git a/shop/cart.py b/shop/cart.py
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -1,2 +1,3 @@
 def total(items):
-    return sum(items) / len(items)
+    if not items:
+        return 0
"""
TEST = """diff --git a/tests/test_x.py b/tests/test_x.py
new file mode 100644
--- /dev/null
+++ b/tests/test_x.py
@@ -0,0 +1 @@
+def test_x(): ...
"""
GOOD = (
    Reason("reproduced", "t", "fails"),
    Reason("passes_after", "t", "passes"),
    Reason("suite_clean", "", "ok"),
)
OPEN = (Reason("failed_before_too", "t2", "fails"), Reason("flaky", "t", "…"), Reason("flaky", "t3", "…"))
SIZE = "It changes 1 file besides its own tests (shop/cart.py): 2 lines added, 1 removed."


def said(verdict, *reasons, patch=CHANGE + TEST):
    return risks(Proof(verdict, reasons), patch, ("tests/test_x.py",))


def test_a_proved_change_says_how_far_it_goes_and_what_the_proof_does_not_cover():
    size, cover = said(Verdict.PROVED, *GOOD)
    assert size == SIZE
    assert cover.startswith("The proof covers the logged error and the tests that there are.")


def test_what_the_evidence_leaves_open_is_named_once():
    assert said(Verdict.PROVED, *GOOD, *OPEN)[1] == (
        "Not settled by the evidence, see the open points: failed_before_too, flaky."
    )


@pytest.mark.parametrize("verdict", [Verdict.UNPROVED, Verdict.REFUTED, Verdict.BLOCKED, None])
def test_nothing_is_said_of_a_proof_that_there_is_not(verdict):
    assert said(verdict, *GOOD) == (SIZE,)


def test_without_a_change_there_is_no_risk():
    assert said(Verdict.UNPROVED, *OPEN, patch="") == ()


def test_many_files_are_counted_and_the_first_ones_named():
    patch = "".join(CHANGE.replace("cart", f"cart{n}") for n in range(7))
    assert "7 files besides its own tests (shop/cart0.py, " in said(Verdict.PROVED, patch=patch)[0]
    assert "shop/cart4.py and 2 more)" in said(Verdict.PROVED, patch=patch)[0]


def test_a_change_of_tests_alone_is_called_so():
    assert said(Verdict.PROVED, patch=TEST)[0] == "Nothing but the reproduction's own tests is changed."


def test_what_is_no_patch_any_more_is_passed_over():
    assert said(Verdict.PROVED, patch="diff --git a/x b/x\n@@ broken\n***") != ()


def test_of_a_change_of_very_many_files_the_first_are_named_and_the_rest_is_counted():
    patch = "".join(
        f"diff --git a/m{n} b/m{n}\n--- a/m{n}\n+++ b/m{n}\n@@ -1 +1 @@\n-x = 1\n+x = 2\n" for n in range(200)
    )
    first = risks(Proof(Verdict.UNPROVED), patch)[0]
    assert "It changes 200 files besides its own tests (m0, m1, m2, m3, m4 and 195 more)" in first
    assert "200 lines added, 200 removed" in first
