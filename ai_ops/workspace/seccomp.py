"""The filter of system calls for podman's containers: podman's own, without new namespaces.

Docker's filter refuses a process without capabilities to make namespaces. Podman's leaves that to the
kernel, which lets anybody be root in a user namespace of his own: with mounts that no limit of ours
counts, and with far more of the kernel in reach.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROFILES = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))

_ALLOW, _ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_EPERM, _ENOSYS = 1, 38
_DENIED = frozenset({"unshare", "setns", "mount", "umount", "umount2", "pivot_root", "mount_setattr"})
_NEW_MOUNTS = frozenset({"fsopen", "fsmount", "fsconfig", "fspick", "move_mount", "open_tree"})
_NEW_NAMESPACES = 0x7E020000  # all CLONE_NEW… flags of clone


def find_profile() -> dict[str, Any] | None:
    """Return podman's filter as it is installed; None where it is elsewhere."""
    for path in PROFILES:
        try:
            profile = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(profile, dict) and isinstance(profile.get("syscalls"), list):
            return profile
    return None


def without_namespaces(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter that allows what ``profile`` does, and neither namespaces nor mounts."""
    denied = _DENIED | _NEW_MOUNTS
    taken = denied | {"clone", "clone3"}
    rules = []
    for rule in profile["syscalls"]:
        if rule.get("action") == _ALLOW and taken & set(rule.get("names", ())):
            names = [name for name in rule["names"] if name not in taken]
            rule = {**rule, "names": names}
        if rule.get("names"):
            rules.append(rule)
    refused = {name for rule in rules if rule.get("action") == _ERRNO for name in rule["names"]}
    flags = 1 if platform.machine().startswith("s390") else 0  # which argument of clone has them
    no_new = {"index": flags, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    return {
        **profile,
        "syscalls": [
            *rules,
            {"names": ["clone"], "action": _ALLOW, "args": [no_new]},
            # Its flags lie in memory, where no filter sees them; libraries then use clone.
            {"names": ["clone3"], "action": _ERRNO, "errnoRet": _ENOSYS},
            {"names": sorted(denied - refused), "action": _ERRNO, "errnoRet": _EPERM},
        ],
    }
