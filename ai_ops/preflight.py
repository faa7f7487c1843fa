"""Whether the world is as the settings say: adapters, folders and files. Asked before anything starts.

``ai_ops.settings`` judges what is written alone. ``ai-ops config check`` asks here too, so what it accepts
starts. Looks at this machine only; what needs a program or the network is for ``ai-ops doctor``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from ai_ops.config_loading import ConfigurationError, Loaded
from ai_ops.config_places import Problem
from ai_ops.core.model_names import is_allowed
from ai_ops.core.repository import local_root
from ai_ops.core.repository_url import private_host
from ai_ops.errors import PermanentError

_SHORTEST_KEY = 16
_DATABASES = ("sqlite", "postgres", "postgresql")
# Looks like a relative path, or like an address only where a host has one word for a name: no scheme, no glob
_BARE_PATH = re.compile(r"[\w-]+(/[\w.+-]*)*")


def require_startable(loaded: Loaded) -> Loaded:
    """Return the settings, if something that repairs can start on them.

    Raises:
        ConfigurationError: naming every setting that it cannot start on.
    """
    if found := problems(loaded):
        raise ConfigurationError(found, loaded.idle)
    return loaded


def problems(loaded: Loaded) -> tuple[Problem, ...]:
    """Return what keeps a server or a local monitor from working, in the settings' order."""
    checks = (
        _allowed_repos,
        _github,
        _gitlab,
        _database,
        _folders,
        _secret_keys,
        _claude,
        _script,
        _mail,
        _signing,
        _webhooks,
        _channels,
    )
    return tuple(problem for check in checks for problem in check(loaded))


def warnings(loaded: Loaded) -> tuple[Problem, ...]:
    """Return what a server starts on and was hardly meant."""
    checks = (
        _half_mail,
        _templates,
        _sandbox,
        _private_webhooks,
        _no_claude,
        _no_token,
        _short_key,
    )
    return tuple(problem for check in checks for problem in check(loaded))


def _templates(loaded: Loaded) -> Iterator[Problem]:
    """Say where a folder that a person named is not there; that of the default need not be."""
    origin, folder = loaded.origin("templates_dir"), loaded.settings.templates_dir
    if origin != "default" and not _is_folder(folder):
        yield Problem("TEMPLATES_DIR", origin, f"names {folder}, which is no folder", "Make it, or mend it.")


def _half_mail(loaded: Loaded) -> tuple[Problem, ...]:
    settings = loaded.settings
    if not settings.email_enabled or bool(settings.receiver_email) is bool(settings.smtp_server):
        return ()
    if settings.smtp_server:
        mend = "Set RECEIVER_EMAIL, or EMAIL_ENABLED=false."
        return (Problem("SMTP_SERVER", loaded.origin("smtp_server"), "would send mail to nobody", mend),)
    reason = f"gets no mail: without SMTP_SERVER it is only written to {settings.data_dir / 'outbox'}"
    mend = "Set SMTP_SERVER to send it."
    return (Problem("RECEIVER_EMAIL", loaded.origin("receiver_email"), reason, mend),)


def _sandbox(loaded: Loaded) -> Iterator[Problem]:
    """Yield what is found of the sandbox without starting it: whether its programs are installed."""
    from ai_ops.workspace.oci import PROGRAMS

    settings, origin = loaded.settings, loaded.origin("sandbox")
    bubblewrap = shutil.which("bwrap") is not None
    runtime = next(filter(shutil.which, PROGRAMS), "")
    if settings.sandbox == "bwrap" and not bubblewrap:
        mend = "Install bubblewrap" + (f", or set SANDBOX=auto to use {runtime}." if runtime else ".")
        yield Problem("SANDBOX", origin, "is bwrap, which is not installed: every run is refused", mend)
    if settings.sandbox == "auto" and not bubblewrap:
        missing = f"none of bwrap, {', '.join(PROGRAMS)} is installed: every run is refused"
        instead = f"bubblewrap is not installed: containers of {runtime} are used"
        yield Problem(
            "SANDBOX", origin, f"is auto, and {instead if runtime else missing}", "Install bubblewrap."
        )
    if settings.sandbox_image and settings.sandbox != "auto":
        mend = "Set SANDBOX=auto, or leave it out."
        reason = f"has no effect with SANDBOX={settings.sandbox}"
        yield Problem("SANDBOX_IMAGE", loaded.origin("sandbox_image"), reason, mend)


