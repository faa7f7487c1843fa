"""What a prompt task may do by its type, where it works, what it leaves, and what it goes on with."""

import asyncio
import dataclasses
import json
from functools import partial

import pytest

from ai_ops.core.identity import run_id
from ai_ops.core.model_failures import failure
from ai_ops.core.orchestrator import chunks
from ai_ops.core.verbs import decide
from ai_ops.flow.fixing import Session
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.git_server import git
from tests.support.workshop import SERVER_SECRET, Asked, mail_text

WRITES = {"task": [{"answer": "Done.", "summary": "It is written.", "files": {"notes/a.md": "hello\n"}}]}
IDS = "7efbdfc3-0f23-4304-ba97-e1187a22a18{:x}"
TIDY = shop.BROKEN.replace("def average", "def  average")


class InPieces(Asked):
    """A fixer with sessions. ``unfinished`` answers come first; ``cut`` are failures that leave a session."""

    def __init__(self, script, *, unfinished=0, cut=(), lost=0, refused=()):
        super().__init__(script)
        self.unfinished, self.cut, self.lost, self.refused = unfinished, list(cut), lost, refused
        self.saw = []

    async def ask(self, request, watch):
        self.saw.append(
            sorted(p.name for p in request.checkout.rglob("*") if p.is_file() and ".git" not in p.parts)
        )
        if request.session is not None and self.lost:
            self.lost -= 1
            self.requests.append(request)
            raise failure("model_session_lost", "No conversation found")
        answer = await super().ask(request, watch)
        session_id = request.session.id if request.session else IDS.format(len(self.requests))
        session = (
            Session(session_id, f"record {len(self.requests)}".encode()) if request.keep_session else None
        )
        if self.cut:
            error = self.cut.pop(0)
            error.session = session
            raise error
        more = self.unfinished > 0
        self.unfinished -= more
        return dataclasses.replace(
            answer, session_id=session_id, session=session, unfinished=more, refused=self.refused
        )


def pieces(**options):
    files = [{"answer": f"Piece {n}.", "files": {f"made-{n}.txt": f"{n}\n"}} for n in (1, 2, 3)]
    return InPieces({"task": files}, **options)


# --- where it works, and what it leaves ---


async def test_a_medium_task_on_a_repository_ends_in_its_diff(workshop):
    async with workshop(WRITES) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context"))
        assert task.state is TaskState.COMPLETED
        assert "the change is the artifact named diff" in task.outcome_reason
        assert "+hello" in await floor.artifact(task, "diff")
        (request,) = floor.fixer.requests
        assert (request.writes, request.egress) == (True, False)
        assert "Do not commit" in request.prompt
        assert floor.branches() == []
        assert floor.leftovers() == []


async def test_a_task_without_a_repository_leaves_its_files_as_artifacts(workshop):
    big = {f"many/{n:03}.txt": "x" for n in range(120)}
    files = {"report.md": f"# All is well, {SERVER_SECRET}\n", **big}
    async with workshop({"task": [{"answer": "Done.", "files": files}]}) as floor:
        task = await floor.prompted(repository=False, prompt="?", type="heavy_context")
        task = await floor.worked(task)
        assert task.state is TaskState.COMPLETED
        assert "121 files of its folder" in task.outcome_reason
        listed = (await floor.artifact(task, "files")).splitlines()
        assert listed[0] == "many/000.txt: 1 byte, file-1"
        assert listed[-1] == "and 21 more files, not kept"
        assert SERVER_SECRET not in await floor.everything_kept(task)


async def test_what_is_no_text_or_too_large_is_listed_and_not_kept(workshop):
    files = {"a.bin": "a\0b", "big.txt": "x" * 1_500_000, "c.txt": "c"}
    async with workshop({"task": [{"answer": "Done.", "files": files}]}) as floor:
        task = await floor.worked(await floor.prompted(repository=False, prompt="?", type="heavy_context"))
        assert (await floor.artifact(task, "files")).splitlines() == [
            "a.bin: not kept, not text",
            "big.txt: not kept, too large",
            "c.txt: 1 byte, file-1",
        ]


