"""Commands that start another command: what they start, as an argv or as text for a shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ai_ops.core.commands.naming import names

SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "csh", "tcsh", "mksh", "rbash", "$SHELL", "$BASH"}
)
_WITH_VALUE = {
    "sudo": "ugpCchrTtUD",
    "doas": "uC",
    "env": "uCS",
    "nice": "n",
    "ionice": "cnp",
    "timeout": "ks",
    "xargs": "IndPLsaE",
    "stdbuf": "ioe",
    "time": "fo",
    "flock": "wE",
    "strace": "eopPs",
    "chrt": "",
    "taskset": "",
    "watch": "n",
    "setsid": "",
    "nohup": "",
    "command": "",
    "builtin": "",
    "exec": "a",
    "busybox": "",
    "toybox": "",
    "caffeinate": "t",
    "unbuffer": "",
    "proot": "rbw",
    "chroot": "",
    "parallel": "jNIS",
    "entr": "",
    "ltrace": "e",
    "catchsegv": "",
    "systemd-run": "pu",
    "start-stop-daemon": "",
    "runuser": "u",
    "setarch": "",
    "faketime": "",
    "winpty": "",
    "fakeroot": "",
    "cgexec": "g",
    "numactl": "",
    "script": "",
    "then": "",
    "uv": "",
}
_POSITIONAL = {
    "timeout": 1,
    "flock": 1,
    "taskset": 1,
    "chrt": 1,
    "chroot": 1,
    "setarch": 1,
    "faketime": 1,
    "cgexec": 0,
}


_CMDLETS = {
    "get-content": "cat",
    "gc": "cat",
    "invoke-webrequest": "curl",
    "invoke-restmethod": "curl",
    "start-bitstransfer": "curl",
    "iwr": "curl",
    "irm": "curl",
    "invoke-expression": "eval",
    "iex": "eval",
    "copy-item": "cp",
    "copy": "cp",
    "xcopy": "cp",
    "robocopy": "cp",
    "move-item": "mv",
    "move": "mv",
}
"""Cmdlets and programs of Windows that do what one of a shell does."""


@dataclass(frozen=True, slots=True)
class Inner:
    """What a command starts: ``argv`` itself, or ``text`` that a shell reads.

    With a text, ``argv`` is its ``$0``, ``$1`` and so on. ``how`` is what starts it.
    """

    argv: tuple[str, ...] = ()
    text: str = ""
    how: str = ""
    remote: bool = False


def base(name: str) -> str:
    """Return a program's name without its folder."""
    bare = name.rpartition("/")[2]
    lower = bare.lower()
    return _CMDLETS.get(lower, lower.removesuffix(".exe") if lower.endswith(".exe") else bare) or name


def unwrap(argv: Sequence[str]) -> list[Inner]:
    """Return what a command starts in its turn; nothing for one that starts nothing."""
    if not argv:
        return []
    name, args = base(argv[0]), list(argv[1:])
    if name in SHELLS or (name in ("su", "runuser", "watch", "parallel") and "-c" in args):
        return _shell(name, args)
    if name in _TEXT_OPTIONS and (texts := _texts(name, args)):
        return [Inner(text=text, how=name) for text in texts]
    if name == "parallel":
        return _parallel(_after_options(name, args))
    if name == "eval":
        return [Inner(text=" ".join(args), how=name)]
    if name.lower() == "cmd":
        at = next((at for at, arg in enumerate(args) if re.match(r"/[ckCK]", arg)), len(args))
        text = " ".join((*filter(None, (arg[2:] for arg in args[at : at + 1])), *args[at + 1 :]))
        return [Inner(text=text, how="cmd")] if text else []
    if name.lower() == "forfiles":
        below = next((after for was, after in pairwise(args) if was.lower() == "/p"), ".")
        texts = [after for was, after in pairwise(args) if was.lower() == "/c"][:1]
        return [Inner(text=text.replace("@path", f"{below}*"), how="forfiles") for text in texts]
    if name.lower() in ("powershell", "pwsh"):
        return _powershell(args)
    if name.lower() in ("call", "start", "start-process", "saps", "wsl", "pcalua"):
        rest = [arg for arg in args if arg and not re.fullmatch(r"/\w+|-\w+", arg)]
        return [Inner(tuple(rest), how=name)] if rest else []
    if name == "trap" and args:
        return [Inner(text=args[0], how=name)]
    if name == "alias":
        return [Inner(text=arg.partition("=")[2], how=name) for arg in args if "=" in arg]
    if name in ("find", "fd", "fdfind"):
        return _found(args)
    if name == "ssh":
        return _remote(args, "pilFoSJWbcDeELmRQw")
    if name in ("docker", "podman", "nerdctl") and any(arg in ("run", "exec") for arg in args[:2]):
        return _contained(args)
    if name == "kubectl" and "--" in args:
        return [Inner(tuple(args[args.index("--") + 1 :]), how=name, remote=True)]
    if name in ("vim", "vi", "nvim", "ex", "view", "ed", "less", "more", "man") or name == "gdb":
        return [Inner(text=found[1], how=name) for arg in args if (found := re.search(r":?!\s*(.+)", arg))]
    if name == "tar" and any("action=exec=" in arg for arg in args):
        return [Inner(text=arg.partition("exec=")[2], how=name) for arg in args if "action=exec=" in arg]
    if name in ("make", "git", "rsync", "env") and (given := _programs_of(name, args)):
        return given
    if re.match(r"(python|pypy)[\d.]*$", name) and args[:2] == ["-m", "pip"]:
        return [Inner(tuple(args[1:]), how="module")]
    if name in ("tmux", "screen"):
        return _detached(name, args)
    if name == "watch":
        return [Inner(text=" ".join(_after_options(name, args)), how=name)]
    if name in _ESCAPES:
        return [Inner(text=found, how=name) for arg in args for found in _ESCAPE.findall(arg)]
    if re.fullmatch(r"ld(-linux[\w-]*|-musl[\w-]*)?\.so[\d.]*", name) and args:
        return [Inner(tuple(_after(args, "")), how=name)]
    if name in _RUNNERS:
        return _run_by(name, args)
    if name in _WITH_VALUE:
        rest = _after_options(name, args)
        return [Inner(tuple(rest), how=name)] if rest else []
    return []


