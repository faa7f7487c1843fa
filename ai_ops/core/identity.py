"""Names that follow from what they name, so that doing a thing twice finds the first one."""

from __future__ import annotations

import hashlib
import re
import uuid

# As ``fix_branch`` and ``task_branch`` make it, also where a deployment made a host name of it.
FIX_BRANCH = re.compile(r"ai-ops[/_-](?:fix|task)[/_-][0-9a-f]{12}[/_-]\d+")

REVERTS = "ai-ops/revert-"
"""What the branches begin with that take a merged change back."""


def run_id(task_id: str, number: int) -> str:
    """Return the id of a task's run, which is its trace id: the same after every restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ai-ops:run:{task_id}:{number}"))


def pull_request_id(repo_key: str, branch: str) -> str:
    """Return the id of our record of a branch's pull request."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{repo_key}#{branch}"))


def fix_branch(fingerprint: str, episode: int) -> str:
    """Return the branch of an issue's repair in one episode."""
    return f"ai-ops/fix-{fingerprint[:12]}-{episode}"


_TASKS = "ai-ops/task-"


def is_of_task(branch: str) -> bool:
    """Whether a branch of ours holds what a prompt task wrote: it mends no error, and nothing proves it."""
    return branch.startswith(_TASKS)


def task_branch(task_id: str, run_number: int) -> str:
    """Return the branch of what a prompt task wrote in one run."""
    return f"{_TASKS}{task_id.replace('-', '')[-12:]}-{run_number}"


def port_branch(branch: str, base: str) -> str:
    """Return the branch of a fix that is proposed for another base, too."""
    return f"{branch}-{hashlib.sha256(base.encode()).hexdigest()[:8]}"


def revert_branch(merge_sha: str) -> str:
    """Return the branch that takes a merged change back."""
    return f"{REVERTS}{merge_sha[:12]}"


def is_revert(branch: str) -> bool:
    """Whether a branch of ours takes a merged change back: it mends no error, and nothing proves it."""
    return branch.startswith(REVERTS)


def message_id(key: str, domain: str = "ai-ops.invalid") -> str:
    """Return the Message-ID of a notification: one key, one id."""
    return f"<{uuid.uuid5(uuid.NAMESPACE_URL, f'ai-ops:mail:{key}')}@{domain}>"


def personal(address: str) -> str:
    """Return what stands for an address in a key, so that the key tells nobody the address."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{address.lower()}").hex[:16]


def nonce(run: str, name: str, round: int, salt: str) -> str:
    """Return an id for one request that text quoted from a log cannot guess.

    ``salt`` is secret to this server; the same request made again after a crash has the same nonce.
    """
    return uuid.uuid5(uuid.UUID(run), f"{salt}:{name}:{round}").hex