async def test_a_folder_of_the_server_is_worked_in_as_it_stands(workshop, tmp_path):
    async with workshop(WRITES) as floor:
        folder = floor.folder / "projects" / "shop"
        folder.mkdir(parents=True)
        (folder / "old.txt").write_text("old")
        task = await floor.prompted(repository=False, prompt="?", type="medium_context", folder=str(folder))
        task = await floor.worked(task)
        assert task.state is TaskState.COMPLETED
        assert (folder / "notes/a.md").read_text() == "hello\n"
        assert (folder / "old.txt").read_text() == "old"
        assert "notes/a.md: 6 bytes" in await floor.artifact(task, "files")


async def test_a_folder_that_was_moved_meanwhile_is_not_followed_out(workshop):
    async with workshop(WRITES) as floor:
        outside = floor.folder / "outside"
        outside.mkdir()
        folder = floor.folder / "projects" / "shop"
        folder.parent.mkdir()
        folder.symlink_to(outside)
        task = await floor.prompted(repository=False, prompt="?", type="heavy_context", folder=str(folder))
        task = await floor.worked(task)
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "folder_not_allowed")
        assert floor.fixer.requests == []


async def test_what_was_refused_on_the_way_is_named_by_the_task(workshop):
    fixer = pieces(refused=("evil.test:443 was not reached: it is not in EGRESS_ALLOW",))
    async with workshop(fixer=fixer) as floor:
        task = await floor.worked(await floor.prompted(repository=False, prompt="?", type="heavy_context"))
        assert "evil.test:443 was not reached" in task.outcome_reason
        assert "evil.test:443" in await floor.artifact(task, "refused-hosts")


async def test_the_command_line_stands_in_the_trace(workshop):
    async with workshop(WRITES) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type="heavy_context"))
        line = await floor.artifact(task, "command")
        assert line.startswith("claude --print --restricted ")
        assert "--allowedTools=Bash,WebFetch" in line


# --- recovery ---


async def test_a_heavy_task_goes_on_piece_by_piece_in_one_session_and_one_folder(workshop):
    fixer = pieces(unfinished=2)
    async with workshop(fixer=fixer) as floor:
        task = await floor.worked(await floor.prompted(prompt="Write.", type="heavy_context"))
        assert task.state is TaskState.COMPLETED
        assert [r.session.id if r.session else None for r in fixer.requests] == [
            None,
            IDS.format(1),
            IDS.format(1),
        ]
        assert list(await floor.steps(task)) == ["prepare:1", "work:1", "work:2", "work:3", "deliver:1"]
        assert "Write." in fixer.requests[0].prompt
        assert "Go on where you stopped" in fixer.requests[1].prompt
        assert "Piece 1." in fixer.requests[1].prompt
        diff = await floor.artifact(task, "diff")
        assert all(f"made-{n}.txt" in diff for n in (1, 2, 3))
        assert (await floor.artifact(task, "answer")) == "Piece 3."


@pytest.mark.parametrize("repository", [True, False], ids=["repository", "empty folder"])
async def test_a_limit_in_the_middle_goes_on_in_the_same_session_with_what_was_written(workshop, repository):
    fixer = pieces(cut=[failure("model_rate_limited", delay=5.0)])
    async with workshop(fixer=fixer) as floor:
        task = await floor.prompted(repository=repository, prompt="Write.", type="heavy_context")
        task = await floor.worked(task)
        assert task.state is TaskState.COMPLETED
        first, second = fixer.requests
        assert (first.session, second.session) == (None, Session(IDS.format(1), b"record 1"))
        assert "made-1.txt" in fixer.saw[1]


