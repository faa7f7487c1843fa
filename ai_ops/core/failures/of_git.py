"""What git refuses, and what befalls a mirror or a checkout."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P2,
        {
            "git_auth_failed": (
                "The token is wrong, or may not do this.",
                "Check the token's rights; see the README.",
            ),
        },
    ),
    *rows(
        Kind.GIT,
        Recovery.PERSON,
        P3,
        {
            "git_not_found": (
                "There is no such repository or branch, or the token may not see it.",
                "Check the repository's address.",
            ),
            "git_empty_repository": (
                "The repository has no commit yet.",
                "Push a first commit, then try again.",
            ),
            "git_commit_missing": ("The mirror lacks the commit.", "Retry the task."),
            "git_failed": ("Git failed in another way.", "Git's own words are in the message."),
            "push_refused": (
                "A rule of the host refused the push.",
                "Exempt the branches ai-ops/* from it, or mind its words in the message.",
            ),
            "push_protected_branch": (
                "The branch is protected.",
                "Exempt the branches ai-ops/* from the branch protection, or let the token's user push "
                "there.",
            ),
            "branch_taken": (
                "The branch holds somebody else's commits, which are never overwritten.",
                "Continue there by hand.",
            ),
            "merge_conflict": ("Both sides changed the same place.", "Merge the branch by hand."),
            "branch_moved": (
                "Somebody pushed to the branch after it was reviewed.",
                "Look at those commits, then merge by hand.",
            ),
            "unrelated_history": (
                "The branches share no commit.",
                "Was the repository replaced? Start anew.",
            ),
            "nothing_to_commit": ("The patch changes nothing.", "Retry the task."),
            "patch_does_not_apply": (
                "The patch was made for another commit, or names paths that git refuses.",
                "Retry the task.",
            ),
            "diff_too_large": (
                "The tests leave large files behind, or the change is huge.",
                "Add what the tests leave behind to .gitignore.",
            ),
        },
    ),
    *rows(
        Kind.NETWORK,
        Recovery.OUTAGE,
        P2,
        {
            "git_unreachable": (
                "The git host cannot be reached.",
                "The host cannot be reached; it is tried again.",
            ),
            "git_timeout": ("Git took too long.", "It is tried again."),
        },
    ),
    *rows(
        Kind.GIT,
        Recovery.ANEW,
        P3,
        {
            "git_damaged": (
                "The local mirror is damaged.",
                "Nothing to do: it is cloned anew. Retry if it stays.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.PERSON,
        P1,
        {
            "git_missing": ("There is no git program.", "Install git 2.39 or newer."),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P2,
        {
            "push_secret_detected": (
                "The host found a secret in the commit.",
                "Look at the diff; rotate the secret if it is real.",
            ),
            "commit_signing_failed": (
                "A commit could not be signed with the key of COMMIT_SIGNING_KEY.",
                "Check COMMIT_SIGNING_KEY: a private key without a pass phrase, for its owner alone.",
            ),
            "checkout_damaged": ("A run's checkout was tampered with.", "Retry the task."),
        },
    ),
    *rows(
        Kind.GIT,
        Recovery.AGAIN,
        P3,
        {
            "base_moved": ("The base keeps moving during a merge.", "Nothing to do: it is tried again."),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "bad_patch": ("The patch cannot be read.", "Retry the task."),
            "bad_branch_name": ("This is no name of a branch that is given to git.", "Report it."),
            "bad_commit_id": ("This is no full commit id.", "Report it."),
        },
    ),
    *rows(
        Kind.DISK,
        Recovery.PERSON,
        P3,
        {
            "checkout_missing": ("A run's checkout is gone.", "Retry the task."),
            "target_not_empty": ("The folder for a checkout is not empty.", "Retry the task."),
        },
    ),
)
