"""The order of steps that need one another, and the circle where there is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_order(needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the steps so that each comes after what it needs, otherwise as given; fewer in a circle."""
    done: dict[str, None] = {}
    left = list(needs)
    while ready := [step for step in left if all(need in done for need in needs[step])]:
        done |= dict.fromkeys(ready)
        left = [step for step in left if step not in done]
    return tuple(done)


def circle(needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return steps that need one another in a circle, the first one again at the end; empty without one."""
    left = set(needs) - set(in_order(needs))
    if not left:
        return ()
    # Every step that is left needs one that is left: following them comes round.
    step = next(each for each in needs if each in left)
    walked: list[str] = []
    while step not in walked:
        walked.append(step)
        step = next(need for need in needs[step] if need in left)
    return (*walked[walked.index(step) :], step)


def before(needs: Mapping[str, Sequence[str]], step: str) -> frozenset[str]:
    """Return all that has to be over before a step: what it needs, and what that needs."""
    found: set[str] = set()
    looked = list(needs[step])
    while looked:
        one = looked.pop()
        if one not in found and one in needs:
            found.add(one)
            looked += needs[one]
    return frozenset(found)