async def test_a_session_that_is_lost_is_begun_anew_with_the_last_lines_and_the_files(workshop):
    fixer = pieces(unfinished=1, lost=1)
    async with workshop(fixer=fixer) as floor:
        task = await floor.worked(await floor.prompted(prompt="Write.", type="heavy_context"))
        assert task.state is TaskState.COMPLETED
        *_, lost, fresh = fixer.requests
        assert (lost.session is None, fresh.session) == (False, None)
        assert "Where the last run stopped" in fresh.prompt
        assert "Claude uses Write" in fresh.prompt
        assert "made-1.txt" in fixer.saw[-1]


async def test_a_medium_task_that_was_cut_off_is_told_its_last_lines_and_keeps_its_edits(workshop):
    class CutOff(Asked):
        async def ask(self, request, watch):
            answer = await super().ask(request, watch)
            if len(self.requests) == 1:
                while not await floor.tools.trace.patch(request.run_id, "work-made"):
                    await watch("tool_result", {"id": "x", "is_error": False, "content": "still at it"})
                raise failure("model_killed", "exit code -9")
            self.saw = (request.checkout / "notes/a.md").read_text()
            return answer

    fixer = CutOff(WRITES)
    async with workshop(fixer=fixer) as floor:
        task = await floor.worked(await floor.prompted(prompt="Write.", type="medium_context"))
        assert task.state is TaskState.COMPLETED
        first, second = fixer.requests
        assert "Where the last run stopped" not in first.prompt
        assert "Where the last run stopped" in second.prompt
        assert "still at it" in second.prompt
        assert fixer.saw == "hello\n"


async def test_a_lightweight_task_begins_again_and_is_told_nothing(workshop):
    async with workshop(WRITES, failures=(failure("model_killed"),)) as floor:
        task = await floor.worked(await floor.prompted(prompt="Look.", type="lightweight"))
        assert task.state is TaskState.COMPLETED
        assert [("Where the last" in r.prompt, r.keep_session) for r in floor.fixer.requests] == [
            (False, False)
        ] * 2


async def test_the_time_of_a_task_is_for_all_its_pieces_and_then_it_ends(workshop):
    class Slow(InPieces):
        async def ask(self, request, watch):
            self.walls = [*getattr(self, "walls", []), request.wall_seconds]
            return await super().ask(request, watch)

    fixer = Slow({"task": [{"answer": "Piece."}]}, unfinished=99)
    async with workshop(fixer=fixer) as floor:
        task = await floor.prompted(prompt="?", type="heavy_context", timeout_seconds=1.05)
        task = await floor.worked(task)
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "task_unfinished")
        assert fixer.walls == sorted(fixer.walls, reverse=True)


@pytest.mark.parametrize("kind", ["lightweight", "medium_context", "heavy_context"])
async def test_the_time_of_a_task_is_for_all_its_tries_too(workshop, kind):
    class Hangs(InPieces):
        async def ask(self, request, watch):
            self.walls = [*getattr(self, "walls", []), request.wall_seconds]
            (request.checkout / "made.txt").write_text("1")
            await watch("tool_result", {"text": "written"})
            await asyncio.sleep(min(1.2, request.wall_seconds))
            raise failure("model_hung", "it took longer than it may")

    fixer = Hangs({"task": []})
    async with workshop(fixer=fixer) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type=kind, timeout_seconds=2.5))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "task_unfinished")
        assert fixer.walls[0] == 2.5 and len(fixer.walls) <= 2
        assert all(wall <= 1.3 for wall in fixer.walls[1:])
        kept = {each.name for each in await floor.tools.trace.artifacts(task.trace_id)}
        assert ("diff" in kept) is (kind == "medium_context"), "what the first try wrote"


