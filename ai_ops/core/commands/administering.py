"""Rules: programs that administer a machine. What they only show goes through, all else is told.

The other rules name what is dangerous; here it is the other way round: such programs have more verbs that
change a machine than anybody lists, and few that look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.connecting import hosts
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import LOCAL, is_disk

_NOTHING = r"(?!)"
_SHOWS = (
    r"show\S*|list\S*|ls|status|get\S*|info|print|dump|monitor|help|version|query|statistics|-h|--version"
)

_LOOKS: Final[Mapping[str, str]] = {
    "ip": r"(a|addr|address|l|link|r|ro|route|n|neigh|rule|maddr|tunnel|netns|-V)( (show|list|ls|get)\b.*)?$",
    "ifconfig": r"-a|[\w.:@-]+$",
    "route": r"-n$|-e+$",
    "arp": r"-a|-n|-an|-e|[\w.:-]+$",
    "ethtool": r"-[ikSgacm] [\w.-]+$|[\w.-]+$",
    "tc": r"\w+ (show|ls|list)",
    "brctl": "show.*",
    "iw": r"dev$|list|phy$|\w+ info|.* link",
    "rfkill": "list",
    "nmcli": rf"({_SHOWS})|\w+( ({_SHOWS}).*)?$",
    "networkctl": _SHOWS,
    "resolvectl": _SHOWS,
    "hostname": r"-[a-zA-Z]+$",
    "hostnamectl": _SHOWS,
    "timedatectl": rf"{_SHOWS}|timesync-status",
    "localectl": _SHOWS,
    "loginctl": rf"{_SHOWS}|\S+-status",
    "hwclock": r"-r|--show",
    "systemctl": rf"{_SHOWS}|is-\S+|cat|start|restart|reload|try-restart|reset-failed|daemon-reload",
    "service": r"--status-all|\S+ (status|start|restart|reload)",
    "rc-service": r"\S+ (status|start|restart)",
    "initctl": _SHOWS,
    "supervisorctl": rf"{_SHOWS}|tail|avail|pid|start|restart",
    "mount": r"-l|-t \S+$|-V",
    "umount": r"\S*/(tmp|mnt|media)/\S+$|\./?\S+$|\w\S*$",
    "swapon": r"-s|--show.*|--summary",
    "losetup": r"-a|-l|--list|--all",
    "dmsetup": r"ls|info|status|table|deps",
    "conntrack": "-L",
    "ipset": "list|-L",
    "ebtables": "-L",
    "arptables": "-L",
    "pfctl": r"-s\w*",
    "firewall-cmd": r"--(state|list-\S+|get-\S+|query-\S+|info-\S+)",
    "fail2ban-client": "status|ping|version|get",
    "semanage": r"\w+ -l",
    "setsebool": _NOTHING,
    "update-alternatives": r"--(list|display|query|get-selections)",
    "dpkg-reconfigure": _NOTHING,
    "dpkg": r"-[lLsSpcIC]\w*|--(list|listfiles|status|search|print-\S+|info|contents|get-\S+|audit"
    r"|compare-versions)",
    "grub-install": _NOTHING,
    "efibootmgr": "-v",
    "bootctl": "status|list",
    "flashrom": _NOTHING,
    "setpci": _NOTHING,
    "bpftool": r"\w+ (show|list|dump)",
    "snap": rf"{_SHOWS}|find|changes|install(?!.*--dangerous)|refresh",
    "sysctl": r"(-[anbeN]+|--all)$|[\w./]+$",
    "rtcwake": r"-m (show|no)|--(show|mode (show|no))",
    "nvram": "-p|print",
    "csrutil": "status",
    "spctl": "--status|-a",
    "chkconfig": "--list",
    "authselect": "current|list|show",
    "logrotate": r"-\w*d\w*|--debug",
    "dconf": r"read|list|dump|watch",
    "gsettings": r"get|list-\S+|range|describe|monitor|writable",
    "tmutil": r"list\w*|latest\w*|machinedirectory|status|destinationinfo|compare|version",
    "dseditgroup": r"-o (read|checkmember)\b",
    "dscl": r"\S+ -?(read|list|search|cat|readall|ls)",
    "sysadminctl": r".*status",
    "defaults": r"read\S*|domains|find|help",
    "scutil": r"--(get|dns|proxy|nwi)",
    "pmset": r"-g.*",
    "networksetup": r"-(get|list|show|is)\w*",
    "systemsetup": r"-get\w*",
    "kextload": _NOTHING,
    "kmutil": r"showloaded|inspect|find|print\S*",
    "profiles": r"list|show|status",
    "tailscale": "status|ip|ping|version",
    "wg": "show",
}
"""Programs of administration with what they are asked when they only look."""
_REMOVES = re.compile(
    r"^(apt|apt-get|aptitude|yum|dnf|zypper|apk|pacman|opkg|microdnf|emerge|rpm)\s(.*\s)?"
    r"((remove|purge|autoremove|erase|del|delete|full-upgrade|dist-upgrade|downgrade)\b|-R\w*\b|-e\b"
    r"|--(remove|unmerge|purge|erase)\b)"
)
_KEEPS: Final[Mapping[str, str]] = {
    "zfs": r"list|get|mount|diff|version",
    "zpool": r"list|status|get|history|iostat|version",
    "btrfs": r"(\w+ )?(show|list|df|usage|get-default|scan|--version)|filesystem df",
    "nvme": r"list|id-\S+|smart-log|error-log|\S*show\S*|version",
    "cryptsetup": r"status|luksDump|isLuks|--version|benchmark",
    "lvm": r"(pvs|vgs|lvs|\wvdisplay)",
    "mdadm": r"--(detail|examine|query|version)|-[DEQ]",
    "xfs_repair": r"-n",
    "ceph": r"-s|status|health|df|osd (tree|stat|df)|\w+ ls",
    "rbd": r"ls|info|du",
    "lvreduce": r"(?!)",
    "lvresize": r"(?!)",
    "lvconvert": r"(?!)",
    "resize2fs": _NOTHING,
    "lvchange": _NOTHING,
    "vgchange": _NOTHING,
    "vgreduce": _NOTHING,
    "pvmove": _NOTHING,
    "fsfreeze": _NOTHING,
    "e2fsck": r"-n",
    "fsck": r"-N",
    "diskutil": r"list|info|activity",
    "sg_format": r"(?!)",
    "smartctl": r"-[aixHlcA]\b|--(all|info|health|scan)",
    "hdparm": r"-[iItTgC]+ ",
    "parted": r"-l|\S+ (-s )?(print|unit)|-s \S+ print",
    "fdisk": r"-l|--list",
    "sfdisk": r"-[ld]|--(list|dump)",
    "sgdisk": r"-[pi]|--(print|info)",
    "badblocks": _NOTHING,
    "tune2fs": r"-l",
}
"""Programs of disks and volumes with what they are asked when they only look."""
_SHOWS_DISKS = names(
    "lsblk blkid file ls stat df findmnt udevadm test [ echo grep readlink realpath printf mount umount "
    "eject lsof fuser find man du blockdev git"
)
_ATTACKS: Final = names(
    "masscan zmap hydra medusa ncrack sqlmap nikto msfconsole msfvenom metasploit responder bettercap "
    "ettercap arpspoof dnsspoof aircrack-ng airodump-ng aireplay-ng hping3 slowloris gobuster dirb "
    "dirbuster wfuzz ffuf nuclei crackmapexec netexec evil-winrm wpscan mitm6 enum4linux smbmap "
    "rustscan linpeas linpeas.sh linenum.sh pspy pspy64 chisel ligolo mimikatz lazagne hashcat john "
    "kerbrute bloodhound-python impacket-secretsdump goldeneye hulk macof yersinia scapy dsniff "
    "beef-xss setoolkit weevely commix xsser patator crowbar"
)
_LOADS = names("ab wrk wrk2 hey siege vegeta bombardier h2load slowhttptest oha httperf autocannon")
_EAVESDROPS = names(
    "logkeys showkey arecord scrot fswebcam screencapture xwd xspy keysniffer mitmproxy mitmdump"
)
_SNIFFERS = frozenset({"tcpdump", "tshark", "dumpcap", "ngrep", "tcpflow", "wireshark", "snoop", "termshark"})
_HELP = re.compile(r"(^|\s)(--help|-h|--version|-V|help)$")


def administration(call: Call) -> Iterator[str]:
    """Find what changes the settings of the machine, its services, its packages or its volumes."""
    asked = " ".join(call.args)
    if _HELP.search(asked):
        return
    if call.name == "sysctl" and call.has("-p", "-w", "--load", "--system"):
        yield "system_write"
    looks = _LOOKS.get(call.name)
    if (looks and asked and not re.match(rf"(-\S+ )*({looks})(\s|$)", asked)) or _REMOVES.match(call.text):
        yield "system_write"
    if call.name == "date" and (call.has("--set") or any(arg.startswith("-s") for arg in call.args)):
        yield "system_write"
    keeps = _KEEPS.get(call.name)
    if (keeps is not None and asked and not re.match(rf"(-\w+ )*({keeps})", asked)) or (
        keeps is None and call.name not in _SHOWS_DISKS and any(map(is_disk, call.paths(call.args)))
    ):
        yield "disk_write"


def _tries_ports(call: Call) -> bool:
    """Whether many ports of a host are tried, rather than one waited for."""
    ports = call.plain[call.plain.index(strangers[0]) + 1 :] if (strangers := _named(call)) else ()
    return sum(port.isdigit() for port in ports) > 1 or any(
        "$(" in port or port.startswith(("{", "$RANDOM")) for port in ports
    )


def _named(call: Call) -> list[str]:
    return [host for host in hosts(call) if host in call.plain]


def attacks(call: Call) -> Iterator[str]:
    """Find tools that scan, listen to or attack other machines."""
    if _HELP.search(" ".join(call.args)):
        return
    strangers = [host for host in hosts(call) if not LOCAL.search(host)]
    if (
        (
            call.name in _LOADS
            and (strangers or any("://" in arg and not LOCAL.search(arg) for arg in call.args))
        )
        or (call.name in ("nc", "ncat", "netcat") and re.search(r"\s\d+-\d+$", call.text) and strangers)
        or (call.name in ("nc", "ncat", "netcat") and call.has("-z") and strangers and _tries_ports(call))
        or (
            call.name in ("ping", "fping", "nc", "ncat")
            and re.search(r"\d+\.\d+\.\d+\.(\$|\d+/\d|\{)", call.text)
        )
    ):
        yield "attack_tool"
    if (
        call.name in _ATTACKS
        or call.name in _EAVESDROPS
        or re.search(r"^(ffmpeg .*(x11grab|avfoundation|gdigrab)|import -window root|xinput test)", call.text)
        or (call.name in _SNIFFERS and not call.has("-r", "-D", "--list-interfaces"))
        or (
            call.name in ("nmap", "zenmap", "arp-scan", "netdiscover", "nbtscan")
            and not any(map(LOCAL.search, call.plain))
        )
    ):
        yield "attack_tool"
