"""Runs of suites that are remembered, for tests whose subject is what comes after a proof.

Hundreds of tests begin with the same proved repair of the same repository. Each distinct run is a real one,
in the sandbox, the first time; the same files under the same plan are answered from memory after that. Tests
of proofs, runners and limits have no part in it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ai_ops.core.orchestrator.tools import Suites
from ai_ops.core.project import TestPlan
from ai_ops.flow.report import RunEnd, SuiteReport

Key = tuple[str, TestPlan, tuple[str, ...]]
Memory = dict[Key, SuiteReport]


class RememberedSuites:
    """Suites that answer from ``memory`` what ran there before, on files that the run left as they were."""

    def __init__(self, inner: Suites, memory: Memory) -> None:
        self._inner = inner
        self._memory = memory

    async def check(self, plan: TestPlan) -> None:
        await self._inner.check(plan)

    async def run(
        self,
        checkout: Path,
        plan: TestPlan,
        *,
        out: Path,
        paths: Sequence[str] = (),
        setup_layer: Path | None = None,
    ) -> SuiteReport:
        key = (digest(checkout), plan, tuple(paths))
        if setup_layer is None and key in self._memory:
            return self._memory[key]
        report = await self._inner.run(checkout, plan, out=out, paths=paths, setup_layer=setup_layer)
        ended = report.end is RunEnd.EXITED and report.results is not None
        if setup_layer is None and ended and digest(checkout) == key[0]:
            self._memory[key] = report
        return report


def digest(checkout: Path) -> str:
    """Return a digest of names, modes, bytes and targets; not of ``.git``, which differs with the clock."""
    found = hashlib.sha256()
    for folder, folders, files in os.walk(checkout):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted([*files, *folders]):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            content = b""
            if stat.S_ISLNK(mode):
                content = os.fsencode(path.readlink())
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            found.update(f"{path.relative_to(checkout)}\0{mode}\0{len(content)}\0".encode() + content)
    return found.hexdigest()
