"""Failures of this machine: sandbox, folders, disk, processes, workers."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P1,
        {
            "sandbox_unavailable": (
                "Bubblewrap, or every one that SANDBOX=auto tries, is missing or may not isolate.",
                "`apt-get install bubblewrap`; allow user namespaces; or mend podman or docker and set "
                "SANDBOX=auto.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P2,
        {
            "sandbox_refused": ("Something could not be kept apart.", "Read the message."),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.REFUSED,
        P3,
        {
            "folder_not_allowed": (
                "A task may not work in that folder: not beneath TASK_FOLDERS, no folder, or it holds "
                "the server's own data.",
                "Name a folder beneath one of TASK_FOLDERS, or give repo_url.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.PERSON,
        P1,
        {
            "toolbox_unavailable": (
                "pytest cannot be copied for the sandbox.",
                'pip install "ai-ops[server]"',
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.ENDS,
        P1,
        {
            "config_invalid": ("A value of SANDBOX that is not known.", "Use bwrap, auto or off."),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P3,
        {
            "path_refused": (
                "A change leads out of the checkout, through a link, or to what is no ordinary file.",
                "Read the trace.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "file_too_large": ("A file is larger than a change may read or write.", "Read the trace."),
            "workspace_name_invalid": ("The name cannot name a workspace.", "Report it."),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P2,
        {
            "workspace_unwritable": (
                "A file of a workspace cannot be written.",
                "Check who owns WORKSPACES_DIR, and whether its disk is mounted read-only.",
            ),
        },
    ),
    *rows(
        Kind.DISK,
        Recovery.AGAIN,
        P1,
        {
            "disk_full": (
                "There is no space left.",
                "Free space on the data disk; `ai-ops system cleanup --days 7`.",
            ),
        },
    ),
    *rows(
        Kind.INODE,
        Recovery.AGAIN,
        P1,
        {
            "inodes_full": (
                "There is space left, but no inode for another file.",
                "Remove files on the data disk; `ai-ops system cleanup --days 7`.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.AGAIN,
        P2,
        {
            "mount_failed": (
                "A checkout could not be mounted: too many mounts, or the kernel refused.",
                "`sysctl fs.mount-max`, or start the server where it may not mount: it copies then.",
            ),
            "unmount_failed": (
                "A checkout could not be unmounted: the kernel refused.",
                "Restart the server: its mounts end with it.",
            ),
        },
        delay=5.0,
    ),
    *rows(
        Kind.MEMORY,
        Recovery.PERSON,
        P2,
        {
            "worker_poisoned": (
                "A run was taken from too many workers; its reason names the limit.",
                "Raise WORKER_MEMORY_MB or WORKER_SILENT_SECONDS, or mend what hangs; then retry.",
            ),
        },
    ),
)