_TEXT_OPTIONS = {
    "script": r"-[a-zA-Z]*c|--command",
    "flock": r"-c|--command",
    "su": r"-[a-zA-Z]*c|--command|--session-command",
    "runuser": r"-[a-zA-Z]*c|--command",
    "ansible": r"-a|--args",
    "tar": r"-I|--use-compress-program|--to-command",
    "make": r"--eval",
    "expect": r"-c",
    "gdb": r"-i?ex|--eval-command",
    "emacs": r"--eval|--execute",
}
"""Options behind which a text stands that a shell gets, or that names what is run."""
_SAYS_RUN = re.compile(
    r"^\s*(spawn|exec|shell|system|!)\s*|^\(\S*shell-command\S*\s+\"|\"\)\s*$|^[\w.-]+:+\s*;"
)


_ESCAPES = names("psql mysql mariadb sqlite3 sqlite duckdb ftp lftp sftp telnet gnuplot irb gs")
_ESCAPE = re.compile(r"(?:^|[\n;])\s*(?:\\!|\.shell|\.system|\bsystem|!)\s*([^\n]+)")
"""How clients start a shell from within."""
_RUNNERS = {
    **dict.fromkeys(("poetry", "pipenv", "pdm", "hatch", "rye", "pixi", "conda", "mamba", "pipx"), ("run",)),
    **dict.fromkeys(
        ("bundle", "pnpm", "npm", "yarn", "mise", "rbenv", "pyenv", "asdf", "direnv", "opam"),
        ("exec", "x", "dlx"),
    ),
    **dict.fromkeys(
        (
            "npx",
            "bunx",
            "pnpx",
            "uvx",
            "dotenv",
            "dotenvx",
            "foreman",
            "honcho",
            "aws-vault",
            "firejail",
            "rlwrap",
        ),
        (),
    ),
}
"""Programs that run another of a project, with the word that stands before it."""


def _run_by(name: str, args: list[str]) -> list[Inner]:
    words = _RUNNERS[name]
    if name == "npm" and args[:2] in (["pkg", "set"], ["set-script"]):
        return [Inner(text=arg.partition("=")[2], how=name) for arg in args[2:] if "=" in arg]
    if words and (not args or args[0] not in words):
        return []
    rest = args[1:] if words else args
    texts = [rest[at + 1] for at, arg in enumerate(rest[:-1]) if arg in ("-c", "--call", "--shell-cmd")]
    if texts:
        return [Inner(text=text, how=name) for text in texts]
    rest = _after(rest, "pnw", ("--package", "--with", "--from", "--env-file"))
    rest = rest[1:] if name == "direnv" else rest
    return [Inner(tuple(rest), how=name)] if rest else []


def _texts(name: str, args: list[str]) -> list[str]:
    option = re.compile(_TEXT_OPTIONS[name])
    found = [args[at + 1] for at, arg in enumerate(args[:-1]) if option.fullmatch(arg)]
    found += [arg.partition("=")[2] for arg in args if "=" in arg and option.fullmatch(arg.partition("=")[0])]
    return [_SAYS_RUN.sub("", text) for text in found]


def _powershell(args: list[str]) -> list[Inner]:
    """Return the text that PowerShell is given: behind the option for it, or what is no option."""
    for at, arg in enumerate(args[:-1]):
        if re.fullmatch(r"-c\w*", arg, re.IGNORECASE):
            return [Inner(text=" ".join(args[at + 1 :]), how="powershell")]
    rest = _after(args, "", _POWERSHELL_VALUED)
    return [Inner(text=" ".join(rest), how="powershell")] if rest and "-" in rest[0][1:] else []


