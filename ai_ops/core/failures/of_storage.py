"""Failures of the databases, their folder, and backups; what keeps a server from starting."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.DATABASE,
        Recovery.AGAIN,
        P1,
        {
            "storage_unavailable": (
                "The database cannot be written or read now: locked, full or unreachable.",
                "Nothing was acknowledged, agents keep their events. Check free space, the disk, and "
                "whether another process holds the file.",
            ),
        },
        delay=5.0,
    ),
    *rows(
        Kind.DATABASE,
        Recovery.PERSON,
        P1,
        {
            "storage_failed": ("The database refused.", "See the log; this is a fault."),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.ENDS,
        P1,
        {
            "storage_url_invalid": (
                "DATABASE_URL cannot be read.",
                "Use sqlite:///data/ai_ops.db, or postgresql://host/name.",
            ),
        },
    ),
    *rows(
        Kind.DATABASE,
        Recovery.AGAIN,
        P1,
        {
            "engine_unavailable": (
                "The queue's database does not answer.",
                "See that its disk has room and its server runs.",
            ),
        },
    ),
    *rows(
        Kind.DATABASE,
        Recovery.ENDS,
        P1,
        {
            "engine_unusable": (
                "The queue's database cannot be opened.",
                "See that DATA_DIR is writable, or that DATABASE_URL is right.",
            ),
        },
    ),
    *rows(
        Kind.LOCK,
        Recovery.ENDS,
        P1,
        {
            "engine_running": ("This process has an engine already.", "Report it."),
            "data_dir_in_use": (
                "Another server works in this data folder.",
                "Stop that process, or give this one its own DATA_DIR.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.REFUSED,
        P3,
        {
            "backup_exists": ("The file is there already.", "Give another name, or remove it first."),
            "backup_newer": (
                "The backup is of a newer version.",
                "Install that version or a later one, then restore.",
            ),
        },
    ),
    *rows(
        Kind.DISK,
        Recovery.REFUSED,
        P2,
        {
            "backup_failed": ("The backup could not be written.", "See that there is room beside the file."),
            "restore_failed": (
                "The backup could not be unpacked; nothing was changed.",
                "See the disk's room.",
            ),
        },
    ),
    *rows(
        Kind.DATABASE,
        Recovery.REFUSED,
        P2,
        {
            "backup_damaged": ("It is no whole backup.", "Use another one; nothing was changed."),
        },
    ),
    *rows(
        Kind.DATABASE,
        Recovery.REFUSED,
        P3,
        {
            "backup_unsupported": (
                "The tables are in PostgreSQL, which has tools of its own for this.",
                "Use pg_dump and pg_restore while no server runs; DATA_DIR/engine.db is made again.",
            ),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.ENDS,
        P1,
        {
            "log_file_unwritable": (
                "The log cannot be written there.",
                "See LOG_FILE and who owns its folder.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.KEPT,
        P3,
        {
            "node_rate_exceeded": (
                "This node sends more events a minute than it may; nothing of this batch was taken.",
                "Send it again later, or raise EVENTS_PER_MINUTE_PER_NODE.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.ENDS,
        P1,
        {
            "unsafe_listening": (
                "The server would listen beyond this machine without a key.",
                "Set SERVER_API_KEY, or HTTP_HOST=127.0.0.1.",
            ),
        },
    ),
    *rows(
        Kind.NETWORK,
        Recovery.ENDS,
        P1,
        {
            "address_in_use": (
                "The server cannot listen at its address.",
                "Stop the other program, or choose another HTTP_PORT.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.PERSON,
        P2,
        {
            "internal_error": ("A fault of ours.", "See the server's log; report it."),
        },
    ),
)
