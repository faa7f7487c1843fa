"""Rules for Windows: its programs and the cmdlets of PowerShell, by what their nouns and verbs change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import is_trace, is_vital, placed, written_rule

_REMOVERS = names("remove-item ri del erase rd rmdir rm clear-content clear-item")
_SHELL_TOO = frozenset({"rm", "rmdir"})
_WINDOWS_SWITCH = re.compile(r"-(recurse|force)|/[sq]$", re.IGNORECASE)
_LISTS = names("get-childitem gci dir ls")
_WRITERS = names("set-content add-content out-file new-item ni ac tee-object")
_FILTERS = re.compile(r"-(filter|include|directory)\b|\*\.\w|\*\w", re.IGNORECASE)
_SWITCH = re.compile(r"/[a-zA-Z?](:.*)?|-\w+")
_REGISTRY = re.compile(r"(^|::)HK(LM|CU|CR|U|EY_\w+)(:|/|\\|$)", re.IGNORECASE)

_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "net": (
        "privilege",
        r"(view|config|statistics|time|users?|localgroups?|groups?|share|use|start|session|file|accounts"
        r"|help)( [\w.\"' -]+)?",
    ),
    "net1": ("privilege", r"(users?|localgroups?|view)( [\w.-]+)?"),
    "netsh": ("system_write", r"(?:\S+ ){0,4}(show|dump)\b.*"),
    "schtasks": ("persistence", r"(/query|/run|/\?).*"),
    "wmic": ("system_write", r"(?:\S+ ){0,6}(get|list)\b.*"),
    "icacls": ("privilege", r"(?!.*/(grant|deny|reset|setowner|remove|inheritance|restore)).*"),
    "cacls": ("privilege", r"[^/]*"),
    "auditpol": ("defence_evasion", "/(get|list).*"),
    "bcdedit": ("system_write", "/(enum|v).*"),
    "vssadmin": ("destructive_delete", "list.*"),
    "wbadmin": ("destructive_delete", "get.*"),
    "fsutil": ("system_write", r"\w+ (query|info|list|drives|find)\w*.*"),
    "manage-bde": ("disk_write", "-status.*"),
    "dism": ("system_write", r"(?:\S+ ){0,4}/get-.*"),
    "setx": ("system_write", r"(?!)"),
    "takeown": ("privilege", "(?!)"),
    "reg": ("persistence", "(query|compare).*"),
    "diskshadow": ("destructive_delete", "(?!)"),
}
"""Programs of Windows with the rule for what they change and what they are asked when they look."""

_CHANGES = re.compile(
    r"(set|new|add|remove|clear|stop|suspend|restart|rename|reset|register|unregister|enable|disable|format"
    r"|initialize|resize|mount|dismount|install|uninstall|grant|revoke|limit|invoke|update|optimize|repair)-"
)
_NOUNS: Final = (
    ("disk_write", r"\w+-(disk|partition|volume|physicaldisk|storagepool|virtualdisk|vhd)"),
    ("privilege", r"\w+-(local(user|group|groupmember)|ad[a-z]+|acl|psremoting|wsmancredssp)"),
    (
        "persistence",
        r"(register|new|set|enable)-(scheduled(task|job)\w*|jobtrigger|wmi\w*|cim\w*|service|objectevent)"
        r"|register-\w+event",
    ),
    (
        "defence_evasion",
        r"\w+-(netfirewall\w*|mp\w+|executionpolicy|processmitigation|auditpolicy|bitlocker|"
        r"windowsdefender\w*)",
    ),
    ("trace_removal", r"(clear|limit|remove|stop)-(eventlog|winevent|history|transcript|recyclebin)"),
    ("machine_stop", r"(stop|restart|rename|reset|remove|suspend)-computer\w*"),
    ("destructive_delete", r"\w+-computerrestore\w*|\w+-wbbackup\w*"),
    (
        "system_write",
        r"(stop|remove|suspend|set)-service|(remove|invoke)-(wmi|cim)\w+|\w+-(windows(feature|optionalfeature|package|capability|driver)|"
        r"appxpackage|appxprovisionedpackage|net(adapter|ipaddress|ipinterface|route|connectionprofile)\w*"
        r"|dnsclient\w*|smb\w+|timezone|date|winsystemlocale)",
    ),
    (
        "infrastructure",
        r"(remove|stop|reset|disable|revoke|clear)-(az\w+|vm\w*|aks\w*|ec2\w*|s3\w*|rds\w*)|new-az(role|ad)\w+",
    ),
    (
        "attack_tool",
        r"invoke-(mimikatz|kerberoast|sharphound|bloodhound|powershelltcp\w*|reflectivepeinjection"
        r"|\w*shellcode\w*|wmi\w*exec|smbexec|portscan|ninjacopy|tokenmanipulation|dcsync)",
    ),
    (
        "credential_read",
        r"get-(vaultcredential|storedcredential|savedcredential\w*|gpppassword|lapsadpassword)",
    ),
)
"""What cmdlets change, by their verbs and nouns."""
_CMDLETS = tuple((rule, re.compile(pattern)) for rule, pattern in _NOUNS)
_TELLERS = names("cmdkey vaultcmd ntdsutil sekurlsa nanodump pypykatz rubeus sharpdpapi")
_CRITICAL = re.compile(r"\b(lsass|winlogon|csrss|svchost|services|wininit|msmpeng|\*)(\.exe)?(\s|$)", re.I)


def windows(call: Call) -> Iterator[str]:
    """Find what changes a machine with Windows, or reads what it keeps secret."""
    name, asked = call.name.lower(), " ".join(call.args)
    if re.search(r"(^|\s)(/\?|--help|-h|-\?)$", asked) or (name == "net" and not asked):
        return
    looks = _LOOKS.get(name)
    if looks and asked and not re.fullmatch(looks[1], asked, re.IGNORECASE | re.DOTALL):
        yield looks[0]
    if _CHANGES.match(name):
        yield from (rule for rule, pattern in _CMDLETS if pattern.fullmatch(name))
    elif name.startswith("get-"):
        yield from (rule for rule, pattern in _CMDLETS[-1:] if pattern.fullmatch(name))
    if name == "format" and re.search(r"\b[a-z]:", asked, re.IGNORECASE):
        yield "disk_write"
    if name in _REMOVERS:
        yield from _removed(call, name)
    if name in _WRITERS:
        yield from filter(None, (written_rule(path) for path in call.paths(_operands(call)[:1])))
    if re.fullmatch(r"(new|set|remove|clear|rename|copy|move)-item(property)?", name) and any(
        map(_REGISTRY.search, call.args)
    ):
        yield "persistence"
    if name in ("sc", "sc.exe") and call.at("create"):
        yield "persistence"
    elif name in ("sc", "sc.exe") and call.plain[:1] in (
        ("delete",),
        ("stop",),
        ("config",),
        ("failure",),
        ("sdset",),
    ):
        yield "system_write"
    yield from _machine(call, name, asked)


def _machine(call: Call, name: str, asked: str) -> Iterator[str]:
    lower = asked.lower()
    if name == "cipher" and "/w" in lower:
        yield "destructive_delete"
    if (name == "shutdown" and re.search(r"(^|\s)/[srpfhg]\b", lower)) or (
        name == "taskkill" and _CRITICAL.search(lower)
    ):
        yield "machine_stop"
    if (name == "stop-process" or name == "kill") and call.source[:1] and _lists_processes(call.source):
        yield "machine_stop"
    if (
        name in _TELLERS
        or (name == "rundll32" and "minidump" in lower)
        or (name == "netsh" and re.search(r"key\s*=\s*clear", lower))
        or (name == "reg" and re.match(r"(save|export)\s.*\b(sam|security|system)\b", lower))
        or (name in ("procdump", "procdump64") and "lsass" in lower)
    ):
        yield "credential_read"
    if (name == "wevtutil" and re.match(r"(cl|clear-log|sl)\b", lower)) or (
        name == "fsutil" and "deletejournal" in lower
    ):
        yield "trace_removal"
    if name in ("msiexec", "mshta", "installutil", "cmstp", "wscript", "cscript", "hh") and re.search(
        r"https?:|javascript:|vbscript:|\\\\\w", lower
    ):
        yield "remote_code"
    if name == "certutil" and re.search(r"[-/]decode(hex)?\b", lower):
        yield "obfuscated"
    if (
        name == "cp"
        and re.search(r"(^|\s)/(mir|purge)\b", lower)
        and any(map(is_vital, call.paths(call.args[1:2])))
    ):
        yield "destructive_delete"
    if name == "%0" and (call.behind or call.source[:1] == ("%0",)):
        yield "resource_exhaustion"
    if name == "start" and "%0" in call.args:
        yield "resource_exhaustion"


def _lists_processes(source: tuple[str, ...]) -> bool:
    return source[0].lower() in ("get-process", "gps") and len(source) == 1


def _operands(call: Call) -> list[str]:
    """Return the arguments of a program of Windows without its switches."""
    return [arg.rstrip(",") for arg in call.args if not _SWITCH.fullmatch(arg)]


def _removed(call: Call, name: str) -> Iterator[str]:
    if name in _SHELL_TOO and not any(map(_WINDOWS_SWITCH.match, call.args)):
        return
    switches = " ".join(arg.lower() for arg in call.args if _SWITCH.fullmatch(arg))
    paths = list(call.paths(_operands(call)))
    deep = bool(re.search(r"(^|\s)(/s|-r\w*)\b", switches))
    forced = bool(re.search(r"(^|\s)(/q|/f|-fo\w*)\b", switches))
    pipe = call.before.split(" | ")
    listed = pipe[0].split() if pipe[0].partition(" ")[0].lower() in _LISTS else ()
    found = [placed(arg, call.folder) for arg in listed[1:] if not arg.startswith("-")]
    chosen = bool(_FILTERS.search(call.before))
    if (
        (deep and any(map(_is_wide, paths)))
        or (forced and any(path in ("*", "*.*") for path in paths))
        or any(
            re.match(r"[A-Za-z]:/?(\*|Windows|Users/?$|Program Files|[^/]+$)", path, re.I) for path in paths
        )
        or any(_is_wide(path) and (_is_outside(path) or not chosen) for path in found)
        or (listed and not found and not chosen)
    ):
        yield "destructive_delete"
    if any(map(is_trace, paths)):
        yield "trace_removal"
    if any(map(_REGISTRY.search, call.args)):
        yield "system_write"


def _is_outside(path: str) -> bool:
    return path.startswith(("/", "~", "$")) or path[1:2] == ":"


def _is_wide(path: str) -> bool:
    return is_vital(path) or path in ("*.*", "/")
