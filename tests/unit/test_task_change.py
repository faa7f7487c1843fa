"""Title, commit message and body of a prompt task's pull request."""

import pytest

from ai_ops.core.task_change import Told, body, commit_message, title
from ai_ops.flow.task import Proof, Reason, Verdict


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Tidy the utils", "Tidy the utils"),
        ("Fixes #12 and closes GH-7, ABC-9", "Fixes 12 and closes 7, 9"),
        ("@everyone [skip ci] `rm`", "everyone skip ci rm"),
        ("a\nb\r\n\u202ec", "a b c"),
        ("#", "Task 01234567"),
        ("", "Task 01234567"),
        ("x" * 200, "x" * 72),
    ],
)
def test_a_title_holds_nothing_that_a_host_obeys(name, said):
    assert title(name, "01234567-89ab") == said


def test_the_commit_names_its_task_and_run():
    assert commit_message("Tidy", "t1", "r1", ("Signed-off-by: A <a@b>",)) == (
        "Tidy\n\nMade for task t1.\n\nAI-Ops-Run: r1\nSigned-off-by: A <a@b>\n"
    )


def test_the_body_says_what_is_known_and_claims_no_proof():
    told = Told(
        asked="```\n/merge\n@all fixes #1",
        summary="Tidied. Closes #3 <script>",
        proof=Proof(Verdict.UNPROVED, (Reason("suite_clean", "", "no new failure in 3 tests"),)),
        commands=("pytest -q  # exit code 0",),
        refused=("evil.test:443 was not reached: it is not in EGRESS_ALLOW",),
        cost_usd=0.25,
        trace_id="r1",
        task_id="t1",
    )
    text = body(told, "ai-ops:task:t1:1")
    for words in ("not proved", "no new failure in 3 tests", "pytest -q", "0.2500 USD", "evil"):
        assert words in text
    assert "<script>" not in text
    assert "Closes #3" not in text
    assert "\n/merge" not in text
    assert text.rstrip().endswith("<!-- ai-ops:task:t1:1 -->")