@pytest.mark.parametrize("on", ["repository", "nothing"])
@pytest.mark.parametrize("limit", ["pieces", "time"])
async def test_what_a_task_wrote_that_was_not_done_is_with_its_trace(workshop, monkeypatch, on, limit):
    monkeypatch.setattr(chunks, "MOST_CHUNKS", 2)
    if limit == "time":
        monkeypatch.setattr(chunks, "MOST_CHUNKS", 3)
        monkeypatch.setattr(chunks, "_LEAST_SECONDS", 1000.0)
    async with workshop(fixer=pieces(unfinished=99)) as floor:
        asked = {"prompt": "Write.", "type": "heavy_context", "timeout_seconds": 999.0}
        task = await floor.worked(await floor.prompted(repository=on == "repository", **asked))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "task_unfinished")
        kept = {each.name for each in await floor.tools.trace.artifacts(task.trace_id)}
        name = "diff" if on == "repository" else "file-1"
        assert name in kept, kept
        text = (await floor.tools.trace.artifact(task.trace_id, name)).text
        assert "1" in text and floor.leftovers() == []


# --- proposing ---


async def test_what_a_task_wrote_becomes_a_draft_pull_request_that_claims_no_proof(workshop):
    async with workshop(WRITES) as floor:
        asked = {"prompt": "Write notes. Fixes #1", "type": "medium_context", "pull_request": True}
        task = await floor.prompted(name="Notes for @all", **asked)
        task = await floor.worked(task)
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "unproved")
        assert task.proof.reasons[0].rule == "suite_clean"
        (pull,) = await floor.pulls()
        assert (pull.title, pull.draft, pull.issue_id, pull.url) == ("Notes for all", True, None, task.pr_url)
        assert floor.branches() == [pull.branch]
        assert pull.branch.startswith("ai-ops/task-")
        message = git("log", "-1", "--format=%B", pull.branch, cwd=floor.remote)
        assert f"AI-Ops-Run: {run_id(task.id, 1)}" in message
        assert "hello" in git("show", f"{pull.branch}:notes/a.md", cwd=floor.remote)
        for words in ("not proved", "Write notes", "It is written."):
            assert words in pull.body
        assert "Fixes #1" not in pull.body
        (mail,) = floor.mails()
        assert "Notes for all" in mail["Subject"] or "Notes for all" in mail_text(mail)
        names = list(await floor.steps(task))
        stages = ("prepare", "work", "guard", "verify", "commit", "push", "open_pull_request", "notify")
        assert names == [f"{stage}:1" for stage in stages]
        assert floor.leftovers() == []


@pytest.mark.parametrize(
    ("files", "verdict", "rule"),
    [
        ({".github/workflows/ci.yml": "on: push\n"}, "blocked", "protected_path"),
        ({"key.py": 'TOKEN = "ghp_' + "A1b2C3d4" * 4 + 'E5f6"\n'}, "blocked", "secret_in_diff"),
        ({shop.MODULE_PATH: "raise RuntimeError('no')\n"}, "refuted", "new_failure"),
    ],
    ids=["ci", "a secret", "a new failure"],
)
async def test_what_guard_or_suite_speak_against_is_withheld_with_its_diff(workshop, files, verdict, rule):
    async with workshop({"task": [{"answer": "Done.", "files": files}]}) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context", pull_request=True))
        assert (task.state, task.proof.verdict) == (TaskState.NEEDS_HUMAN_REVIEW, verdict), task
        assert rule in [reason.rule for reason in task.proof.reasons]
        assert (await floor.pulls(), floor.branches()) == ((), [])
        assert await floor.artifact(task, "diff")
        (mail,) = floor.mails()
        assert "retry" in mail_text(mail)
        assert (await floor.done_to(task, "approve")).state is TaskState.COMPLETED
        assert floor.branches() == []


async def test_a_repository_without_tests_is_said_to_have_none(workshop):
    gone = {name: None for name in shop.files() if "test" in name or name == "pyproject.toml"}
    async with workshop(WRITES, files=gone) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context", pull_request=True))
        assert task.state is TaskState.COMPLETED, task
        assert "suite_missing" in [reason.rule for reason in task.proof.reasons]
        (pull,) = await floor.pulls()
        assert "the tests could not be run" in pull.body