_POWERSHELL_VALUED = tuple(
    form
    for option in (
        "ExecutionPolicy",
        "ep",
        "WindowStyle",
        "w",
        "Version",
        "File",
        "f",
        "EncodedCommand",
        "enc",
    )
    for form in (f"-{option}", f"-{option.lower()}")
)


def _parallel(args: list[str]) -> list[Inner]:
    at = next((at for at, arg in enumerate(args) if arg.startswith(":::")), len(args))
    text, given = " ".join(args[:at]), " ".join(arg for arg in args[at:] if not arg.startswith(":::"))
    if not text:
        return []
    return [Inner(text=text.replace("{}", given) if "{}" in text else f"{text} {given}", how="parallel")]


def _detached(name: str, args: list[str]) -> list[Inner]:
    """Return what a terminal that stays behind starts."""
    if name == "screen":
        rest = _after(args, "SctTLphe")
        return [Inner(tuple(rest), how=name)] if rest else []
    verb = next((at for at, arg in enumerate(args) if arg.partition("-")[0] in _OPENS_WINDOWS), None)
    rest = _after(args[verb + 1 :], "tcnsxyeF") if verb is not None else []
    return [Inner(text=" ".join(rest), how=name), Inner(tuple(rest), how=name)] if rest else []


_OPENS_WINDOWS = frozenset({"new", "neww", "split", "splitw", "respawn", "run", "send"})


def _shell(name: str, args: list[str]) -> list[Inner]:
    for at, arg in enumerate(args):
        if arg in ("-c", "--command") or (re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", arg) and name in SHELLS):
            return [Inner(tuple(args[at + 2 :]), args[at + 1], name)] if at + 1 < len(args) else []
        if not arg.startswith("-") and name in SHELLS:
            return []
    return []


def _found(args: list[str]) -> list[Inner]:
    made, at = [], 0
    while at < len(args):
        start = at = at + 1
        if args[start - 1] in ("-exec", "-execdir", "-ok", "-okdir", "-x", "-X"):
            while at < len(args) and args[at] not in (";", "+", "\\;"):
                at += 1
            made.append(Inner(tuple(args[start:at]), how="find"))
    return made


def _remote(args: list[str], valued: str) -> list[Inner]:
    rest = _after(args, valued)
    return [Inner(text=" ".join(rest[1:]), how="ssh", remote=True)] if len(rest) > 1 else []


def _contained(args: list[str]) -> list[Inner]:
    """Return what runs in a container: what follows the image, or the container's name."""
    start = next(at for at, arg in enumerate(args) if arg in ("run", "exec"))
    rest = _after(
        args[start + 1 :], "vepuwhlm", ("--name", "--env", "--volume", "--mount", "--network", "--user")
    )
    return [Inner(tuple(rest[1:]), how="container", remote=True)] if len(rest) > 1 else []


def _programs_of(name: str, args: list[str]) -> list[Inner]:
    if name == "env":
        for at, arg in enumerate(args):
            if arg in ("-S", "--split-string"):
                return [Inner(text=" ".join(args[at + 1 :]), how=name)]
            if found := re.match(r"--split-string=|-[0iv]*S(?=.)", arg):
                return [Inner(text=" ".join((arg[found.end() :], *args[at + 1 :])), how=name)]
        return []
    if name == "git" and args[:2] == ["bisect", "run"]:
        return [Inner(tuple(args[2:]), how="git")]
    if name == "git" and args[:2] == ["submodule", "foreach"]:
        return [Inner(text=" ".join(args[2:]), how="git")]
    if name == "git" and args[:1] == ["rebase"]:
        texts = [args[at + 1] for at, arg in enumerate(args[:-1]) if arg in ("-x", "--exec")]
        return [
            Inner(text=text, how=name)
            for text in texts + [arg[7:] for arg in args if arg.startswith("--exec=")]
        ]
    if name == "rsync":
        return [
            Inner(text=args[at + 1], how=name) for at, arg in enumerate(args[:-1]) if arg in ("-e", "--rsh")
        ]
    if name == "make":
        return [
            Inner(text=arg.partition("=")[2], how=name) for arg in args if arg.startswith(("SHELL=", "CC="))
        ]
    return []


def _after_options(name: str, args: list[str]) -> list[str]:
    rest = _after(args, _WITH_VALUE[name])
    while name in ("env", "sudo", "doas") and rest and re.match(r"[A-Za-z_]\w*=", rest[0]):
        rest = rest[1:]
    if name == "uv":
        return rest[1:] if rest[:1] == ["run"] else []
    return rest[_POSITIONAL.get(name, 0) :]


def _after(args: list[str], valued: str, long_valued: Sequence[str] = ()) -> list[str]:
    """Return what follows the options; ``valued`` are the letters that take the next word."""
    at = 0
    while at < len(args) and args[at].startswith("-") and args[at] != "-":
        if args[at] == "--":
            return args[at + 1 :]
        takes = (len(args[at]) == 2 and args[at][1] in valued) or args[at] in long_valued
        at += 2 if takes else 1
    return args[at:]
