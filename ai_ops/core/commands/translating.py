"""Text for cmd and PowerShell, written as a shell would have it: the rules for shells then hold for both."""

from __future__ import annotations

import re
from typing import Final

from ai_ops.core.commands.reading import MOST_CHARACTERS

_VARIABLES: Final = {
    "userprofile": "~",
    "homepath": "~",
    "home": "~",
    "systemroot": "C:/Windows",
    "windir": "C:/Windows",
    "systemdrive": "C:",
    "homedrive": "C:",
    "programfiles": "C:/Program Files",
    "programdata": "C:/ProgramData",
    "allusersprofile": "C:/ProgramData",
    "public": "C:/Users/Public",
    "appdata": "~/AppData/Roaming",
    "localappdata": "~/AppData/Local",
    "temp": "/tmp",  # noqa: S108
    "tmp": "/tmp",  # noqa: S108
    "comspec": "cmd",
}
"""What Windows sets for everybody, as far as a rule asks for it."""
_LONGEST_VALUE: Final = 200  # of a variable: used often, a long one would make a text without end
_PROFILE: Final = "~/Documents/PowerShell/Microsoft.PowerShell_profile.ps1"
_CMDLET: Final = (
    r"\b(?:Get|Set|New|Add|Remove|Clear|Stop|Start|Restart|Register|Unregister|Invoke|Enable|Disable|Copy|Move"
    r"|Rename|Out|Format|Initialize|Import|Export|Install|Uninstall|Mount|Dismount|Select|Where|ForEach|Test"
    r"|Write|Reset|Suspend|Save|Update|Grant|Revoke|Expand|Compress|Limit)-[A-Z][A-Za-z]+"
)
_MARKS = re.compile(
    rf"\b[A-Z]:\\|[%!](?:{'|'.join(_VARIABLES)})[%!]|\$\{{?env:\w|\$PROFILE\b|{_CMDLET}|\bHK(?:LM|CU|CR|U)\b"
    r"|\bcmd(?:\.exe)?\s+/[a-z]|\b(?:powershell|pwsh|iex|iwr|irm|gci)\b|\]::\w"
    r"|\bset[ \t]{1,9}\w{1,64}=[^&\n]{0,200}&"
    r"|[A-Za-z]\^[A-Za-z]{1,20}\^[A-Za-z]",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"(?<=[A-Za-z])[\^`](?=[A-Za-z])|\^(?=[&|<>^])")
_NAMED = re.compile(r"[%!](\w+)[%!]|\$\{env:(\w+)\}|\$env:(\w+)", re.IGNORECASE)
_SET = re.compile(r"\bset\s+\"?(\w+)=([^&|\n\"]*)", re.IGNORECASE)
_ASSIGNS = re.compile(r"(^|[;{\n])[ \t]*\$(\w+)[ \t]*=[ \t]*", re.MULTILINE)
_SLASH = re.compile(r"\\(?!['`\n$])(?!\"[^\s)])")
_CLIENT = r"\(\s*New-Object\s+(?:System\.)?Net\.WebClient\s*\)\s*\."
_METHODS: Final = (
    (re.compile(rf"{_CLIENT}Download(?:String|Data)\w*\(", re.IGNORECASE), "$(curl "),
    (
        re.compile(
            rf"{_CLIENT}DownloadFile\w*\(\s*('[^'\n]*'|\"[^\"\n]*\")\s*,\s*('[^'\n]*'|\"[^\"\n]*\")\s*\)",
            re.IGNORECASE,
        ),
        r"curl \1 -o \2 ",
    ),
    (re.compile(rf"{_CLIENT}Upload\w+\(", re.IGNORECASE), "curl -T "),
    (
        re.compile(r"\[(?:System\.)?IO\.(?:Directory|File)\]::Delete\(", re.IGNORECASE),
        "Remove-Item -Recurse ",
    ),
    (re.compile(r"\[(?:System\.)?IO\.File\]::(?:Write|Append)\w+\(", re.IGNORECASE), "tee "),
    (re.compile(r"\[(?:System\.)?IO\.File\]::Read\w+\(", re.IGNORECASE), "cat "),
    (re.compile(r"\[scriptblock\]::Create\(\s*\(?", re.IGNORECASE), "eval $("),
    (re.compile(r"\[(?:System\.)?Reflection\.Assembly\]::Load\w*\(", re.IGNORECASE), "eval $("),
    (re.compile(r"\|\s*(?:ForEach-Object|%|foreach)\s*(?:-Parallel\s*)?\{", re.IGNORECASE), "| "),
    (re.compile(r"\b(?:gci|Get-ChildItem|ls|dir)[ \t]+env:", re.IGNORECASE), "printenv "),
    (re.compile(r"((?:^|[&|;({\n\"'])[ \t]*)type[ \t]+(?=\S*[/.])", re.IGNORECASE), r"\1cat "),
    (re.compile(r"\s-Method\b", re.IGNORECASE), " -X"),
    (re.compile(r"\s-Body\s+\$_", re.IGNORECASE), " -d @-"),
    (re.compile(r"\s-OutFile\b", re.IGNORECASE), " -o"),
    (re.compile(r"\s-InFile\b", re.IGNORECASE), " -T"),
    (re.compile(r"\s-(?:Uri|Path|LiteralPath|FilePath)\b", re.IGNORECASE), " "),
)
"""What methods and options of PowerShell are to a shell."""
_INNER = re.compile(r"((?<![\w-])[\w-]+|[=|,])([ \t]*)\((?=\s*[A-Za-z$\[])")
_HEADS: Final = frozenset(
    {"if", "elseif", "while", "for", "foreach", "switch", "until", "catch", "param", "in", "do", "not"}
)


def is_windows(text: str) -> bool:
    """Whether a text may be one for cmd or PowerShell."""
    return bool(_MARKS.search(text[:MOST_CHARACTERS]))


def is_split(text: str) -> bool:
    """Whether words are cut by the marks that cmd and PowerShell take away again."""
    first = _SPLIT.search(text)
    return bool(first and _SPLIT.search(text, first.end()))


def translated(text: str) -> str:
    """Return a text for cmd or PowerShell as a shell would have it, at most twice as long as is read."""
    text = _SPLIT.sub("", text[:MOST_CHARACTERS])
    own = {name.lower(): value.strip()[:_LONGEST_VALUE] for name, value in _SET.findall(text)}
    text = _NAMED.sub(lambda found: _value(found, own), text)[: 2 * MOST_CHARACTERS]
    text = re.sub(r"\$PROFILE\b(\.\w+)?", _PROFILE, text, flags=re.IGNORECASE)
    text = _SLASH.sub("/", text)
    for pattern, shell in _METHODS:
        text = pattern.sub(shell, text)
    text = _ASSIGNS.sub(r"\1 ", text)
    text = _INNER.sub(_substituted, text)
    return re.sub(r"(?<!\$)[{}]", " ; ", text)


def _value(found: re.Match[str], own: dict[str, str]) -> str:
    name = (found[1] or found[2] or found[3]).lower()
    return own.get(name, _VARIABLES.get(name, found[0].replace("$env:", "$")))


def _substituted(found: re.Match[str]) -> str:
    """Return what stands before a bracket with the bracket of a substitution, but for the heads of blocks."""
    word, blanks = found[1], found[2]
    if word.lower() in _HEADS or not (blanks or word == "="):
        return found[0]
    return f"{word} $("
