"""What a path stands for: the system, a disk, a credential, a log, a place from which programs start."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import dropwhile, takewhile
from typing import Final

_SCRATCH = ("/tmp/", "/var/tmp/", "/dev/shm/", "/workspace/")  # noqa: S108 - where a run may do as it likes
_DISK = re.compile(
    r"/dev/(sd[a-z]|hd[a-z]|vd[a-z]|xvd[a-z]|nvme\d|mmcblk\d|mapper/|md\d|disk/|dm-\d|mem$|port$)"
)
_SYSTEM = re.compile(
    r"/(etc|usr|bin|sbin|lib(32|64)?|boot|root|var|opt|home|srv|sys|proc|dev|System|Library|Applications"
    r"|Users"
    r"|mnt|media)(/|$)"
)
_CREDENTIAL = re.compile(
    r"""(^|/)etc/(passwd|shadow|gshadow|sudoers)\b | (^|/)\.ssh(/(?!config|known_hosts|.*\.(pub|example))|$)
    | (^|/)id_(rsa|dsa|ecdsa|ed25519)$ | (^|/)\.aws(/|$) | (^|/)\.(netrc|git-credentials|pgpass|pypirc
    |vault-token)$
    | (^|/)\.docker(/config\.json|/?$) | (^|/)\.kube(/|$) | (^|/)\.gnupg(/|$) | (^|/)\.config/(gh|glab-cli
    |gcloud|op)(/|$)
    | (^|/)\.azure(/|$) | /proc/[^/]+/(environ|mem)$ | serviceaccount/token | (^
    |/)\.claude(/\.credentials|\.json)
    | (^|/)(Login\ Data|cookies\.sqlite|logins\.json|key4\.db|Cookies)$ | /etc/kubernetes/.*\.(conf|key)
    | (^|/)run/secrets/ | (^|/)\.terraform\.d/credentials | (^|/)\.npmrc$ | /etc/ssl/private | (^
    |/)etc/krb5\.keytab
    | (^|/)\.\w*_history$ | (^|/)\.password-store
    | (^|/)\.[\w-]+/([\w.-]+/){0,4}(credentials|auth|tokens?|hosts|accessTokens|access_tokens)(\.(json
    |ya?ml|toml|db|xml))?$
    | (^|/)\.(m2/settings(-security)?\.xml|my\.cnf|boto|s3cfg|databrickscfg|terraformrc|dockercfg
    |vault_pass\S*)$
    | (^|/)\.(oci|ibmcloud|kaggle|snowflake|bitcoin|ethereum|electrum|mozilla|thunderbird)(/|$)
    | (^|/)\.config/(rclone|google-chrome|chromium|BraveSoftware|1Password|Bitwarden|configstore|hub|doctl
    |pulumi|sops)(/|$)
    | (^|/)\.local/share/keyrings | ssh_host_\w+_key$ | (^|/)wallet\.dat$ | (^|/)Library/Keychains
    | /pki/(private|.*key)
    | (^|/)\.fly/config | (^|/)secring\.gpg""",
    re.VERBOSE | re.IGNORECASE,
)
_ENVIRONMENT_FILE = re.compile(
    r"(^|/)\.env(\.(?!example|sample|template|dist|test)[\w-]+)?$|\.(pem|p12|pfx|key|jks|keystore)$"
    r"|(^|/)(service[-_]?account[\w-]*|client_secret[\w-]*|credentials)\.json$|\.tfstate$"
)
_STARTS_PROGRAMS = re.compile(
    r"""^/etc/(cron|anacrontab|init\.d|systemd|profile|rc\.|bash\.bashrc|zsh|ld\.so|pam\.d|xdg/autostart"
    r"|udev|update-motd
    |environment|inittab|modules-load|crontab) | /var/spool/(cron|at) | (^|/)\.(bashrc|bash_aliases|zshrc
    |profile
    |bash_profile
    |bash_login|bash_logout|zprofile|zshenv|zlogin|kshrc|cshrc|xinitrc|xsession|xprofile|inputrc
    |pam_environment)$
    | authorized_keys | (^|/)\.ssh/(rc|config|environment)$ | \.config/(systemd|autostart|fish)
    | ^~/(\.local/)?bin/(sudo|su|ssh|scp|git|ls|cat|(ba|z)?sh|python3?|docker|kubectl|gpg|npm|pip3?|curl)$
    | Launch(Agents|Daemons) | (^|/)\.git/(hooks|config) | (^|/)(usr/)?(local/)?lib/systemd
    | sitecustomize\.py | usercustomize\.py | site-packages/[^/]+\.pth | ^\$\([^)]*site[^)]*\)/ | (^
    |/)\.vimrc$ | (^|/)\.claude/
    | (^|/)\.gitconfig$
    | (^|/)\.husky/ | (^|/)\.mcp\.json$ | (^|/)\.emacs$ | Start\ Menu | CurrentVersion[\\/]Run
    | PowerShell/(Microsoft\.\w+_)?[pP]rofile\.ps1$""",
    re.VERBOSE,
)
_TRACES = re.compile(
    r"^/var/log(/|$)|_history$|\.(lesshst|viminfo)$|/var/run/utmp|/wtmp|/btmp|/lastlog|HistorySavePath|ConsoleHost_history|/winevt/|audit(-head|\.log"
    r"|_log)|\.zhistory$"
)
_RIGHTS = re.compile(
    r"^/etc/(sudoers|passwd|shadow|group|gshadow|security|doas\.conf|polkit|subuid)|^/proc/sys/|^/sys/"
)
_SOURCES = re.compile(
    r"/etc/apt/(sources|trusted|apt\.conf)|/etc/yum\.repos\.d|(^|/)(\.?pip\.conf|\.npmrc|\.yarnrc(\.yml)?"
    r"|\.pypirc|\.condarc)$"
)
LOCAL: Final = re.compile(
    r"(^|//|@)(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|::1|host\.docker\.internal)([:/]|$)"
)
"""An address of this machine."""
_WINDOWS_SYSTEM = re.compile(r"[A-Za-z]:/+(Windows|Program Files|ProgramData)\b", re.IGNORECASE)
_WINDOWS = re.compile(r"^[A-Za-z]:(\\|/|$)|^\\\\")

DEVICES: Final = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/fd/")


_LONGEST_KEPT: Final = 200
"""Characters of a path whose place is remembered: every rule asks for those of every argument."""


def placed(path: str, folder: str) -> str:
    """Return a path without its detours, beneath the folder that it is relative to where that is known."""
    short = len(path) <= _LONGEST_KEPT and len(folder) <= _LONGEST_KEPT
    return _placed(path, folder) if short else _placed.__wrapped__(path, folder)


@lru_cache(maxsize=4096)
def _placed(path: str, folder: str) -> str:
    path = path.replace("${HOME}", "~").replace("$HOME", "~")
    if path.startswith(("~", "/", "$")) or _WINDOWS.match(path):
        joined = path
    else:
        joined = f"{folder.rstrip('/') or ''}/{path}" if folder != "." else path
    if joined.startswith("$"):
        return joined
    made = posixpath.normpath(joined) if joined else ""
    return ("/" + made.lstrip("/")) if joined.startswith("/") else made


def starts_of(args: Sequence[str], folder: str) -> list[str]:
    """Return where ``find`` begins to look."""
    rest = dropwhile(re.compile(r"-([HLP]+|O\d)$").match, args)
    return [placed(arg, folder) for arg in takewhile(lambda arg: arg[:1] not in ("-", "(", "!"), rest)]


def is_scratch(path: str) -> bool:
    """Whether a path lies where a run may do as it likes."""
    return path.startswith(_SCRATCH)


def is_system(path: str) -> bool:
    """Whether a path is a part of the machine rather than of the work."""
    return not is_scratch(path) and not path.startswith(DEVICES) and bool(_SYSTEM.match(path))


def is_vital(path: str) -> bool:
    """Whether what lies at a path, with all beneath it, must not be deleted. ``path`` is as ``placed``."""
    if _WINDOWS.match(path):
        return True
    if is_scratch(path):
        return False
    bare = path.rstrip("/").removesuffix("/*").removesuffix("/.*").rstrip("/")
    if path.startswith("$"):  # an open value, and all beneath it: empty, it is the root
        return (
            bool(re.fullmatch(r"\$\{?\w+\}?(/|/\*|/\.\*|\*)", path))
            or ("$(" in path and path.endswith(("/", "/*")))
            or bool(re.search(r"/\.\.(/\*?)?$", path))
        )
    if bare in ("", ".", "..", "~", "*", ".*", "./*") or path.startswith("../"):
        return True
    if (
        bare in (".git",)
        or bare.endswith("/.git")
        or re.match(r"\.git/(?!rebase-|MERGE_|CHERRY_PICK|.*\.lock$)", bare)
    ):
        return True
    if path.startswith("~"):
        return not re.match(r"~/(\.cache|tmp|\.npm|\.local/share/Trash|AppData/Local/Temp)(/|$)", path)
    return path.startswith("/")


def is_disk(path: str) -> bool:
    """Whether a path is a disk or the machine's memory."""
    return bool(_DISK.match(path))


