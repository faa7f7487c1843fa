"""How a server begins: what was left behind is removed before anything goes on."""

import asyncio

from ai_ops.core.ports import NewTask
from ai_ops.flow.task import TaskKind
from ai_ops.settings import Settings
from ai_ops.wiring import system


async def test_no_run_goes_on_before_what_was_left_behind_is_removed(tmp_path, monkeypatch):
    begun, order = asyncio.Event(), []

    def noting(_worker):
        async def work(_task_id, _run_number, _steps):
            order.append("a run")
            begun.set()

        return work

    async def removed(_sandbox):
        await asyncio.sleep(0.5)  # time enough for a run to begin
        order.append("what was left behind")

    settings = Settings(
        code_host="local",
        data_dir=tmp_path / "data",
        workspaces_dir=tmp_path / "workspaces",
        sandbox="auto",
    )
    async with system.build(settings, "http://localhost", wrap=noting) as before:
        new = NewTask(TaskKind.PROMPT, None, "normal", {"prompt": "?", "type": "lightweight"})
        await before.tools.tasks.create(new)
    assert order == []
    monkeypatch.setattr(system, "_look_at", removed)
    async with system.build(settings, "http://localhost", wrap=noting):
        async with asyncio.timeout(30):
            await begun.wait()
    assert order == ["what was left behind", "a run"]