def _private_webhooks(loaded: Loaded) -> Iterator[Problem]:
    """Yield webhooks that nothing will be sent to, as far as their addresses say by themselves."""
    for table in loaded.settings.webhook:
        host = urlsplit(table.url).hostname or ""
        if private_host(host) and not table.private:
            reason = f"leads to {host}, in a private network: nothing is sent there"
            mend = "If it is meant to, set private = true in its table."
            yield Problem(f"[[webhook]] {table.name}", loaded.origin("webhook"), reason, mend)


def _no_claude(loaded: Loaded) -> Iterator[Problem]:
    """Yield that nothing could ask Claude; a script that answers in its place needs no credential."""
    settings = loaded.settings
    names = ("anthropic_api_key", "anthropic_auth_token", "claude_code_oauth_token")
    if settings.scripted_answers is None and not any(_given(loaded, name) for name in names):
        reason = "is not set, nor is another credential of Claude: no repair can be made"
        mend = "Set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN (or …_FILE)."
        yield Problem("ANTHROPIC_API_KEY", loaded.origin("anthropic_api_key"), reason, mend)


def _no_token(loaded: Loaded) -> Iterator[Problem]:
    """Yield that the configured code host would let nothing be pushed."""
    host = loaded.settings.code_host
    names = {"github": ("github_token", "github_app_id"), "gitlab": ("gitlab_token",)}.get(host, ())
    if names and not any(_given(loaded, name) for name in names):
        key = names[0].upper()
        reason = f"is not set: no pull request can be opened with CODE_HOST={host}"
        mend = f"Set {key} or {key}_FILE, or CODE_HOST=local for plain git remotes."
        yield Problem(key, loaded.origin(names[0]), reason, mend)


def _given(loaded: Loaded, name: str) -> bool:
    value = getattr(loaded.settings, name)
    return bool(value.get_secret_value().strip() if isinstance(value, SecretStr) else value)


def _short_key(loaded: Loaded) -> Iterator[Problem]:
    """Yield a key that others could guess; on loopback only this machine's users could try."""
    from ai_ops.server.auth import is_loopback

    settings = loaded.settings
    key = settings.server_api_key.get_secret_value() if settings.server_api_key else ""
    if key and len(key) < _SHORTEST_KEY and not is_loopback(settings.http_host):
        reason = f"has fewer than {_SHORTEST_KEY} characters, and other machines can try keys"
        yield Problem(
            "SERVER_API_KEY", loaded.origin("server_api_key"), reason, "Make one: openssl rand -base64 32"
        )


def listening_problems(loaded: Loaded) -> tuple[Problem, ...]:
    """Return what keeps a server from listening; ``serving`` refuses by itself."""
    from ai_ops.server.auth import is_loopback

    settings = loaded.settings
    if settings.server_api_key is not None or is_loopback(settings.http_host):
        return ()
    reason = "would be reachable from other machines without a key"
    mend = "Set SERVER_API_KEY or SERVER_API_KEY_FILE, or HTTP_HOST=127.0.0.1."
    return (Problem("HTTP_HOST", loaded.origin("http_host"), reason, mend),)


def _allowed_repos(loaded: Loaded) -> Iterator[Problem]:
    for entry in loaded.settings.allowed_repos:
        if fault := _repos_fault(entry):
            yield Problem("ALLOWED_REPOS", loaded.origin("allowed_repos"), *fault)


def _repos_fault(entry: str) -> tuple[str, str] | None:
    """Return what is wrong with an entry, and how to mend it."""
    root = local_root(entry)
    if not root:
        bare = entry.lower().startswith("file:") or ("://" not in entry and _is_folder(Path(entry)))
        if bare or entry.startswith((".", "~")):
            return (
                f"names the folder {entry} by a relative path",
                "Write its whole path, for example /srv/git.",
            )
        if _BARE_PATH.fullmatch(entry):
            return (
                f"holds {entry}, which is neither a whole path nor an address",
                "Write the whole path, for example /srv/git, or https:// before a host's name.",
            )
    elif not set(root) & set("*?[") and not _is_folder(Path(root)):
        return f"names {root}, which is no folder", "Make the folder of the bare remotes, or name another."
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # not ours to look at
        return False


