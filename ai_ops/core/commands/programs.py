"""Rules for code in other languages on a command line: ``python -c``, ``perl -e`` and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.disguises import is_open_text
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import (
    is_credential,
    is_secret_file,
    is_system,
    is_vital,
    placed,
    written_rule,
)
from ai_ops.core.commands.stores import LOST

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
    "luajit": ("-e",),
    "ts-node": ("-e", "-p"),
    "tsx": ("-e",),
    "pypy": ("-c",),
    "ipython": ("-c",),
    "elixir": ("-e",),
    "erl": ("-eval",),
    "raku": ("-e",),
    "guile": ("-c",),
    "sbcl": ("--eval",),
    "racket": ("-e",),
    "scala": ("-e",),
    "clojure": ("-e",),
    "bb": ("-e",),
    "crystal": ("eval",),
    "swift": ("-e",),
    "octave": ("--eval",),
    "gnuplot": ("-e",),
    "jrunscript": ("-e",),
    "jjs": ("-c", "-e"),
    "gjs": ("-c",),
    "qjs": ("-e",),
    "irb": (),
    "ghc": ("-e",),
    "pry": ("-e",),
    "rails": ("runner",),
    "jshell": (),
}
COMPILES = frozenset({"go", "gcc", "cc", "clang", "tcc", "rustc", "java", "kotlinc", "csc", "dotnet-script"})
"""Programs that are given the source of one."""
_READS_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`")
_JOINED = re.compile(r"(['\"])\s*[+.]\s*\1|(['\"])\s+\2")
_RUNS = re.compile(
    r"os\.(system|popen|exec|spawn)|subprocess|\bsystem\b|\bexec\w*\b|child_process|\bpopen\b"
    r"|shell_exec|passthru|`|%x|spawn|getoutput|\|\s*getline|\|&?\s*\"|shell-command|"
    r"commands\.|pty\.spawn|do shell script|Start-Process|Invoke-Expression|\brun\(",
    re.IGNORECASE,
)
_DELETES = re.compile(
    r"rmtree|rm_rf|rmSync|rmdirSync|unlink|remove_tree|removedirs|Remove-Item|remove_dir_all|fs\.rm\b"
    r"|Deno\.remove|rimraf|deltree|File\.delete|FileUtils\.(rm|remove)\w*|os\.remove|emptyDir|del_dir_r"
    r"|removeSync|RemoveAll|\brm\(\s*['\"]|Directory\.Delete"
)
_SOCKET = re.compile(
    r"socket|start_server|TCPSocket|fsockopen|net\.connect|createConnection|Net\.Sockets|net\.Dial|TcpStream|require\(.(net"
    r"|socket).\)|io\.popen",
    re.IGNORECASE,
)
_A_SHELL = re.compile(
    r"['\"`](/\S*/)?(ba|z|da|k)?sh[\s'\"`]|/bin/(ba)?sh|`(ba)?sh\b|spawn\(.(ba)?sh|[\[(,]\s*['\"](ba|z|da|k)?sh['\"]|`#\{|dup2"
    r"|pty\.spawn|cmd\.exe|exec\b",
    re.IGNORECASE,
)
_CONNECTS = re.compile(
    r"create_connection|TCPSocket|fsockopen|stream_socket_client|createConnection"
    r"|net\.Dial|TcpStream|TCPClient|\bSocket\.tcp\(|open_connection"
    r"|IO::Socket::\w+\s*->\s*new|new IO::Socket::\w+",
    re.IGNORECASE,
)
_CONNECTS_PLAINLY = re.compile(r"\bconnect\(|connect\s{0,3}\(?\w{0,20},", re.IGNORECASE)
_OF_SOCKETS = re.compile(r"socket|\bnet\b|\bTCP|IO::Socket", re.IGNORECASE)
"""Without one of these what connects is a database or a signal."""
_RECEIVES = re.compile(
    r"\b(gets|recv\w*|read\w*|receive|fgets|fread|scan\w*)\b|\bon\(\s{0,3}['\"]data|<\$?\w{0,20}>",
    re.IGNORECASE,
)
_RUNS_RECEIVED = re.compile(
    r"\bpopen|\bsystem\b|\bexec(v\w{0,2}|l\w{0,2}|Sync|File|FileSync)?\(|\beval\b|spawn|check_output|getoutput|\bcapture[23e]*\b|`#|%x|shell_exec"
    r"|passthru|exec\.Command|process::Command|subprocess\.(run|Popen|call)|Invoke-Expression|\biex\b",
    re.IGNORECASE,
)
_FETCHES = re.compile(
    r"urlopen|urlretrieve|requests\.get|httpx|LWP|Net::HTTP|open-uri|URI\.open|https?\W{0,3}\.get|axios"
    r"|\bget\(?\s*['\"]https?:|fetch\(|DownloadString|file_get_contents\(.https?",
    re.IGNORECASE,
)
_EVALUATES = re.compile(
    r"\b(exec|eval|IEX|compile|instance_eval|Function|vm\.run\w*|loadstring|assert)\b", re.IGNORECASE
)
_RUNS_INPUT = re.compile(
    r"\b(exec|eval|(?<!re\.)compile|system|subprocess|popen|spawn\w*|pty|pickle|marshal|shelve|dill|child_process|instance_eval"
    r"|Function|vm|import_module|__import__|loadstring|unserialize|assert|passthru|shell_exec|proc_open|qx)\b"
    r"|exec\w*\(|yaml\.(unsafe_|full_)?load|getattr|`|%x|/e\w*(\s|;|$)|ARGV|\bsend\b|Kernel|\bopen\b[^)\n]{0,60}\||require\(\s*[^'\"\s]",
    re.IGNORECASE,
)
"""What may have code run what it reads, or more than reading and printing."""
_DECODES = re.compile(
    r"b64decode|base64|fromhex|unhexlify|codecs\.decode|decode\(|zlib\.decompress|marshal\.loads"
    r"|pickle\.loads|\bchr\b|fromCharCode|atob|unpack|\bpack\b|rot.?13|Buffer\.from",
    re.IGNORECASE,
)
_SENDS = re.compile(
    r"requests\.(post|put)|urlopen|http\.request|fetch\(|axios|POST|sendall|smtplib|ftplib|(\."
    r"|->)post\(",
    re.IGNORECASE,
)
_SECRETS = re.compile(
    r"os\.environ|process\.env|ENV\b|%ENV|getenv|\.ssh|\.aws|/etc/passwd|\.env\b|`(env|printenv|cat )"
)
_ASKS_NAMES = re.compile(r"dns\.resolver|gethostbyname|getaddrinfo|dnspython|dns\.lookup")
_TELLS = re.compile(
    r"keyring\.get_|CryptUnprotectData|win32crypt|secretstorage|browser_cookie3|get_frozen_credentials|\bpwd\.getpwall"
    r"|spwd\.get"
)
_CERTIFICATE = re.compile(r"\.(pem|crt|p12|pfx|key)$")
_LOOPS = re.compile(r"\b(while|for|until|loop)\b")
_HOME = re.compile(
    r"Path\.home\(\)|homedir\(\)|Dir\.home|(ENV|ENVIRON|environ|env)(\.(get|fetch))?\W{1,3}HOME|getenv\(.HOME"
)
_GIVEN_HOME = re.compile(rf"['\"]\s*,[^;\n]{{0,60}}?({_HOME.pattern})")
_AT_HOME = re.compile(rf"{_HOME.pattern}|expanduser|%HOME|\$HOME")
_DELETES_HOME = re.compile(rf"({_DELETES.pattern})[^;\n]{{0,40}}({_HOME.pattern})")
_STRICT_DECODES = (
    r"b64decode|base64_decode|decode64|decode_base64|fromhex|unhexlify|rot.?13|fromCharCode|atob|pack\("
    r"|unpack1?\("
    r"|Buffer\.from|hex2bin|decompress|marshal\.loads|chr\(|\[::-1\]|reverse|str_rot13|gzinflate|unescape\("
)
_RUNS_DECODED = re.compile(
    rf"(os\.system|popen|\bexec\w*|\brun|check_output|check_call|\bcall|\beval|\bsystem|passthru|shell_exec|proc_open|spawn\w*)\b[^;\n]{{0,60}}({_STRICT_DECODES})"
    rf"|({_STRICT_DECODES})[^\n]{{0,200}}(os\.system|popen|exec\w*|subprocess\.\w+|\bsystem|eval)\s*\("
)
_KEEPS = re.compile(r"urlretrieve|\bwrite\w*\(|store|pipe\(")
_STARTS_IT = re.compile(
    r"run_path|run_module|exec_module|import_module|os\.system|subprocess|popen|exec\w*\(|chmod"
    r"|spawn|system\("
)
_WHOLE_ENVIRONMENT = re.compile(
    r"os\.environ\b(?!\s*[\[.])|process\.env\b(?!\s*[\[.])|%ENV|\bENV\.to_|getenv\(\)|\$_ENV"
    r"|\$_SERVER\b(?!\[)"
)
_LARGE = re.compile(
    r"\*\s*\(?\s*(10\s*\*\*\s*(1\d|[2-9]\d)|1\s*<<\s*(3[4-9]|[4-9]\d)|2\s*\*\*\s*(3[4-9]|[4-9]\d)|\d{11,}"
    r"|1e1\d)|\(\s*(10\*\*1[1-9]|1<<(3[5-9]|[4-9]\d))\s*\)"
)
_FOREVER = re.compile(
    r"while\s*\(?\s*(True|1|true|!0|!\$x)\s*\)?\s*[:{;$a-z(]|for\s*\(\s*;\s*;\s*\)|\bloop\s*(do\b|\{)"
    r"|\bwhile\s+(1|true)\s*(;|$)|for \w+ in (itertools\.)?(count|repeat|cycle)\("
)
_GROWS = re.compile(
    r"append|\+=|\[\s*\$?\w+\+\+\s*\]\s*=|\bpush\b|\[\]\s*=|<<|fork|spawn|Thread|Process\(|Popen|open\(|write|print|mkdir|malloc"
    r"|alloc|system\(|exec|socket",
    re.I,
)
_PAUSES = re.compile(r"sleep|break|recv|accept|input\(|readline|exit|return|await|wait", re.I)


def _grows(code: str) -> bool:
    """Whether code makes something of a vast size, or more and more without an end."""
    return bool(_LARGE.search(code)) or bool(
        _FOREVER.search(code) and _GROWS.search(code) and not _PAUSES.search(code)
    )


def _is_private(path: str) -> bool:
    """Whether a path holds what is not to leave; a certificate is needed to connect."""
    return is_credential(path) or (is_secret_file(path) and not _CERTIFICATE.search(path))


_ARGUMENTS = re.compile(r"\bARGV\b|\bargv\b|\$@|\$argv")


def passed_on(call: Call) -> tuple[str, ...]:
    """Return the argv that code starts when it starts its own arguments."""
    code = code_of(call)
    if not (code and _ARGUMENTS.search(code) and _RUNS.search(code)):
        return ()
    return call.args[call.args.index(code) + 1 :] if code in call.args else ()


def runs_received(code: str) -> bool:
    """Whether code may run what it reads: whatever does more than to read, to change and to print."""
    return bool(_RUNS_INPUT.search(code) or _STARTS_IT.search(code) or _RUNS_DECODED.search(code))


def with_code(name: str, code: str) -> Call | None:
    """Return the call of an interpreter on code; None where it is a shell, or none that is known."""
    if name in COMPILES:
        return Call(name, ("-",), given=code)
    options = _OPTIONS.get(re.sub(r"[\d.]+$", "", name), ())
    return Call(name, (options[0], code)) if options else None


def code_of(call: Call) -> str:
    """Return the code that an interpreter is given, in an argument or by what it reads; empty for none."""
    name = re.sub(r"[\d.]+$", "", call.name)
    if name in COMPILES:
        return (call.given or "") if _READS_INPUT & set(call.plain) or not call.plain[1:] else ""
    if name not in _OPTIONS:
        return ""
    if name in ("awk", "gawk", "mawk"):
        return next(iter(call.plain), "")
    for option in _OPTIONS[name]:
        if found := _value(call, option):
            return found
    if name == "php" and (found := call.value("--execute", "--code")):
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
    if _HOME.search(code):
        yield from (f"{text}~" for text in texts if text.endswith(" "))
    if _GIVEN_HOME.search(code):
        yield " ".join((*texts, "~"))
    if len(texts) > 1:
        yield " ".join(texts)


_STARTED = names("PAGER MANPAGER EDITOR VISUAL BROWSER PROMPT_COMMAND LESSOPEN SUDO_ASKPASS SSH_ASKPASS")
"""Variables whose value others start as a program."""


def started_texts(call: Call) -> Iterator[str]:
    """Yield what a command lets others start: values of variables, and lines for programs that take them."""
    yield from (value for name, value in call.sets() if name in _STARTED)
    if call.name in ("tclsh", "ed", "ex", "gdb", "ftp") and call.given:
        yield from re.findall(r"^\s*(?:!|exec\s|shell\s)\s*(.+)", call.given, re.MULTILINE)


_WRITES = re.compile(
    r"write_text|write_bytes|\bopen(\(|\s+\w+\s*,)|writeFile|appendFile|File\.write|fopen|copyfile"
    r"|shutil\.(copy|move)|os\.(replace|rename|symlink|link)"
)


_GIVES_RIGHTS = re.compile(r"\bl?ch(?:mod|own)\w*\b[^;\n]{0,80}?['\"](/[^'\"\n]*)")
_RAISES = re.compile(r"\bl?chmod\w*\b[^;\n]{0,80}(\b0?o?[2467][0-7]{3}\b|S_IS[UG]ID|[ug]\+s)", re.IGNORECASE)
_KILLS_ALL = re.compile(
    r"\bkill(pg)?\b[^;\n]{0,40}?[\s(,]-1\b|\bkill\(\s*1\s*,"
    r"|\bprocess_iter\((?![^\n]{0,200}\bif\b)[^\n]{0,200}\.(kill|terminate)\("
)


def _connects(code: str) -> bool:
    """Whether code opens a connection of its own."""
    if _CONNECTS.search(code):
        return True
    return bool(_CONNECTS_PLAINLY.search(code) and _OF_SOCKETS.search(code))


def programs(call: Call) -> Iterator[str]:
    """Find what code on a command line does."""
    code = _JOINED.sub("", code_of(call))
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
    if _DELETES.search(code) and (
        any(is_vital(placed(text, ".")) for text in texts + re.findall(r"\s([A-Z]:\S*|/\S*)", code))
        or _DELETES_HOME.search(code)
    ):
        yield "destructive_delete"
    if (
        "pty.spawn" in code
        or (_SOCKET.search(code) and _A_SHELL.search(code))
        or (_connects(code) and _RECEIVES.search(code) and _RUNS_RECEIVED.search(code))
    ):
        yield "reverse_shell"
    if _FETCHES.search(call.text) and (
        _EVALUATES.search(code) or (_KEEPS.search(code) and _STARTS_IT.search(code))
    ):
        yield "remote_code"
    elif (_DECODES.search(code) and _EVALUATES.search(code)) or _RUNS_DECODED.search(code):
        yield "obfuscated"
    if (_SENDS.search(code) and _SECRETS.search(code) and re.search(r"http|smtp|ftp|sendall", code)) or (
        (_FETCHES.search(code) or _connects(code) or _ASKS_NAMES.search(code))
        and (_WHOLE_ENVIRONMENT.search(code) or any(map(_is_private, texts)))
    ):
        yield "exfiltration"
    if any(map(is_credential, texts)) or _TELLS.search(code):
        yield "credential_read"
    if _WRITES.search(code) and re.search(
        r"write|append|copy|move|replace|rename|link|['\"]\s*\+?>|['\"][wax]\+?b?['\"]", code
    ):
        yield from filter(
            None, (written_rule(placed(text, ".")) for text in texts if text.startswith(("/", "~")))
        )
        if _AT_HOME.search(code):
            yield from filter(None, (written_rule(f"~/{text.lstrip('/')}") for text in texts))
    if (_LOOPS.search(code) and "fork" in code) or _grows(code):
        yield "resource_exhaustion"
    if re.search(r"(execute|query|raw|sql|run|exec)\w*\(", code) and LOST.search(code.rstrip("\"') ;")):
        yield "database_loss"
    if (
        re.search(r"\bset(e?uid|e?gid|reuid|resuid)\(?\s*0", code)
        or _RAISES.search(code)
        or any(map(is_system, _GIVES_RIGHTS.findall(code)))
    ):
        yield "privilege"
    if _KILLS_ALL.search(code):
        yield "machine_stop"
    if re.search(
        r"getattr\(|__builtins__|globals\(\)\[|__import__\(\s*([^'\"]|.(os|subprocess|pty|socket|base64|builtins|shutil|codecs|zlib|ctypes)\b)",
        code,
    ) and _RUNS.search(code):
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
    "cargo": r"rustc-(workspace-)?wrapper|\.(linker|runner)\b",
    "npm": r"--script-shell|--node-options",
    "wget": r"--use-askpass",
    "gcc": r"-wrapper",
    "go": r"-(toolexec|exec)\b",
    "mutt": r"-e .*!",
}


def options(call: Call) -> Iterator[str]:
    """Find options with which a harmless program starts another."""
    pattern = _STARTS.get(call.name)
    code = code_of(call)
    if (is_open_text(code) and "awk" not in call.name) or re.fullmatch(r"\$\(.*\)", code):
        yield "hidden_command"
    if pattern and re.search(pattern, " ".join(call.args)):
        yield "hidden_command"
    if any(
        name in ("BASH_ENV", "ENV", "PYTHONSTARTUP", "PERL5OPT", "NODE_OPTIONS", "RUBYOPT")
        and re.search(r"^[~./$]|-r\b|--require|-M", value)
        for name, value in call.sets()
    ):
        yield "hidden_command"