def is_credential(path: str) -> bool:
    """Whether a path holds credentials of a person or of the machine."""
    return _holds_credentials(path) if len(path) <= _LONGEST_KEPT else bool(_CREDENTIAL.search(path))


@lru_cache(maxsize=4096)
def _holds_credentials(path: str) -> bool:
    return bool(_CREDENTIAL.search(path))


def is_secret_file(path: str) -> bool:
    """Whether a path holds a project's secrets or a private key."""
    return bool(_ENVIRONMENT_FILE.search(path))


def is_trace(path: str) -> bool:
    """Whether a path is a log of the machine or a history."""
    return bool(_TRACES.search(path))


def written_rule(path: str) -> str:
    """Return the rule that writing to a path meets, empty for none. ``path`` is as ``placed``."""
    for rule, pattern in (
        ("disk_write", _DISK),
        ("machine_stop", re.compile(r"^/proc/sysrq-trigger")),
        ("trace_removal", _TRACES),
        ("package_source", _SOURCES),
        ("privilege", _RIGHTS),
        ("persistence", _STARTS_PROGRAMS),
    ):
        if pattern.search(path):
            return rule
    if _WINDOWS_SYSTEM.match(path):
        return "system_write"
    if is_system(path) and not path.startswith(("/home/", "/Users/", "/mnt/", "/media/", "/srv/", "/opt/")):
        return "system_write"
    return ""
