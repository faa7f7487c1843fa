"""What a request about a task, an issue or a schedule is refused for, or comes to."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.INPUT,
        Recovery.REFUSED,
        P3,
        {
            "worker_not_found": ("There is no worker of this number.", "`ai-ops worker list`"),
            "bad_cron": (
                "The cron expression is not accepted.",
                "For example `30 3 * * mon-fri`: at 03:30 from Monday to Friday; or @daily.",
            ),
            "bad_timezone": (
                "There is no such time zone.",
                "Use a name of the IANA database, for example Europe/Berlin or UTC.",
            ),
            "too_many_schedules": (
                "There are too many schedules already.",
                "Delete those that are not needed: ai-ops schedule list.",
            ),
            "schedule_not_found": ("There is no such schedule.", "`ai-ops schedule list`"),
            "too_many_workflows": (
                "As many workflows run as may run at once.",
                "Wait for one to end, or cancel one: ai-ops workflow list.",
            ),
            "workflow_not_found": ("There is no such workflow.", "`ai-ops workflow list`"),
            "only_revisions": (
                "The pull request of a prompt task can only be revised.",
                "Say on it what is to change.",
            ),
            "illegal_transition": ("The task's state does not allow it.", "See the states of a task."),
            "issue_merged": (
                "This issue was merged into another one.",
                "Decide about the one in merged_into, or split this one off again.",
            ),
            "cannot_merge": ("The two issues cannot be merged.", "Merge different issues of one repository."),
            "cannot_split": (
                "This fingerprint cannot leave the issue.",
                "Split off a fingerprint that was merged in.",
            ),
            "invalid_task": ("A repair needs an error and a repository.", "Correct the request."),
            "invalid_cursor": ("This cursor was not made here.", "Use next_cursor of the last page."),
            "task_not_found": ("There is no such task.", "`ai-ops task list`"),
            "issue_not_found": ("There is no such issue.", "`ai-ops issue list`"),
            "pull_request_not_found": ("There is no such pull request.", "`ai-ops pr list`"),
            "pull_request_not_open": (
                "The pull request is not open.",
                "`ai-ops pr show ID` says what became of it.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.LATER,
        P3,
        {
            "queue_full": (
                "More prompt tasks are pending than QUEUE_HIGH.",
                "Send it again later, give it the priority urgent, or cancel what is not needed.",
            ),
        },
        delay=30.0,
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "script_invalid": ("The file that SCRIPTED_ANSWERS names cannot be read.", "Mend the file."),
            "script_silent": (
                "The script has no answer to what was asked.",
                "Add an entry to the file that SCRIPTED_ANSWERS names.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.PERSON,
        P3,
        {
            "task_unfinished": (
                "A prompt task was not done within its time, or after 50 pieces.",
                "Give it more time (timeout_seconds), or ask for less; what it wrote is with its trace.",
            ),
        },
    ),
)
