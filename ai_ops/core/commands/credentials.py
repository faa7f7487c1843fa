"""Rules: who reads credentials."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import replace

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import is_credential, is_secret_file

SECRET_NAME = re.compile(
    r"\$\{?[A-Z0-9_]*(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|DATABASE_URL)"
    r"(S|_ID|_FILE)?\b"
)
_NAMES_ONLY = names(
    "ls stat test [ [[ echo printf chmod chown mkdir rmdir touch find fd du file rm cd pushd type which "
    "readlink realpath dirname basename tree git gh glab man shred unlink ssh-keygen ssh-copy-id "
    "truncate make pytest id getent passwd useradd case export set unset declare local read alias "
    "umount mount docker-compose"
)
"""Programs that take the name of a file and not what stands in it; whatever else is given one reads it."""
_LISTS_USERS = re.compile(r"(cut -d ?:? -f ?1|g?awk -F ?: \{ ?print \$1 ?\}|wc -l|grep -c \S+) /etc/passwd$")
_SHOWS_ENVIRONMENT = re.compile("[axuwfhljvcSTrn]*e[axuwfhljvcSTrn]*")
_TAKES_TARGET = frozenset({"cp", "mv", "ln", "install", "scp", "rsync", "tee", "ssh-add"})
_OPENERS = names("cat less more head tail base64 strings xxd od tac nl hexdump bat grep egrep rg awk cut")


def credentials(call: Call) -> Iterator[str]:
    """Find who reads credentials."""
    text, name = call.text, call.name
    if _LISTS_USERS.match(text):
        return
    if name not in _NAMES_ONLY or (name == "ssh-keygen" and call.has("-y", "-p")):
        paths = list(_read_paths(call))
        if (any(map(is_credential, paths)) and not text.endswith(".pub")) or (
            name in _OPENERS and any(map(is_secret_file, paths))
        ):
            yield "credential_read"
    elif name == "git" and not (call.at("config") and not call.has("-f", "--file")):
        if any(path[:1] in ("~", "/") and is_credential(path) for path in _read_paths(_without_words(call))):
            yield "credential_read"  # within the checkout git takes names; what lies outside it can only read
    elif (
        name == "find" and re.search(r"name \S*(id_rsa|id_ed25519|\.pem|credentials|shadow|\.kdbx)", text)
    ) or any(map(is_credential, call.paths(call.reads))):
        yield "credential_read"
    if name in _OPENERS and call.how in ("find", "xargs") and _NAMES_SECRETS.search(" ".join(call.source)):
        yield "credential_read"
    if name in ("grep", "egrep", "rg") and call.source and call.source[0] in _TELLERS and _ASKS.search(text):
        yield "credential_read"
    widely = any(
        re.match(r"(~|/(home|root|etc|Users)?)(/[*.\w-]*)?$", path) for path in call.paths(call.plain[1:])
    )
    recursive = call.has("-r", "-R", "--recursive") or name in ("rg", "ag", "ack", "ugrep")
    if (
        name in ("grep", "egrep", "rg", "ag", "ack", "ugrep")
        and recursive
        and widely
        and _ASKS.search(_CLASSES.sub("", text))
    ):
        yield "credential_read"
    if name in ("echo", "printf", "printenv") and _prints_secret(call):
        yield "credential_read"
    if name == "ps" and any(map(_SHOWS_ENVIRONMENT.fullmatch, call.args[:1])):
        yield "credential_read"
    if _TELLS_CREDENTIALS.search(text):
        yield "credential_read"
    if (name in _DEBUGGERS and _OTHERS.match(call.value("-p", "--pid"))) or name in _MEMORY:
        yield "credential_read"


def _read_paths(call: Call) -> Iterator[str]:
    """Yield what may be the paths that a command reads, patterns written out where a credential fits them."""
    args = list(call.args)
    if call.name in _PATTERN_FIRST and not call.has("-r", "-R"):
        args = args[1:]
    if call.name in _TAKES_TARGET and len(args) > 1:
        args = args[:-1]
    for arg in (*args, *call.reads):
        if "\n" in arg or len(arg) > 500:
            continue
        named = arg.partition("=")[2] if re.match(r"-{0,2}[\w-]+=[@~/.$]", arg) or "=@" in arg else arg
        for path in call.paths([named.lstrip("@<")]):
            yield path
            if re.search(r"[?*\[]", path):
                yield from (known for known in _KNOWN if fnmatch.fnmatchcase(known, path))


_SAYS = names("commit tag notes merge stash")
_SEARCHES = names("log show diff shortlog rev-list reflog whatchanged")


def _without_words(call: Call) -> Call:
    """Return a call of git without what it is told to say or to look for, which names no file."""
    options: tuple[str, ...] = ()
    if call.plain[:1] and call.plain[0] in _SAYS:
        options = ("-m", "-am", "--message")
    elif call.plain[:1] and call.plain[0] in _SEARCHES:
        options = ("-S", "-G", "--grep", "--author")
    before = ("", *call.args)
    return replace(
        call,
        args=tuple(arg for was, arg in zip(before, call.args, strict=False) if was not in options),
    )


_PATTERN_FIRST = frozenset({"grep", "egrep", "fgrep", "rg", "sed", "awk", "gawk", "mawk", "jq", "yq"})
_DEBUGGERS = frozenset({"gdb", "strace", "ptrace", "ltrace"})
_OTHERS = re.compile(r"\d$|\$\((?!pgrep|cat)|.*(ssh|gpg|agent|keyring|sshd|login|sudo|chrome|firefox)")
"""Processes that are hardly one's own."""
_MEMORY = frozenset(
    {"mimikatz", "lazagne", "secretsdump.py", "unshadow", "gcore", "procdump", "mimipenguin", "keyctl"}
)
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
_NAMES_SECRETS = re.compile(
    r"-i?name \S*(\.env|secret|credential|id_rsa|id_ed25519|\.pem|\.key|\.p12|\.kdbx)\*?(\s|$)"
)
_CLASSES = re.compile(r"\[[^\]]*\]|[?\\()]")
_ASKS = re.compile(
    r"secret|token|passw|\bpass\b|private.?key|aws_|api.?key|credential|\bAKIA|BEGIN .*KEY|ghp_|xox[bp]",
    re.IGNORECASE,
)


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
    | pass\ (show|-c) | docker-credential | npm\ token | heroku\ auth:token | secret-tool\ lookup
    | gpg\ .*--export-secret
    | kubectl\ .*config\ view\ .*--raw | git\ config\ .*(credential\.helper\ store|extraheader) | aws-vault
    | flyctl\ auth\ token
    | doppler\ secrets | bw\ (get|list|export) | chamber\ (read|export) | sops\ (-d|--decrypt|decrypt)
    | ansible-vault\ (view|decrypt)
    | lpass\ show | keepassxc-cli\ (show|export) | rbw\ get | teller\ | aws-okta
    | gpg\ .*--decrypt\ .*(pass|secret)
    | ssh-add\ -L | klist | docker\ .*secret\ inspect | infisical\ (secrets|export) | envchain)""",
    re.VERBOSE,
)
