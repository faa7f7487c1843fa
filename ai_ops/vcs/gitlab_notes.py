"""What people write on a GitLab merge request: notes, each in a discussion that can be answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from gitlab.v4.objects import Project

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import CommentKind, HostedComment
from ai_ops.vcs.gitlab_failures import VENDOR_ERRORS, named
from ai_ops.vcs.hosting import is_ours, mark_of, marked

_REVIEW = "requested changes"  # what GitLab itself notes of a review that wants some
_APPROVAL = "approved this merge request"


class GitLabNotes:
    """The notes of one merge request.

    Args:
        project: where it lives.
        number: which one it is.
        url: its address.
        own_login: the account that we act as.
        may_write: whether an account may push there.
    """

    def __init__(
        self, project: Project, number: int, url: str, own_login: str, may_write: Callable[[str], bool]
    ) -> None:
        self._merge = project.mergerequests.get(number, lazy=True)
        self._url = url
        self._own_login = own_login
        self._may_write = may_write

    def since(self, since: datetime | None) -> list[HostedComment]:
        """Return what was written at or after a moment, oldest first."""
        wanted = (note for note in self._notes() if since is None or _written_at(note) >= since)
        return sorted((self._comment(note) for note in wanted), key=lambda one: one.created_at)

    def write(self, body: str, marker: str, reply_to: str) -> HostedComment:
        """Write a note once: look, write, and look again when the answer was lost."""
        there = self._bearing(marker)
        if there is not None:
            return there
        try:
            self._written(marked(body, marker), reply_to)
        except (AiOpsError, *VENDOR_ERRORS) as error:
            failure = named(error)
            if isinstance(failure, PermanentError):
                raise failure from None
            there = self._found_after(failure, marker)
        else:
            there = self._bearing(marker)  # only here is the discussion it stands in
        if there is None:
            raise failed("host_bad_answer", "GitLab does not show the note that it took")
        return there

    def _found_after(self, failure: AiOpsError, marker: str) -> HostedComment:
        try:
            there = self._bearing(marker)
        except (AiOpsError, *VENDOR_ERRORS):
            raise failure from None
        if there is None:
            raise failure
        return there

    def _written(self, text: str, reply_to: str) -> None:
        if reply_to:
            try:
                self._merge.discussions.get(reply_to, lazy=True).notes.create({"body": text})
                return
            except PermanentError as failure:
                if failure.code not in ("host_not_found", "host_rejected"):
                    raise
                # The discussion was deleted, or takes no answers: it goes below the merge request.
        self._merge.notes.create({"body": text})

    def _bearing(self, marker: str) -> HostedComment | None:
        mark = mark_of(marker)
        for note in self._notes():
            if mark in note["body"] and is_ours(_login(note), note["body"], self._own_login):
                return self._comment(note)
        return None

    def _notes(self) -> Iterator[dict[str, Any]]:
        """Yield the notes with the discussion of each; of GitLab's own only those that are a review's."""
        for discussion in self._merge.discussions.list(get_all=True):
            for note in discussion.attributes["notes"]:
                if not note["system"] or _said(note) in (_REVIEW, _APPROVAL):
                    yield {**note, "discussion": discussion.id}

    def _comment(self, note: dict[str, Any]) -> HostedComment:
        author, system = _login(note), note["system"]
        body = "" if system else note["body"]
        ours = is_ours(author, body, self._own_login)
        position = note.get("position") or {}
        kind = CommentKind.LINE if position else CommentKind.COMMENT
        return HostedComment(
            id=f"note-{note['id']}",
            kind=CommentKind.REVIEW if system else kind,
            author=author,
            body=body,
            created_at=_written_at(note),
            url=f"{self._url}#note_{note['id']}",
            thread="" if system else note["discussion"],
            path=position.get("new_path") or position.get("old_path") or "",
            line=position.get("new_line") or position.get("old_line") or 0,
            may_write=ours or self._may_write(author),
            ours=ours,
            wants_changes=system and _said(note) == _REVIEW,
        )


def _said(note: dict[str, Any]) -> str:
    return str(note["body"]).strip().lower()


def _written_at(note: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(note["created_at"])


def _login(note: dict[str, Any]) -> str:
    author = note.get("author") or {}
    return str(author.get("username") or "ghost")
