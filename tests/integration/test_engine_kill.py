"""kill -9 at every point of a run: the work is finished, each effect is there once, no ghost remains."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from ai_ops import process
from ai_ops.core.identity import run_id
from ai_ops.flow.task import TaskState
from tests.support.engine_child import STEPS, tables, workflow_states

ROOT = Path(__file__).parents[2]


async def life(folder: Path, point: str) -> int:
    """Run the child until it ends or kills itself, and return its exit code."""
    argv = [sys.executable, "-m", "tests.support.engine_child", str(folder), point]
    limits = process.Limits(wall_seconds=30)
    ended = await process.run(argv, env=process.clean_environment(), cwd=ROOT, limits=limits)
    assert ended.end is process.End.EXITED, ended.complaint
    assert ended.exit_code in (0, -signal.SIGKILL), ended.complaint
    return ended.exit_code


async def test_a_run_that_is_killed_at_every_step_is_finished_with_each_effect_once(tmp_path: Path):
    points = [f"{step}:{when}" for step in STEPS for when in ("before", "after", "left")]
    for point in points:
        assert await life(tmp_path, point) == -signal.SIGKILL, point
    assert await life(tmp_path, "none") == 0

    assert (tmp_path / "effects").read_text().split() == list(STEPS)
    assert workflow_states(tmp_path) == ["SUCCESS"]
    async with tables(tmp_path) as (_, trace, task):
        assert task.state is TaskState.COMPLETED
        run = await trace.find_run(run_id(task.id, 1))
        assert run is not None and run.outcome == "completed"
        # Killed twice before its outcome was committed, so entered three times; never again after that.
        assert [(step.name, step.entries) for step in await trace.steps(run.id)] == [(s, 3) for s in STEPS]


async def test_a_run_whose_engine_lost_its_database_is_begun_again_without_doing_committed_steps_twice(
    tmp_path: Path,
):
    assert await life(tmp_path, "verify:left") == -signal.SIGKILL
    for file in tmp_path.glob("engine.db*"):
        file.unlink()
    async with tables(tmp_path) as (_, _, task):
        assert task.state is TaskState.PROCESSING
    assert await life(tmp_path, "none") == 0

    async with tables(tmp_path) as (_, trace, task):
        assert task.state is TaskState.COMPLETED
        steps = await trace.steps(run_id(task.id, 1))
        assert [(step.name, step.entries) for step in steps] == [(name, 1) for name in STEPS]
