"""The smallest joiner over ``Follower``: the reference for what it promises."""

from __future__ import annotations

from ai_ops.core.stacktrace import Follower, start


def records(lines: list[bytes]) -> list[list[bytes]]:
    """Split lines into records; lines taken provisionally are given back when a record ends."""
    found: list[list[bytes]] = []
    at = 0
    while at < len(lines):
        follower = Follower(start(lines[at]), lines[at])
        end = at + 1
        while end < len(lines) and follower.accept(lines[end]):
            end += 1
        end -= follower.pending
        found.append(lines[at:end])
        at = end
    return found
