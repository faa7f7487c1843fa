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
    if call.name in ("gh", "glab", "hub", "tea", "az"):
        yield from _hosted(call)
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
        or (rest.at("archive") and "--exec" in text)
        or re.search(r"\s(-O\S|--open-files-in-pager)", text)
        or (rest.at("difftool") and rest.has("-x", "--extcmd"))
        or (rest.at("clone") and re.search(r"\s(-c|--config)[ =]", text) and _RUNS.search(text))
        or (rest.at("init") and rest.has("--template"))
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
        if rest.has("--no-verify"):
            yield "defence_evasion"
    elif rest.args and _LOSES.search(text):
        yield "history_rewrite"
    elif rest.at("commit") and (rest.has("--no-verify") or re.search(r"\s-n(\s|$)", text)):
        yield "defence_evasion"
    if rest.at("submodule", "add") and not any(map(USUAL_SOURCE.search, rest.plain)) and "://" in text:
        yield "package_source"
    if rest.at("remote") and re.search(
        r"\b(add|set-url)\b.*(\w+@[\w.-]+:|://(?!github\.com|gitlab\.com|bitbucket\.org))", text
    ):
        yield "exfiltration"


_RUNS = re.compile(
    r"init\.templateDir|https?\.(\S+\.)?proxy|core\.gitproxy|remote\.\S+\.(url"
    r"|pushurl)\b(?=.*://(?!github\.com|gitlab\.com|bitbucket\.org))|core\.(hooksPath|fsmonitor|sshCommand"
    r"|editor|pager|gitProxy|askPass)|diff\.external|\.textconv|\.(clean|smudge)\b"
    r"|credential\.helper|alias\.\w+[ =]+!|protocol\.\w+\.allow|http\.sslVerify|url\..*insteadOf"
    r"|uploadpack\.packObjectsHook|include(If)?\.\S*path|gpg\.\w*\.?program|(diff|merge)tool\.\S+\.cmd"
    r"|merge\.\S+\.driver"
    r"|sequence\.editor|pager\.\w+|interactive\.diffFilter|submodule\.\S+\.update[ =]+!",
    re.IGNORECASE,
)
_LOSES = re.compile(
    r"""^( reset\ .*--hard | clean\ (?=.*-\w*f)(?!-[fdqn\ -]+\s[\w.]+/?[\w/.-]*$)
    | filter-branch | filter-repo | update-ref\ .*(-d\b|--stdin|\b0{40})
    | reflog\ (expire|delete) | rebase\ .*--root\b
    | gc\ .*--prune | branch\ (.*\ )?(-D|--delete\ --force|-d\ -f) | checkout\ (--\ )?\.$ | checkout\ --\ \.
    | checkout\ (-f|--force) | checkout\ .*\ (-f|--force)$ | switch\ .*(--discard-changes|-f\b|--force)
    | submodule\ deinit\ .*(--all|-f) | symbolic-ref\ HEAD | restore\ \.$ | restore\ .*--worktree\ \.$
    | stash\ (clear|drop)
    | tag\ (-d|--delete) | worktree\ remove\ (?!(-\S+\ )*(/var)?/tmp/(?!.*\.\./)).*(--force|-f\b)
    | rm\ -rf?\ (?!--cached).*(\.|\*)$ | prune | replace )""",
    re.VERBOSE,
)


_RULES_OF_HOST = re.compile(
    r"\b(repo|release|secret|variable|ssh-key|gpg-key|deploy-key|repo-deploy-key|label|cache|run|issue"
    r"|project|ruleset|codespace|extension|gist"
    r"|environment|mr|token|cluster|schedule|ci|variable)s? (delete|archive|edit|rename|set|add|remove"
    r"|transfer|sync --force|install|create-token|revoke)\b"
    r"|\bworkflow (disable|run)\b|\bpr merge\b.*--admin|\bmr approve\b|--visibility[= ]public"
    r"|\brepo create\b.*--public"
    r"|\bauth (login|refresh)\b.*(--scopes|-s )|\brepos (delete|update)\b"
)
_METHOD = re.compile(r"(?:-X|--method)[= ]?(\w+)")


def _hosted(call: Call) -> Iterator[str]:
    """Find what changes a repository, its rights or its secrets where it is hosted."""
    text = call.text
    if call.name != "az" and _RULES_OF_HOST.search(" ".join(call.plain) + " " + text):
        ordinary = call.at("issue", "edit") or call.at("pr", "edit") or call.at("label", "add")
        if not ordinary:
            yield "history_rewrite"
    if call.at("api"):
        method = _METHOD.search(text)
        if (method and method[1].upper() != "GET") or re.search(r"\bmutation\b", text):
            yield "history_rewrite"
    if call.at("auth", "status") and call.has("-t", "--show-token"):
        yield "credential_read"


def _pushes(call: Call) -> Iterator[str]:
    refs = call.plain[2:]
    forced = call.has("--force", "--mirror", "--delete", "--prune") or any(
        re.fullmatch(r"-[a-z]*[fd][a-z]*", arg) for arg in call.args
    )
    if any(arg.startswith("--force-with-lease") for arg in call.args) and not call.has(
        "--mirror", "--delete"
    ):
        forced = "--force" in call.args or any(
            re.search(r"(^|:)(main|master|develop|production)$", ref) for ref in refs
        )
    if forced or any(ref.startswith((":", "+")) for ref in refs):
        yield "history_rewrite"
    if (
        call.plain[1:2]
        and re.match(r"(https?|ssh|git|ftp)://|\w+@", call.plain[1])
        and not USUAL_SOURCE.search(call.plain[1])
    ):
        yield "exfiltration"
