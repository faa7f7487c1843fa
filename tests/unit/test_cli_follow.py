"""The steps of a run on the screen: a tick is for what went well, whatever a step has found."""

import pytest

from ai_ops.cli.follow import print_step, print_steps


def proof(verdict):
    return {"verdict": verdict, "reasons": []}


STEPS = [
    ("verify", {"state": "done", "output": {"proof": proof("proved"), "words": "proved: it passes"}},
     "  ✓ verify               proved: it passes", "proved"),
    ("verify", {"state": "done", "output": {"proof": proof("refuted"), "words": "refuted: it still fails"}},
     "  ✗ verify               refuted: it still fails", "refuted"),
    ("verify", {"state": "done", "output": {"proof": proof("unproved"), "words": "unproved: no type"}},
     "  ✗ verify               unproved: no type", "unproved"),
    ("guard", {"state": "done", "output": {"proof": proof("blocked"), "words": "an error is swallowed"}},
     "  ✗ guard                blocked: an error is swallowed", "blocked"),
    ("guard", {"state": "done", "output": {"proof": None, "words": "allowed, 0 warnings"}},
     "  ✓ guard                allowed, 0 warnings", "done"),
    ("reproduce", {"state": "done", "output": {"reproduced": False, "words": "passes on the base"}},
     "  ✗ reproduce            not reproduced: passes on the base", "not reproduced"),
    ("reproduce", {"state": "done", "output": {"reproduced": True, "words": "reproduced by a.py"}},
     "  ✓ reproduce            reproduced by a.py", "done"),
    ("commit", {"state": "done", "output": {"sha": "", "withheld": "too many are open", "words": "too many"}},
     "  ✗ commit               withheld: too many", "withheld"),
    ("triage", {"state": "done", "output": {"withheld": True, "words": "expected by model: x"}},
     "  ✗ triage               withheld: expected by model: x", "withheld"),
    ("triage", {"state": "done", "output": {"withheld": False, "words": "code_fault by rules"}},
     "  ✓ triage               code_fault by rules", "done"),
    ("push", {"state": "failed", "failure": {"message": "refused"}},
     "  ✗ push                 refused", "failed"),
    ("push", {"state": "done", "output": {}}, "  ✓ push", "done"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "step", "line", "state"), STEPS, ids=[f"{s[0]}-{s[3]}" for s in STEPS])
def test_a_step_that_was_done_and_speaks_against_the_change_gets_no_tick(capsys, name, step, line, state):
    print_step({"step": name, "round": 1, **step})
    assert capsys.readouterr().out == f"{line}\n"
    shown = {"name": name, "round": 1, "state": step["state"], "output": step.get("output")}
    shown |= {"duration_seconds": 1.0, "usage": {"cost_usd": 0}, "error": step.get("failure")}
    print_steps({"steps": [shown], "artifacts": []})
    assert f"  {state}  " in capsys.readouterr().out.splitlines()[1]