def _github(loaded: Loaded) -> Iterator[Problem]:
    settings = loaded.settings
    if urlsplit(settings.github_base_url).hostname in ("github.com", "www.github.com"):
        reason = "is the website and not the root of its API"
        mend = "Leave it out, or set it to https://api.github.com."
        yield Problem("GITHUB_BASE_URL", loaded.origin("github_base_url"), reason, mend)
    key = settings.github_app_private_key
    if settings.github_app_id and key is None:
        mend = "Set GITHUB_APP_PRIVATE_KEY_FILE to the App's .pem file."
        yield Problem("GITHUB_APP_ID", loaded.origin("github_app_id"), "has no private key", mend)
    elif key is not None and not settings.github_app_id:
        mend = "Set GITHUB_APP_ID too, or leave the key out."
        yield Problem("GITHUB_APP_PRIVATE_KEY", loaded.origin("github_app_private_key"), "has no App", mend)
    elif key is not None and _signs_nothing(settings.github_app_id, key.get_secret_value()):
        mend = "Set GITHUB_APP_PRIVATE_KEY_FILE to the whole .pem file that GitHub gave you."
        origin = loaded.origin("github_app_private_key")
        yield Problem("GITHUB_APP_PRIVATE_KEY", origin, "is no private key in PEM form", mend)


def _signs_nothing(app_id: str, key: str) -> bool:
    from ai_ops.vcs.github_account import signing

    try:
        signing(app_id, key)
    except PermanentError:
        return True
    return False


def _gitlab(loaded: Loaded) -> Iterator[Problem]:
    if re.search(r"/api(/v\d+)?/?$", loaded.settings.gitlab_base_url):
        mend = "Set it to the address that people open, for example https://gitlab.example."
        yield Problem("GITLAB_BASE_URL", loaded.origin("gitlab_base_url"), "is the root of the API", mend)


def _database(loaded: Loaded) -> Iterator[Problem]:
    url = loaded.settings.database_url
    if url and ("://" not in url or url.partition("://")[0].partition("+")[0] not in _DATABASES):
        mend = "Use postgresql://host/name, or leave it out for SQLite in DATA_DIR."
        yield Problem(
            "DATABASE_URL", loaded.origin("database_url"), "is no SQLite or PostgreSQL address", mend
        )


def _folders(loaded: Loaded) -> Iterator[Problem]:
    settings = loaded.settings
    for key, path in (("data_dir", settings.data_dir), ("workspaces_dir", settings.workspaces_dir)):
        if fault := _folder_fault(path):
            mend = "Name a folder that can be made or written."
            yield Problem(key.upper(), loaded.origin(key), fault, mend)
    if settings.trace_db_path and _is_folder(settings.trace_db_path):
        mend = "Name a file, for example data/ai_ops.db."
        yield Problem("TRACE_DB_PATH", loaded.origin("trace_db_path"), "is a folder", mend)


def _folder_fault(path: Path) -> str:
    try:
        nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
        if not nearest.is_dir():
            return f"leads to {nearest}, which is no folder"
    except OSError as error:
        return f"cannot be reached: {(error.strerror or str(error)).lower()}"
    return (
        ""
        if os.access(nearest, os.W_OK | os.X_OK)
        else f"cannot be written: {nearest} is another user's, or read-only"
    )


def _secret_keys(loaded: Loaded) -> Iterator[Problem]:
    if not loaded.settings.ai_ops_secret_key:
        return
    from ai_ops.store.secrets import SecretKey

    for key in loaded.settings.ai_ops_secret_key:
        try:
            SecretKey(key.get_secret_value())
        except PermanentError:
            mend = "Make one: openssl rand -base64 32"
            yield Problem("AI_OPS_SECRET_KEY", loaded.origin("ai_ops_secret_key"), "is too short", mend)


def _claude(loaded: Loaded) -> Iterator[Problem]:
    from ai_ops.integrations.claude_args import parse_args

    settings = loaded.settings
    try:
        parse_args(settings.claude_args)
    except PermanentError as error:
        reason = error.message.removeprefix("CLAUDE_ARGS ")
        yield Problem("CLAUDE_ARGS", loaded.origin("claude_args"), reason, error.next_step)
    allowed = settings.claude_allowed_models
    if settings.claude_model and allowed and settings.claude_model not in allowed:
        mend = f"Set it to one of {', '.join(allowed)}."
        yield Problem("CLAUDE_MODEL", loaded.origin("claude_model"), "is not in CLAUDE_ALLOWED_MODELS", mend)
    judge, origin = settings.claude_triage_model, loaded.origin("claude_triage_model")
    if judge != "none" and origin != "default" and not is_allowed(judge, allowed):
        mend = f"Set it to one of {', '.join(allowed)}, or to none: the rules alone then decide."
        yield Problem("CLAUDE_TRIAGE_MODEL", origin, "is not in CLAUDE_ALLOWED_MODELS", mend)


