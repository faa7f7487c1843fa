"""The nouns as JSON, exactly as ``interfaces`` names their fields."""

from ai_ops.server.views.bug_cases import bug_case, match, retrieval, whole_bug_case
from ai_ops.server.views.common import moment, proof
from ai_ops.server.views.issues import decision, issue, notification
from ai_ops.server.views.pull_requests import (
    ci,
    comment,
    fix_watch,
    pull_request,
    pull_request_of_issue,
    reviewer,
)
from ai_ops.server.views.scheduling import schedule, template, tick, workflow
from ai_ops.server.views.tasks import artifact, diagnosis, pause, run, step, task, usage

__all__ = [
    "artifact",
    "bug_case",
    "ci",
    "comment",
    "decision",
    "diagnosis",
    "fix_watch",
    "issue",
    "match",
    "moment",
    "notification",
    "pause",
    "proof",
    "pull_request",
    "pull_request_of_issue",
    "retrieval",
    "reviewer",
    "run",
    "schedule",
    "step",
    "task",
    "template",
    "tick",
    "usage",
    "whole_bug_case",
    "workflow",
]
