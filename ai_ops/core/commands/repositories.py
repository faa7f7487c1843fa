"""Rules: what loses commits or work in git, and what has git run a program."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.packages import USUAL_SOURCE

_GIT_VARIABLES = (
    r"^GIT_(SSH|SSH_COMMAND|EXTERNAL_DIFF|PAGER|EDITOR|SEQUENCE_EDITOR|ASKPASS|PROXY_COMMAND|CONFIG_\w+)$"
)


def repositories(call: Call) -> Iterator[str]:
    """Find what loses commits or work, and what has git run a program."""
    if any(
        re.search(_GIT_VARIABLES, name) and value not in (":", "true", "cat", "")
        for name, value in call.sets()
    ):
        yield "git_program"
    if call.name in ("gh", "glab", "hub"):
        if re.search(r"\b(repo|release|secret|ssh-key) (delete|archive|edit|rename|set|add)\b", call.text):
            yield "history_rewrite"
        return
    if call.name != "git":
        return
    args = list(call.args)
    while args and args[0] in ("-C", "-c", "--git-dir", "--work-tree"):
        if args[0] == "-c" and _RUNS.search(" ".join(args[1:2])):
            yield "git_program"
        args = args[2:]
    rest = Call("git", tuple(args))
    text = " ".join(args)
    if (
        "ext::" in text
        or "--exec-path=" in text
        or "--upload-pack" in text
        or "--receive-pack" in text
        or "fd::" in text
    ):
        yield "git_program"
    elif rest.at("config") and (found := _RUNS.search(text)) and not rest.has("--get", "--unset", "-l"):
        yield "git_program" if "credential" not in found[0] else "credential_read"
    elif rest.at("push"):
        yield from _pushes(rest)
    elif rest.args and _LOSES.search(text):
        yield "history_rewrite"
    elif rest.at("commit") and rest.has("--no-verify"):
        yield "defence_evasion"
    if rest.at("remote") and re.search(
        r"\b(add|set-url)\b.*(\w+@[\w.-]+:|://(?!github\.com|gitlab\.com|bitbucket\.org))", text
    ):
        yield "exfiltration"


_RUNS = re.compile(
    r"core\.(hooksPath|fsmonitor|sshCommand|editor|pager|gitProxy|askPass)|diff\.external|\.textconv|\.(clean|smudge)\b"
    r"|credential\.helper|alias\.\w+[ =]+!|protocol\.\w+\.allow|http\.sslVerify|url\..*insteadOf"
    r"|uploadpack\.packObjectsHook|include(If)?\.\S*path|gpg\.\w*\.?program|(diff|merge)tool\.\S+\.cmd|merge\.\S+\.driver"
    r"|sequence\.editor|pager\.\w+|interactive\.diffFilter|submodule\.\S+\.update[ =]+!",
    re.IGNORECASE,
)
_LOSES = re.compile(
    r"""^( reset\ .*--hard | clean\ (?=.*-\w*f) | filter-branch | filter-repo | update-ref\ .*-d
    | reflog\ (expire|delete)
    | gc\ .*--prune | branch\ (.*\ )?(-D|--delete\ --force|-d\ -f) | checkout\ (--\ )?\.$ | checkout\ --\ \.
    | checkout\ (-f|--force) | restore\ \.$ | restore\ .*--worktree\ \.$ | stash\ (clear|drop)
    | tag\ (-d|--delete) | worktree\ remove\ .*--force
    | rm\ -rf?\ (?!--cached).*(\.|\*)$ | prune | replace )""",
    re.VERBOSE,
)


def _pushes(call: Call) -> Iterator[str]:
    refs = call.plain[2:]
    forced = call.has("--force", "--mirror", "--delete", "--prune") or any(
        re.fullmatch(r"-[a-z]*[fd][a-z]*", arg) for arg in call.args
    )
    if any(arg.startswith("--force-with-lease") for arg in call.args) and not call.has(
        "--mirror", "--delete"
    ):
        forced = "--force" in call.args or bool({"main", "master"} & set(refs))
    if forced or any(ref.startswith((":", "+")) for ref in refs):
        yield "history_rewrite"
    if (
        call.plain[1:2]
        and re.match(r"(https?|ssh|git|ftp)://|\w+@", call.plain[1])
        and not USUAL_SOURCE.search(call.plain[1])
    ):
        yield "exfiltration"
