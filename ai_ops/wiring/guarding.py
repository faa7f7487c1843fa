"""Settings in, what guards out: findings, the audit log, secrets, policies."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.ports import Clock
from ai_ops.settings import Settings, masked
from ai_ops.store.audit import ANCHOR, AuditLog
from ai_ops.store.database import Database
from ai_ops.store.findings import FindingRepository
from ai_ops.store.secrets import SecretKey, SecretStore, key_file

_CONFIGURED = "config.changed"


async def guarding(
    settings: Settings, database: Database, clock: Clock, redact: Callable[[str], str]
) -> Guarding:
    """Return what guards tasks; that the settings changed since the last start is on record then."""
    shared = not settings.database.startswith("sqlite")
    audit = AuditLog(database, clock, settings.data_dir / ANCHOR, shared=shared)
    await audit.note_restored()
    await _note_settings(settings, audit)
    return Guarding(
        FindingRepository(database),
        audit,
        clock,
        redact,
        policies=tuple(table.policy() for table in settings.policy),
        decisions={table.rule: table.decision for table in settings.command_rule},
    )


async def secret_store(settings: Settings, database: Database, clock: Clock) -> SecretStore:
    """Return the store of secrets, everything in it sealed with the first key.

    Raises:
        PermanentError: ``secret_key_invalid``, ``secret_unreadable``.
    """
    given = [key.get_secret_value() for key in settings.ai_ops_secret_key]
    texts = given or [await asyncio.to_thread(key_file, settings.data_dir)]
    store = SecretStore(database, clock, [SecretKey(text) for text in texts])
    await store.rotate()
    return store


async def _note_settings(settings: Settings, audit: AuditLog) -> None:
    """Write down which settings are others than at the last start: names and digests, no values."""
    now = {
        name: hashlib.sha256(f"{name}\0{masked(value)}".encode()).hexdigest()[:12]
        for name in sorted(Settings.model_fields)
        if (value := getattr(settings, name)) != Settings.model_fields[name].default
    }
    last = await audit.newest(_CONFIGURED)
    before = last.detail.get("settings", {}) if last else {}
    if last is None or before != now:
        changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        await audit.append("server", _CONFIGURED, detail={"changed": changed, "settings": now})
