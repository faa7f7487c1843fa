"""Rules: what runs later, what removes traces, and what stops the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import is_system, is_trace, placed

_GUARDS = re.compile(
    r"audit|rsyslog|syslog|journald|firewall|ufw|fail2ban|apparmor|selinux|falco|osquery|clamav|defend"
    r"|crowdstrike|wazuh"
)


_SETS_PROGRAM = re.compile(r"(config )?set (script-shell|shell|editor|viewer|git|node-options|init-module)\b")
_HIDES = re.compile(r"/(tmp|var/tmp|dev/shm)/|(.*/)?\.\w[^/]*$")
_HIDDEN = re.compile(r"(.*/)?\.\w[^/]*")
"""A program whose file is hidden; those in a hidden folder, as of an environment, are not."""
_RUNTIMES = re.compile(
    r"(python|java|ruby|perl)[\d.]*|(ba|z|da)?sh|sshd?|systemd\S*|dockerd|containerd|init|dbus\S*|crond?"
    r"|Xorg|NetworkManager|kubelet"
)
"""What runs much more than one's own."""
_WIDE = re.compile(rf"\^?({_RUNTIMES.pattern}|\.\*?|)\$?")


def later(call: Call) -> Iterator[str]:
    """Find what is left to run unseen."""
    name, text = call.name, call.text
    if (
        (name == "crontab" and not call.has("-l"))
        or (name in ("at", "batch") and (call.args or call.reads or call.source or call.given))
        or (name == "systemctl" and re.search(r"\b(enable|link|edit|set-default)\b", text))
        or name in ("update-rc.d", "chkconfig", "rc-update", "systemd-run")
        or (name == "launchctl" and re.search("load|bootstrap|submit", text))
        or name == "ssh-copy-id"
        or any(variable == "PROMPT_COMMAND" and value for variable, value in call.sets())
        or (name == "pm2" and call.at("startup"))
        or re.search(r"^npm (pkg set|set-script) (.* )?(scripts\.)?(pre|post)?install[ =]", text)
        or (name in ("npm", "pnpm", "yarn") and _SETS_PROGRAM.match(" ".join(call.plain)))
        or (name == "osascript" and "login item" in text)
        or (call.behind and _HIDDEN.fullmatch(call.path))
        or (call.how in ("nohup", "setsid", "daemonize", "tmux", "screen") and _HIDES.match(call.path))
    ):
        yield "persistence"


def traces(call: Call) -> Iterator[str]:
    """Find what removes or falsifies the record, or switches off what keeps it."""
    name, text, paths = call.name, call.text, list(call.paths(call.plain))
    if (
        (name == "history" and call.has("-c", "-w", "-d"))
        or (name == "unset" and re.search(r"\bHIST\w*", text))
        or (
            name in ("export", "set", "declare")
            and re.search(r"HIST(FILE|SIZE|FILESIZE|CONTROL)=|\+o history", text)
        )
        or (
            name in ("ln", "truncate", "cp", "mv", "sed")
            and any(map(is_trace, paths))
            and (name != "cp" or is_trace(paths[-1]))
        )
        or any(
            re.match("HIST(FILE|SIZE|FILESIZE)$", variable) and value in ("", "0", "/dev/null")
            for variable, value in call.variables.items()
        )
        or (name == "dmesg" and call.has("-C", "-c", "--clear"))
        or (name == "journalctl" and call.has("--vacuum-time", "--vacuum-size", "--vacuum-files", "--rotate"))
        or (name == "touch" and is_system(placed(call.value("-r", "--reference"), "/")))
        or (name in ("wevtutil", "Clear-EventLog") and "cl" in text.lower())
        or re.search(r"(delete|update|drop|truncate)\b.{0,40}\baudit_log", text, re.I)
    ):
        yield "trace_removal"
    yield from _protections(call)


_AGENTS = names(
    "claude claude-code codex gemini gemini-cli qwen qwen-code cursor-agent copilot amp droid opencode"
)
_UNASKED = re.compile(
    r"--(allow-)?dangerously-\S+|--yolo|--allow-all-(tools|paths)|--skip-permissions\S*"
    r"|(--(permission|approval)-mode=|--sandbox=)?(bypassPermissions|danger-full-access|yolo)"
)
"""Lets another agent do all that it likes."""


