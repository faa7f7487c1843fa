"""The secrets among the settings, chat channels' addresses with them, and the redactor that knows them all.

It stands apart from what constructs the adapters, so that a command which reads logs does not load them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pydantic import SecretStr

from ai_ops.core.failures import failed
from ai_ops.core.redaction import Redactor
from ai_ops.settings import Settings

_PARTS = re.compile(r"[/:?&=@,]+")
_LEAST_SECRET = 12


def secret(value: SecretStr | None) -> str:
    """Return a secret's value, empty when it is not set."""
    return value.get_secret_value() if value else ""


def redactor(settings: Settings) -> Redactor:
    """Return a redactor that also knows this server's own secrets."""
    values = [getattr(settings, name) for name in Settings.model_fields]
    flat = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
    literals = [secret(item) for item in flat if isinstance(item, SecretStr)] + _told(settings)
    return Redactor(
        extra_patterns=[rule.pattern for rule in settings.redact],
        literals=[literal for literal in literals if len(literal) >= 8],
    )


def channels(settings: Settings) -> dict[str, str]:
    """Return the addresses of the chat channels by name; those of ``NOTIFY_URLS`` are named after themselves.

    Raises:
        PermanentError: ``configuration_invalid``.
    """
    made = {
        table.name: secret_of_table(table.url, table.url_file, f"[[channel]] {table.name}")
        for table in settings.channel
    }
    for each in settings.notify_urls:
        url = each.get_secret_value()
        scheme = re.sub(r"[^a-z0-9]", "", url.partition(":")[0].lower())[:20]
        made[f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"] = url
    return made


def secret_of_table(value: SecretStr | None, file: Path | None, where: str) -> str:
    """Return the secret of a table, which stands in ``where`` itself or in its file.

    Raises:
        PermanentError: ``configuration_invalid``.
    """
    if value is not None:
        return value.get_secret_value()
    assert file is not None  # the table has one of them
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise failed(
            "configuration_invalid", f"{where} names {file}, which cannot be read: {reason.lower()}."
        ) from None


def _told(settings: Settings) -> list[str]:
    """Return the secrets of those who are told, whole and in parts: a chat's address is of tokens."""
    urls = channels(settings).values()
    parts = (part for url in urls for part in _PARTS.split(url))
    told = [secret_of_table(table.secret, table.secret_file, "") for table in settings.webhook]
    return [*told, *urls, *(part for part in parts if len(part) >= _LEAST_SECRET and "." not in part)]
