"""Rules for code in other languages on a command line: ``python -c``, ``perl -e`` and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.places import is_credential, is_vital, placed, written_rule

_OPTIONS = {
    "python": ("-c",),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "node": ("-e", "--eval", "-p", "--print"),
    "nodejs": ("-e", "--eval", "-p"),
    "php": ("-r",),
    "lua": ("-e",),
    "deno": ("eval",),
    "bun": ("-e",),
    "osascript": ("-e",),
    "powershell": ("-c", "-Command", "-command"),
    "pwsh": ("-c", "-Command", "-command"),
    "Rscript": ("-e",),
    "julia": ("-e",),
    "groovy": ("-e",),
    "awk": (),
    "gawk": (),
    "mawk": (),
    "tclsh": (),
    "ed": (),
}
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`")
_JOINED = re.compile(r"(['\"])\s*[+.]\s*\1|(['\"])\s+\2")
_RUNS = re.compile(
    r"os\.(system|popen|exec|spawn)|subprocess|\bsystem\b|\bexec\w*\b|child_process|\bpopen\b"
    r"|shell_exec|passthru|`|%x|spawn|getoutput|\|\s*getline|\|&?\s*\"|shell-command|"
    r"commands\.|pty\.spawn|do shell script|Start-Process|Invoke-Expression|\brun\(",
    re.IGNORECASE,
)
_DELETES = re.compile(
    r"rmtree|rm_rf|rmSync|rmdirSync|unlink|remove_tree|removedirs|Remove-Item|remove_dir_all|fs\.rm\b|Deno\.remove|rimraf|deltree|File\.delete|delete_all"
)
_SOCKET = re.compile(
    r"socket|TCPSocket|fsockopen|net\.connect|createConnection|Net\.Sockets|require\(.(net|socket).\)|io\.popen",
    re.IGNORECASE,
)
_A_SHELL = re.compile(
    r"/bin/(ba)?sh|['\"](ba)?sh -i|`(ba)?sh\b|spawn\(.(ba)?sh|dup2|pty\.spawn|cmd\.exe|exec\b", re.IGNORECASE
)
_FETCHES = re.compile(
    r"urlopen|urlretrieve|requests\.get|httpx|LWP|Net::HTTP|open-uri|https?\.get|fetch\(|DownloadString|file_get_contents\(.https?",
    re.IGNORECASE,
)
_EVALUATES = re.compile(
    r"\b(exec|eval|IEX|compile|instance_eval|Function|vm\.run\w*|loadstring|assert)\b", re.IGNORECASE
)
_DECODES = re.compile(
    r"b64decode|base64|fromhex|unhexlify|codecs\.decode|decode\(|zlib\.decompress|marshal\.loads|pickle\.loads|chr\(|fromCharCode|atob|unpack|rot.?13|Buffer\.from",
    re.IGNORECASE,
)
_SENDS = re.compile(
    r"requests\.(post|put)|urlopen|http\.request|fetch\(|axios|POST|sendall|smtplib|\.post\(", re.IGNORECASE
)
_SECRETS = re.compile(r"os\.environ|process\.env|ENV\b|%ENV|getenv|\.ssh|\.aws|/etc/passwd|\.env\b")
_FORKS = re.compile(
    r"(while|for|until|loop)\b.*\bfork|\bfork\b.*\b(while|for|until)\b|fork\s*\(?\)?\s*while", re.DOTALL
)


def code_of(call: Call) -> str:
    """Return the code that an interpreter is given, in an argument or by what it reads; empty for none."""
    name = re.sub(r"[\d.]+$", "", call.name)
    if name not in _OPTIONS:
        return ""
    if name in ("awk", "gawk", "mawk"):
        return next(iter(call.plain), "")
    for option in _OPTIONS[name]:
        if found := _value(call, option):
            return found
    if name in ("powershell", "pwsh"):
        return " ".join(call.args)
    reads_input = not call.plain or call.plain[0] == "-"
    return (call.given or "") if reads_input else ""


def _value(call: Call, option: str) -> str:
    for at, arg in enumerate(call.args):
        if arg == option or (len(option) == 2 and re.fullmatch(rf"-[a-zA-Z]*{option[1]}", arg)):
            rest = call.args[at + 1 :]
            return " ".join(rest) if option.lower() in ("-command",) else (rest[0] if rest else "")
    return ""


def shell_texts(code: str) -> Iterator[str]:
    """Yield what code hands to a shell, as far as it stands there in words."""
    if not _RUNS.search(code):
        return
    whole = _JOINED.sub("", code)
    texts = [next(group for group in found.groups() if group is not None) for found in _TEXT.finditer(whole)]
    yield from (text.replace('\\"', '"') for text in texts)
    if len(texts) > 1:
        yield " ".join(texts)


_STARTED = frozenset(
    {
        "PAGER",
        "MANPAGER",
        "EDITOR",
        "VISUAL",
        "BROWSER",
        "PROMPT_COMMAND",
        "LESSOPEN",
        "SUDO_ASKPASS",
        "SSH_ASKPASS",
    }
)
"""Variables whose value others start as a program."""


def started_texts(call: Call) -> Iterator[str]:
    """Yield what a command lets others start: values of variables, and lines for programs that take them."""
    yield from (value for name, value in call.sets() if name in _STARTED)
    if call.name in ("tclsh", "ed", "ex", "gdb", "ftp") and call.given:
        yield from re.findall(r"^\s*(?:!|exec\s|shell\s)\s*(.+)", call.given, re.MULTILINE)


_WRITES = re.compile(
    r"write_text|write_bytes|\bopen\(|writeFile|appendFile|File\.write|fopen|copyfile|shutil\.(copy|move)|os\.(replace|rename|symlink|link)"
)


def programs(call: Call) -> Iterator[str]:
    """Find what code on a command line does."""
    code = code_of(call)
    if re.match(r"(powershell|pwsh)", call.name) and any(
        re.match(r"-e(nc|ncodedcommand)?$", arg, re.I) for arg in call.args
    ):
        yield "obfuscated"
    if not code:
        return
    texts = [
        next(group for group in found.groups() if group is not None)
        for found in _TEXT.finditer(_JOINED.sub("", code))
    ]
    if _DELETES.search(code) and any(
        is_vital(placed(text, ".")) for text in texts + re.findall(r"\s([A-Z]:\S*|/\S*)", code)
    ):
        yield "destructive_delete"
    if "pty.spawn" in code or (_SOCKET.search(code) and _A_SHELL.search(code)):
        yield "reverse_shell"
    if _FETCHES.search(code) and _EVALUATES.search(code):
        yield "remote_code"
    elif _DECODES.search(code) and _EVALUATES.search(code):
        yield "obfuscated"
    if _SENDS.search(code) and _SECRETS.search(code) and "http" in code:
        yield "exfiltration"
    if any(map(is_credential, texts)):
        yield "credential_read"
    if _WRITES.search(code) and re.search(
        r"write|append|copy|move|replace|rename|link|['\"][wax]\+?b?['\"]", code
    ):
        yield from filter(
            None, (written_rule(placed(text, ".")) for text in texts if text.startswith(("/", "~")))
        )
    if _FORKS.search(code):
        yield "resource_exhaustion"
    if re.search(r"\bset(e?uid|e?gid|reuid|resuid)\(?\s*0", code):
        yield "privilege"
    if re.search(r"getattr\(|__import__\(|__builtins__|globals\(\)\[", code) and _RUNS.search(code):
        yield "obfuscated"


_STARTS = {
    "tar": r"--checkpoint-action|--to-command|--use-compress-program|--rmt-command|--info-script",
    "zip": r"-TT|--unzip-command",
    "rsync": r"-e \S*sh\b|--rsh=\S*sh\b",
    "make": r"-f\s*(\$\(|-(\s|$)|/dev/)",
    "man": r"-P|--pager",
    "ssh": r"ProxyCommand|LocalCommand",
    "scp": r"ProxyCommand|-S ",
    "curl": r"--config \S*/dev/|-K ",
    "sed": r"(^|[;'\s])\d*e(\s|$)|/e\b",
    "ed": r"!",
    "wget": r"--use-askpass",
    "gcc": r"-wrapper",
    "go": r"-(toolexec|exec)\b",
    "mutt": r"-e .*!",
}


def options(call: Call) -> Iterator[str]:
    """Find options with which a harmless program starts another."""
    pattern = _STARTS.get(call.name)
    if pattern and re.search(pattern, " ".join(call.args)):
        yield "hidden_command"
    if any(
        name in ("BASH_ENV", "ENV", "PYTHONSTARTUP", "PERL5OPT", "NODE_OPTIONS", "RUBYOPT")
        and re.search(r"^[~./$]|-r\b|--require|-M", value)
        for name, value in call.sets()
    ):
        yield "hidden_command"
