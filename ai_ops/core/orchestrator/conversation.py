"""What people write on our pull requests, and what we do about it.

Only those who may push are followed. What takes a run becomes a follow-up; the rest is done at once. The
record of what was done comes last: a look that is cut short does the rest again, and finds what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ai_ops.core import replies
from ai_ops.core.comment_commands import Command, Verb, parse
from ai_ops.core.follow_ups import under_way, wish
from ai_ops.core.identity import is_of_task, is_revert
from ai_ops.core.orchestrator.holding import BRANCH_TAKEN
from ai_ops.core.orchestrator.saying import say_once
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Engine, SeenComment, SeenComments
from ai_ops.core.requests import is_bot, request_of
from ai_ops.core.telling import queued
from ai_ops.core.wording import one_line
from ai_ops.errors import PermanentError
from ai_ops.flow.follow_up import FollowUp, FollowUpAction, FollowUpReason
from ai_ops.flow.pull_request import HostedComment, HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task, TaskState

log = logging.getLogger(__name__)

_OVERLAP = timedelta(days=7)
"""How far behind the newest comment is looked: a review's lines may bear the time when they were drafted."""

_ACTIONS = {
    Verb.REVISE: FollowUpAction.REVISE,
    Verb.RETRY: FollowUpAction.ANEW,
    Verb.PORT: FollowUpAction.PORT,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a comment: a task, or an answer that was written at once; neither when it is not for us.

    With ``waits`` another follow-up is under way, and the comment is to be heard again later.
    """

    task: Task | None = None
    answer: str = ""
    waits: bool = False


class Conversation:
    """A watcher that follows the comments of open pull requests.

    Args:
        tools: the ports.
        engine: where follow-ups are queued.
        seen: which comments were looked at.
        prefix: what a comment for us begins with.
    """

    def __init__(self, tools: Tools, engine: Engine, seen: SeenComments, prefix: str) -> None:
        self._tools = tools
        self._engine = engine
        self._seen = seen
        self._prefix = prefix

    async def look(self, pull_request: PullRequest, hosted: HostedPullRequest) -> None:
        """Hear what is new on a pull request, the oldest first."""
        if hosted.state is not PullRequestState.OPEN:
            return
        known = await self._seen.of(pull_request.id)
        host = self._tools.host_of(_repository(pull_request))
        comments = await host.comments(_repository(pull_request), pull_request.number, since(known))
        plain = [each for each in comments if parse(each.body, self._prefix) is None]
        for comment in comments:
            if comment.id in known and known[comment.id].done:
                continue
            heard = await self._hear_hosted(pull_request.id, comment, plain)
            await self._seen.put(pull_request.id, comment, done=not heard.waits)

    async def _hear_hosted(
        self, pull_request_id: str, comment: HostedComment, among: Sequence[HostedComment]
    ) -> Heard:
        pull_request = await self._tools.pull_requests.find(pull_request_id)
        if pull_request is None or pull_request.state is not PullRequestState.OPEN:
            return Heard()  # an earlier comment has closed it
        command = parse(comment.body, self._prefix)
        if comment.ours or is_bot(comment.author) or (command is None and not comment.wants_changes):
            return Heard()
        if not comment.may_write:
            marker = f"may-not-write:{pull_request.id}"
            await say_once(self._tools, pull_request, marker, replies.MAY_NOT_WRITE)
            return Heard(answer=replies.MAY_NOT_WRITE)
        words = request_of(comment, command.words if command else comment.body, among)
        if command is None:
            command = Command(Verb.REVISE if words.strip() else Verb.HELP)
        return await self.hear(pull_request, comment, command, words)

    async def hear_plain(self, pull_request: PullRequest, comment: HostedComment) -> Heard:
        """Hear a comment that is for us with or without the prefix, of somebody who may."""
        command = parse(comment.body, self._prefix) or Command(Verb.REVISE, comment.body.strip())
        return await self.hear(pull_request, comment, command, request_of(comment, command.words, ()))

    async def hear(
        self, pull_request: PullRequest, comment: HostedComment, command: Command, words: str
    ) -> Heard:
        """Do what somebody asks for who may, on a pull request that is open.

        Args:
            pull_request: our record, as it is now.
            comment: who asks, and where the answer goes.
            command: what is asked for.
            words: the wish of a revision.
        """
        if command.verb is Verb.RESUME:
            return await self._resume(pull_request, comment)
        held = self._held(comment, command.verb)
        leaves = command.verb is Verb.IGNORE  # it is about the error, not about what a person has taken over
        if pull_request.held and pull_request.held != held and not leaves:
            await say_once(self._tools, pull_request, f"stepped-back:{pull_request.id}", replies.STEPPED_BACK)
            return Heard(answer=replies.STEPPED_BACK)
        if command.verb is Verb.PORT and command.branch == pull_request.base:
            return await self._answer(pull_request, comment, replies.SAME_BRANCH)
        if action := _ACTIONS.get(command.verb):
            if is_revert(pull_request.branch):
                return await self._answer(pull_request, comment, replies.ONLY_REVERTS)
            if is_of_task(pull_request.branch) and action is not FollowUpAction.REVISE:
                return await self._answer(pull_request, comment, replies.OF_A_TASK)
            return await self._wish(pull_request, comment, action, words, command.branch)
        if command.verb is Verb.IGNORE:
            return await self._ignore(pull_request, comment)
        if held:
            await self._tools.pull_requests.update(pull_request.id, held=held)
            await self._withdraw(pull_request)
        return await self._answer(pull_request, comment, self._words(pull_request, command.verb))

    async def _wish(
        self,
        pull_request: PullRequest,
        comment: HostedComment,
        action: FollowUpAction,
        words: str,
        branch: str,
    ) -> Heard:
        redact = self._tools.redact
        wanted = FollowUp(
            pull_request.id,
            FollowUpReason.COMMENT,
            redact(words),
            f"comment:{comment.id}",
            action=action,
            author=self._who(comment),
            comment_id=comment.id,
            thread=comment.thread,
            branch=branch,
        )
        task = await wish(self._tools.tasks, pull_request, wanted)
        if task is None:
            return Heard(waits=True)
        if task.state is TaskState.PENDING:
            log.info("%s", queued(task, redact))
            await self._engine.enqueue(task)
        return Heard(task)

    def _words(self, pull_request: PullRequest, verb: Verb) -> str:
        match verb:
            case Verb.EXPLAIN:
                return replies.explanation(pull_request)
            case Verb.STOP:
                return replies.STOPPED
            case Verb.TAKE_OVER:
                return replies.TAKEN_OVER
            case _:
                return replies.commands(self._prefix)

    def _held(self, comment: HostedComment, verb: Verb) -> str:
        """Return why a pull request is left alone after a verb; empty for one that goes on."""
        return f"{self._who(comment)} said: {verb}" if verb in (Verb.STOP, Verb.TAKE_OVER) else ""

    def _who(self, comment: HostedComment) -> str:
        return self._tools.redact(one_line(comment.author, 100))

    async def _resume(self, pull_request: PullRequest, comment: HostedComment) -> Heard:
        """Follow a pull request again that a person's words had us leave alone; a branch stays who has it."""
        if pull_request.held.startswith(BRANCH_TAKEN):
            return await self._answer(pull_request, comment, replies.stays_taken(pull_request.issue_id))
        if pull_request.held:
            await self._tools.pull_requests.update(pull_request.id, held="")
        return await self._answer(pull_request, comment, replies.RESUMED)

    async def _ignore(self, pull_request: PullRequest, comment: HostedComment) -> Heard:
        """Ignore the error, then answer, then close: of one that is closed nobody hears any more.

        What a person has taken over stays open.
        """
        if pull_request.issue_id is None:
            return await self._answer(pull_request, comment, replies.NO_ISSUE)
        who = f"{self._who(comment)}, on pull request #{pull_request.number}"
        try:
            await self._tools.issues.decide(pull_request.issue_id, "ignore", who)
        except PermanentError as refused:  # it was merged into another one, or is no longer there
            return await self._answer(pull_request, comment, replies.failed(refused.as_dict()))
        await self._withdraw(pull_request)
        closes = not pull_request.held
        heard = await self._answer(
            pull_request, comment, replies.ignored(pull_request.issue_id, closes=closes)
        )
        if closes:
            repository = _repository(pull_request)
            await self._tools.host_of(repository).close_pull_request(repository, pull_request.number)
        return heard

    async def _withdraw(self, pull_request: PullRequest) -> None:
        """Take back what is under way for a pull request."""
        task = await under_way(self._tools.tasks, pull_request.id)
        if task is None:
            return
        try:
            reason = "a person has taken over the pull request"
            cancelled = await self._tools.tasks.move(task.id, TaskState.CANCELLED, outcome_reason=reason)
        except PermanentError as ended:
            log.info("task %s: %s", task.id, ended)
            return
        await self._engine.cancel(cancelled)

    async def _answer(self, pull_request: PullRequest, comment: HostedComment, text: str) -> Heard:
        repository = _repository(pull_request)
        host = self._tools.host_of(repository)
        marker = f"ai-ops:answer:{comment.id}"
        await host.comment(repository, pull_request.number, text, marker=marker, reply_to=comment.thread)
        return Heard(answer=text)


def since(known: Mapping[str, SeenComment]) -> datetime | None:
    """Return from when on comments are asked for: nothing that is not done lies before it."""
    waiting = [seen.created_at for seen in known.values() if not seen.done]
    if waiting:
        return min(waiting) - _OVERLAP
    return max(seen.created_at for seen in known.values()) - _OVERLAP if known else None


def _repository(pull_request: PullRequest) -> Repository:
    return Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)
