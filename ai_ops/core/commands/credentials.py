"""Rules: who reads credentials."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.places import is_credential, is_secret_file

SECRET_NAME = re.compile(
    r"\$\{?[A-Z0-9_]*(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|DATABASE_URL)"
    r"(S|_ID|_FILE)?\b"
)
_READERS = frozenset(
    [
        "cat",
        "less",
        "more",
        "head",
        "tail",
        "tac",
        "nl",
        "strings",
        "xxd",
        "od",
        "hexdump",
        "base64",
        "base32",
        "grep",
        "rg",
        "egrep",
        "awk",
        "sed",
        "cut",
        "sort",
        "cp",
        "mv",
        "tar",
        "zip",
        "gzip",
        "scp",
        "rsync",
        "view",
        "vim",
        "vi",
        "nano",
        "bat",
        "openssl",
        "gpg",
        "dd",
        "tee",
        "jq",
        "yq",
        "diff",
        "python",
        "python3",
        "perl",
        "ln",
        "install",
        "7z",
        "curl",
        "wget",
        "nc",
        "aws",
        "source",
        ".",
        "paste",
        "rev",
        "tr",
        "wc",
        "split",
        "uuencode",
        "ssh-add",
        "ssh",
        "fold",
        "column",
        "mapfile",
    ]
)
_OPENERS = frozenset(
    [
        "cat",
        "less",
        "more",
        "head",
        "tail",
        "base64",
        "strings",
        "xxd",
        "od",
        "tac",
        "nl",
        "hexdump",
        "bat",
        "grep",
        "egrep",
        "rg",
        "awk",
        "cut",
    ]
)


def credentials(call: Call) -> Iterator[str]:
    """Find who reads credentials."""
    text, name = call.text, call.name
    given = [*call.args, *call.reads]
    if name in _READERS:
        skip = 1 if name in ("grep", "egrep", "rg", "sed", "awk", "jq") and not call.has("-r", "-R") else 0
        paths = [
            path.lstrip("@")
            for arg in given[skip:]
            for path in call.paths([arg.partition("=")[2] if "=@" in arg else arg])
        ]
        paths += [
            known
            for path in paths
            if re.search(r"[?*\[]", path)
            for known in _KNOWN
            if fnmatch.fnmatchcase(known, path)
        ]
        if (any(map(is_credential, paths)) and not text.endswith(".pub")) or (
            name in _OPENERS and any(map(is_secret_file, paths))
        ):
            yield "credential_read"
    elif (
        name == "find" and re.search(r"name \S*(id_rsa|id_ed25519|\.pem|credentials|shadow|\.kdbx)", text)
    ) or any(map(is_credential, call.paths(call.reads))):
        yield "credential_read"
    if name in ("grep", "egrep", "rg") and call.source and call.source[0] in _TELLERS and _ASKS.search(text):
        yield "credential_read"
    widely = any(path in ("~", "/", "/etc", "/home", "/root") for path in call.paths(call.plain))
    if name in ("grep", "egrep", "rg") and call.has("-r", "-R") and widely and _ASKS.search(text):
        yield "credential_read"
    if name in ("echo", "printf", "printenv") and _prints_secret(call):
        yield "credential_read"
    if _TELLS_CREDENTIALS.search(text):
        yield "credential_read"
    if name in ("gdb", "gcore", "strace", "ptrace") and call.has("-p", "--pid"):
        yield "credential_read"
    if name in ("mimikatz", "lazagne", "secretsdump.py", "unshadow", "john", "hashcat", "hydra"):
        yield "credential_read"


_KNOWN = (
    "/etc/shadow",
    "/etc/passwd",
    "/etc/sudoers",
    "~/.ssh/id_rsa",
    "/root/.ssh/id_rsa",
    "~/.aws/credentials",
)
_TELLERS = frozenset(
    {"env", "set", "printenv", "export", "declare", "docker", "podman", "kubectl", "history", "ps"}
)
_ASKS = re.compile(r"secret|token|passw|private.?key|aws_|api.?key|credential", re.IGNORECASE)


def _prints_secret(call: Call) -> bool:
    if call.name == "printenv":
        return any(SECRET_NAME.search("$" + arg) for arg in call.plain)
    return bool(SECRET_NAME.search(" ".join(call.args)))


_TELLS_CREDENTIALS = re.compile(
    r"""^(security\ (find-(generic|internet)-password|dump-keychain)
    | gcloud\ auth\ (application-default\ )?print
    | gh\ auth\ token | vault\ (kv\ get|read) | kubectl\ get\ secrets? | git\ credential
    | aws\ (sts\ (assume|get-session|get-fed)|configure\ get
    |secretsmanager\ get|ssm\ get-parameter|configure\ export) | az\ account\ get-access-token
    | op\ (read|item\ get)
    | pass\ show | docker-credential | npm\ token | heroku\ auth:token | secret-tool\ lookup
    | gpg\ .*--export-secret
    | kubectl\ .*config\ view\ .*--raw | git\ config\ .*credential\.helper\ store | aws-vault
    | flyctl\ auth\ token
    | doppler\ secrets | bw\ get)""",
    re.VERBOSE,
)