async def test_a_task_that_wrote_nothing_proposes_nothing(workshop):
    async with workshop({"task": [{"answer": "Nothing to do."}]}) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context", pull_request=True))
        assert task.state is TaskState.COMPLETED
        assert "nothing was changed" in task.outcome_reason
        assert await floor.pulls() == ()


async def test_without_room_for_its_pull_request_no_money_is_spent(workshop):
    async with workshop(WRITES, max_open_pull_requests=1) as floor:
        await floor.repaired()
        asked = len(floor.fixer.requests)
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context", pull_request=True))
        assert task.state is TaskState.NEEDS_HUMAN_REVIEW
        assert "no place for its pull request" in task.outcome_reason
        assert task.waiting_for == "too_many_pull_requests"
        assert len(floor.fixer.requests) == asked

        assert await floor.tools.places.release_waiting() == []
        (left,) = await floor.tools.places.left()
        await floor.tools.places.release(left.repo_key, left.branch)
        (begun,) = await floor.tools.places.release_waiting()
        task = await floor.worked(begun)
        assert task.state is TaskState.COMPLETED, task.outcome_reason
        assert await floor.tools.places.left() == []


async def test_a_pull_request_that_ended_on_the_host_makes_room_for_a_task(workshop):
    async with workshop(WRITES, max_open_pull_requests=1) as floor:
        asked = {"prompt": "?", "type": "medium_context", "pull_request": True}
        await floor.worked(await floor.prompted(**asked))
        (pull,) = await floor.pulls()
        host = floor.tools.host_of(floor.repository)
        find = host.find_pull_request

        async def closed_there(*asked):
            hosted = await find(*asked)
            return hosted and dataclasses.replace(hosted, state=PullRequestState.CLOSED)

        host.find_pull_request = closed_there
        task = await floor.worked(await floor.prompted(**asked))
        assert task.state is TaskState.COMPLETED, task.outcome_reason
        assert (await floor.tools.pull_requests.find(pull.id)).state is PullRequestState.CLOSED


async def test_a_person_who_approves_a_task_without_a_place_lets_it_go_on(workshop):
    async with workshop(WRITES, max_open_pull_requests=1) as floor:
        await floor.repaired()
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context", pull_request=True))
        begun, _ = await floor.tools.tasks.act(task.id, partial(decide, "approve"))
        assert begun.state is TaskState.PENDING
        task = await floor.worked(begun)
        assert task.state is TaskState.COMPLETED, task.outcome_reason
        assert len(await floor.pulls()) == 1


async def test_a_run_that_died_after_each_step_opens_one_pull_request(workshop):
    async with workshop(WRITES) as floor:
        task = await floor.prompted(prompt="?", type="medium_context", pull_request=True)
        opened = floor.tools.hosts["local"].open_pull_request
        calls = []

        async def dies_once(*args):
            made = await opened(*args)
            calls.append(made.number)
            if len(calls) == 1:
                raise failure("model_overloaded", "after the fact", delay=1.0)
            return made

        floor.tools.hosts["local"].open_pull_request = dies_once
        task = await floor.worked(task)
        assert task.state is TaskState.COMPLETED, task
        assert len(await floor.pulls()) == 1
        assert len(set(calls)) == 1
        assert json.dumps(floor.branches())


async def test_a_change_that_a_repository_protects_is_blocked(workshop):
    config = "protected_paths: ['notes/*']\n"
    base = shop.files().get(".ai-ops.yml") or ""
    async with workshop(WRITES, files={".ai-ops.yml": base + config}) as floor:
        task = await floor.worked(await floor.prompted(prompt="?", type="medium_context", pull_request=True))
        assert (task.state, task.proof.verdict) == (TaskState.NEEDS_HUMAN_REVIEW, "blocked")