def _script(loaded: Loaded) -> Iterator[Problem]:
    path = loaded.settings.scripted_answers
    if path is None:
        return
    from ai_ops.integrations.scripted import ScriptedFixer

    try:
        ScriptedFixer(path)
        return
    except PermanentError as error:
        reason = f"cannot be used: {' '.join(error.message.split()).rstrip('.')}"
    if not os.path.lexists(path):
        reason = f"names {path}, which is not there"
    mend = "Mend the script, or take the setting out to ask Claude."
    yield Problem("SCRIPTED_ANSWERS", loaded.origin("scripted_answers"), reason, mend)


def _mail(loaded: Loaded) -> Iterator[Problem]:
    settings = loaded.settings
    for address in settings.receiver_email:
        if not all(address.partition("@")):
            mend = "Write addresses with commas between them."
            yield Problem("RECEIVER_EMAIL", loaded.origin("receiver_email"), "holds what is no address", mend)
            break
    trusted = settings.smtp_ca_file
    if settings.smtp_server and trusted and (_is_folder(trusted) or not os.access(trusted, os.R_OK)):
        reason = f"names {trusted}, which cannot be read"
        yield Problem(
            "SMTP_CA_FILE", loaded.origin("smtp_ca_file"), reason, "Name a PEM file, or leave it out."
        )


def _signing(loaded: Loaded) -> Iterator[Problem]:
    key = loaded.settings.commit_signing_key
    if key and (_is_folder(key) or not os.access(key, os.R_OK)):
        reason = f"names {key}, which cannot be read"
        mend = "Name the file of a private key, or leave it out."
        yield Problem("COMMIT_SIGNING_KEY", loaded.origin("commit_signing_key"), reason, mend)


def _webhooks(loaded: Loaded) -> Iterator[Problem]:
    if not loaded.settings.webhook:
        return
    from ai_ops.integrations.webhooks import key_of

    yield from _doubled("WEBHOOK", [table.name for table in loaded.settings.webhook], loaded)
    for table in loaded.settings.webhook:
        key, origin = f"[[webhook]] {table.name}", loaded.origin("webhook")
        fault = _file_fault(table.secret_file)
        if not fault and (secret := table.secret) is not None:
            try:
                key_of(secret.get_secret_value())
            except ValueError as error:
                fault = f"has a secret that {error}"
        if fault:
            yield Problem(key, origin, fault, "Set secret, or secret_file to a readable file.")


def _channels(loaded: Loaded) -> Iterator[Problem]:
    from ai_ops.integrations.channels import service_of

    settings = loaded.settings
    yield from _doubled("CHANNEL", [table.name for table in settings.channel], loaded)
    addresses = [("NOTIFY_URLS", "notify_urls", secret) for secret in settings.notify_urls]
    for table in settings.channel:
        if fault := _file_fault(table.url_file):
            mend = "Set url, or url_file to a readable file."
            yield Problem(f"[[channel]] {table.name}", loaded.origin("channel"), fault, mend)
        elif table.url is not None:
            addresses.append((f"[[channel]] {table.name}", "channel", table.url))
    for key, setting, secret in addresses:
        try:
            service_of(secret.get_secret_value())
        except PermanentError as error:
            reason = f"cannot be used: {error.message.rstrip('.')}"
            yield Problem(key, loaded.origin(setting), reason, error.next_step)


def _doubled(name: str, names: Sequence[str], loaded: Loaded) -> Iterator[Problem]:
    for each in sorted({each for each in names if names.count(each) > 1}):
        origin = loaded.origin(name.lower())
        yield Problem(name, origin, f"has two tables called {each}", "Give each a name of its own.")


def _file_fault(path: Path | None) -> str:
    readable = path is None or (path.is_file() and os.access(path, os.R_OK))
    return "" if readable else f"names {path}, which cannot be read"
