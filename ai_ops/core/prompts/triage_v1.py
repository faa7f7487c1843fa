"""Triage's question, version 1, and the reading of its answer: one class and one sentence, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ai_ops.core.prompts.parts import Head, data_rule, error_data, first_line, joined
from ai_ops.core.untrusted import clean
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.fixing import Purpose
from ai_ops.flow.issue import TriageClass, TriageDecision, TriageJudge

VERSION = 1
_MOST_EVIDENCE = 300

_QUESTION = """\
An application logged the error below. Say what kind of trouble it is. Choose one class:

code_fault: the code of the application is wrong, and a change of it would remove the error
expected: the application refused a user or a caller, as it is meant to; nothing is to be repaired
infrastructure: the network, the machine or a service that the application needs has failed
dependency: code that others wrote and that the application only uses is at fault
unknown: the log does not show it"""
_ANSWER = """\
Answer with exactly these four lines and nothing else. The evidence is one sentence that names what in
the log shows the class.

<triage id="NONCE">
class: unknown
evidence: The log names no exception.
</triage id="NONCE">"""


def triage(head: Head, error: ErrorDetail, context_lines: Sequence[str]) -> str:
    """Ask what kind of trouble an error is.

    Args:
        head: run, round and the random words of this request.
        error: the logged error.
        context_lines: what was logged just before.
    """
    return joined(
        first_line(Purpose.TRIAGE, head.run_id, head.round, head.nonce, VERSION),
        _QUESTION,
        data_rule(head.fence),
        "## The log\n\n" + error_data(error, context_lines, head.fence),
        "## How to answer\n\n" + _ANSWER.replace("NONCE", head.nonce),
    )


def parse_triage(text: str, nonce: str) -> TriageDecision | None:
    """Return the class that an answer chose, with its evidence; None when it chose none, or not as asked.

    Only the block with the request's nonce counts, and only if there is one of it: a log cannot know it.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    tags = [number for number, line in enumerate(lines) if f'id="{nonce}"' in line]
    if len(tags) != 2 or tags[1] - tags[0] != 3:
        return None
    opening, chosen, evidence, closing = lines[tags[0] : tags[1] + 1]
    if (opening, closing) != (f'<triage id="{nonce}">', f'</triage id="{nonce}">'):
        return None
    wanted = re.fullmatch(r"class: ([a-z_]+)", chosen)
    said = re.fullmatch(r"evidence: (.+)", evidence)
    if wanted is None or said is None or wanted[1] not in tuple(TriageClass):
        return None
    triage_class = TriageClass(wanted[1])
    reason = " ".join(clean(said[1]).text.split())
    if triage_class is TriageClass.UNKNOWN or not reason:
        return None
    if len(reason) > _MOST_EVIDENCE:
        reason = reason[:_MOST_EVIDENCE].rstrip() + " […]"
    return TriageDecision(triage_class, triage_class is TriageClass.CODE_FAULT, reason, TriageJudge.MODEL)