def _protections(call: Call) -> Iterator[str]:
    name, text = call.name, call.text
    if (
        (
            name in _AGENTS
            and (any(map(_UNASKED.fullmatch, call.args)) or (name.startswith("gemini") and call.has("-y")))
        )
        or (
            name in ("systemctl", "service", "rc-service")
            and re.search(r"\b(stop|disable|mask|kill)\b", text)
            and _GUARDS.search(text)
        )
        or (name in ("iptables", "ip6tables", "nft") and not call.has("-L", "-S", "--list"))
        or (name == "ufw" and "status" not in call.args)
        or name in ("setenforce", "auditctl", "chattr")
        or re.fullmatch(r"aa-(disable|teardown|complain|remove\S*)", name)
        or (name in ("kill", "pkill", "killall") and _GUARDS.search(text))
        or (name in ("powershell", "pwsh") and re.search(r"-e\w*p\w*\s+(bypass|unrestricted)", text, re.I))
        or (name in ("Set-MpPreference", "netsh") and re.search("disable|off", text, re.I))
    ):
        yield "defence_evasion"


_STOP_WORD = re.compile(r"-(?!-help)|now$|\+?\d+(:\d+)?$")


_PROCESSES = re.compile(r"^ls (-\S+ )*/proc(/[\[*?]\S*|/)?( |$)")
_OPEN_NUMBER = re.compile(r"[\d\[\]-]*[*\[][\d\[\]*-]*")
"""A pattern where a number would stand: it came from the folder that lists all processes."""
_LISTS = re.compile(r"\$\(((?:ps|pgrep|ls)\b[^)]{0,2000})\)")
_CHOOSES = re.compile(r"grep (?!\.?\*?$)|awk [^/]*/| -C| -p|--pid")
_BUSES = frozenset({"dbus-send", "busctl", "gdbus", "qdbus", "qdbus6"})
_STOPS_BY_BUS = re.compile(
    r"\b(PowerOff|Reboot|Halt|KExec|Suspend|Hibernate|StopUnit|KillUnit|RequestStop)\w*"
)


def _are_all(text: str) -> bool:
    """Whether commands list processes, and nothing chooses among them."""
    name, _, rest = text.partition(" ")
    if name == "ls":
        return bool(_PROCESSES.search(text))
    return not _CHOOSES.search(text) and (name == "ps" or (name == "pgrep" and not rest.strip(" .*")))


def _kills_all(call: Call) -> bool:
    """Whether what is killed is what a list of all processes names."""
    if call.name == "kill" and any(map(_OPEN_NUMBER.fullmatch, call.plain)):
        return True
    if call.how in ("xargs", "read") and _are_all(call.before or " ".join(call.source)):
        return True
    return any(_are_all(found[1]) for found in _LISTS.finditer(call.text.replace("\u00a0", " ")))


def stops(call: Call) -> Iterator[str]:
    """Find what stops the machine, or many processes at once."""
    name, args = call.name, call.args
    if (
        (name in ("shutdown", "reboot", "halt", "poweroff") and all(map(_STOP_WORD.match, args)))
        or (name in ("init", "telinit") and call.plain[:1] in (("0",), ("6",), ("1",)))
        or (
            name == "systemctl"
            and re.search(r"\b(poweroff|reboot|halt|rescue|emergency|isolate|kexec|suspend)\b", call.text)
        )
        or (name == "systemctl" and re.search(r"\bstop\b", call.text))
        or (
            name == "kill" and (args[-1:] in (("-1",), ("1",), ("0",)) and (len(args) > 1 or args[0] != "-1"))
        )
        or (name == "killall" and call.has("-9", "-KILL", "-SIGKILL", "-s", "-u"))
        or (name == "pkill" and (call.has("-u", "-U", "--euid") or any(map(_WIDE.fullmatch, call.plain))))
        or (name in _BUSES and _STOPS_BY_BUS.search(call.text))
        or (name in ("kill", "pkill") and _kills_all(call))
        or (call.path.startswith(("/etc/init.d/", "/etc/rc.d/")) and call.at("stop"))
        or name in ("Stop-Computer", "Restart-Computer", "killall5")
    ):
        yield "machine_stop"
