"""What we write on a pull request, as Markdown. Every word from outside passes through ``core.markdown``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ai_ops.core import markdown
from ai_ops.core.report import HEADLINES, before_and_after, open_points
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.task import Proof, Reason

_MOST_REASONS = 20

STEPPED_BACK = "A person has taken over here, so I leave this pull request alone and do nothing more on it."
MAY_NOT_WRITE = (
    "I follow the words of people who may push to this repository. Nothing was changed; I say so only once."
)
OVERTAKEN = (
    "Nothing was pushed: the branch holds commits that are not mine. They are not overwritten; go on there "
    "by hand."
)
STOPPED = "I leave this pull request alone from now on. It stays open, and you can merge or close it."
TAKEN_OVER = "The pull request is yours. I have closed what I had to do for it, and push nothing more."
RESUMED = (
    "I follow this pull request again. What I had begun, or was asked meanwhile, is not done: say it anew."
)
SAME_BRANCH = "Nothing to do: this pull request is for that branch."
ONLY_REVERTS = (
    "Nothing was changed: this pull request only takes a change back, so there is no error to prove another "
    "change by. Change it by hand, merge it, or close it."
)
OF_A_TASK = (
    "This pull request was made for a task and mends no logged error, so it can be revised and nothing "
    "else: say what is to change."
)
NO_ISSUE = "Nothing was changed: this pull request belongs to no error that could be ignored."


def commands(prefix: str) -> str:
    """Return the list of what may be asked for."""
    rows = (
        ("", "followed by what is to change: a revision of this change, proved anew"),
        ("explain", "the cause and the proof, as they were found"),
        ("retry", "repair the error anew, from the start"),
        ("stop", "leave this pull request alone"),
        ("take over", "the same; the pull request is yours"),
        ("resume", "follow a pull request again that was left alone by these words"),
        ("ignore this error", "count the error, do not repair it, and close this pull request"),
        ("open for another branch NAME", "propose the same change for another branch"),
        ("help", "this list"),
    )
    # To be copied as they stand: these words are the operator's and ours, and need no gap.
    lines = (f"- `{f'{prefix} {words}'.rstrip()}`: {does}" for words, does in rows)
    return "What I understand, at the beginning of a comment:\n\n" + "\n".join(lines)


def explanation(pull_request: PullRequest) -> str:
    """Return the cause and the proof, as our record has them."""
    proof = pull_request.proof
    tests = [f"- {markdown.code(test)}: {markdown.text(said, 600)}" for test, said in before_and_after(proof)]
    return _joined(
        f"**{HEADLINES[proof.verdict]}**",
        _said("The cause", pull_request.cause),
        _said("The change", pull_request.summary),
        "Tests before and after:\n\n" + "\n".join(tests[:_MOST_REASONS]) if tests else "",
        _listed(open_points(proof)),
    )


def pushed(proof: Proof, summary: str, revision: int, sha: str) -> str:
    """Return that a revision is on the branch, with what was proved of it."""
    tests = [f"- {markdown.code(test)}: {markdown.text(said, 600)}" for test, said in before_and_after(proof)]
    return _joined(
        f"Revision {revision} is on the branch: {sha}. **{HEADLINES[proof.verdict]}**",
        _said("The change", summary),
        "\n".join(tests[:_MOST_REASONS]),
        _listed(open_points(proof)),
    )


def not_pushed(proof: Proof, summary: str) -> str:
    """Return why nothing was pushed."""
    if [reason.rule for reason in proof.reasons] == ["no_change"]:
        return unchanged(summary)
    return _joined(
        f"Nothing was pushed; the branch is as it was. **{HEADLINES[proof.verdict]}**",
        _listed(proof.reasons),
        _said("What was tried", summary),
    )


def unchanged(summary: str) -> str:
    """Return that nothing was changed, and why in the fixer's words."""
    return _joined("Nothing was changed.", _said("The fixer says", summary))


def nothing_to_merge(base_is_there: bool) -> str:
    """Return why the base was not merged in: it is in the branch already, or it holds the whole change."""
    if base_is_there:
        return "The branch holds the newest commit of its base already."
    return (
        "The base branch holds this change already: nothing of it is left. You can close this pull request."
    )


def ported(url: str, branch: str) -> str:
    """Return where the change was proposed for another branch. An address of a host is shown as a link."""
    return f"The same change is proposed for {markdown.code(branch)}, and proved there: {url}"


def held(found: str) -> str:
    """Return what is written while a command of a revision waits for a person."""
    return _joined(
        "Nothing was changed yet: a command waits for a person who looks after this server.",
        markdown.text(found, 600),
    )


def failed(failure: Mapping[str, str]) -> str:
    """Return that it could not be done, and what a person can do."""
    return _joined(
        "This could not be done, and nothing was pushed.",
        f"{markdown.code(failure['code'])}: {markdown.text(failure['message'], 600)}",
        markdown.text(failure["next_step"], 600) if failure["next_step"] else "",
    )


def stays_taken(issue_id: str | None) -> str:
    """Return why a branch is not taken up again, and how its error, if it has one, is repaired anew."""
    repair = f"ai-ops issue repair {issue_id}"
    return _joined(
        "Nothing was changed: the branch holds commits that are not mine, and I push nothing on top of them.",
        f"To have the error repaired anew, close this and: {markdown.code(repair)}" if issue_id else "",
    )


def ended(state: str) -> str:
    """Return that the pull request is not open any more."""
    return f"Nothing was changed: this pull request is {markdown.text(state)}."


def ignored(issue_id: str, *, closes: bool) -> str:
    """Return that an error is ignored, whether we close the pull request too, and how it is taken back."""
    closed = ", and I close this pull request" if closes else ""
    return (
        f"This error is ignored from now on: it is counted and not repaired{closed}. "
        f"To have it repaired again: {markdown.code(f'ai-ops issue reopen {issue_id}')}"
    )


def _said(who: str, words: str) -> str:
    return f"{who}, in the fixer's words: {markdown.text(words)}" if words else ""


def _listed(reasons: Sequence[Reason]) -> str:
    lines = [
        f"- {markdown.code(reason.rule)} {markdown.code(reason.place)}: {markdown.text(reason.text, 600)}"
        for reason in reasons[:_MOST_REASONS]
    ]
    more = len(reasons) - _MOST_REASONS
    return "\n".join([*lines, *([f"- and {more} more"] if more > 0 else [])])


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def first_line(text: str) -> str:
    """Return the first line of an answer, for the trace."""
    return text.partition("\n")[0][:200]
