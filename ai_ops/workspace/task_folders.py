"""The folders of this server that prompt tasks may work in: those beneath ``TASK_FOLDERS``, and no others.

A folder is resolved first, links and dots included, and judged by where it really is; it is judged again
each time that it is opened, because who may write there may move it meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError

_LEFT_OUT = frozenset({".git", "node_modules", "__pycache__"})
_MOST_CHANGED = 10_000


class TaskFolders:
    """Implements ``Folders``.

    Args:
        roots: the folders beneath which tasks may work; none: no task may work in any.
        private: the server's own folders, which no task may see, wherever they lie.
    """

    def __init__(self, roots: Sequence[Path], private: Sequence[Path] = ()) -> None:
        self._roots = tuple(roots)
        self._private = tuple(private)

    def open(self, folder: str) -> Path:
        """Return the real path of a folder that a task may work in.

        Raises:
            PermanentError: ``folder_not_allowed``.
        """
        place = Path(folder)
        if not self._roots:
            raise _refused("this server lets tasks work in no folder of its own")
        if not place.is_absolute() or "\0" in folder:
            raise _refused("a folder is given by its absolute path")
        try:
            real = place.resolve(strict=True)
        except (OSError, RuntimeError):
            raise _refused("there is no such folder beneath TASK_FOLDERS") from None
        roots = [root.resolve() for root in self._roots]
        if not any(real.is_relative_to(root) for root in roots) or not real.is_dir():
            raise _refused("there is no such folder beneath TASK_FOLDERS")
        for own in (each.resolve() for each in self._private):
            if real.is_relative_to(own) or own.is_relative_to(real):
                raise _refused("the server keeps its own data there")
        return real

    def changed(self, folder: Path, since: datetime) -> Sequence[str]:
        """Return the regular files beneath a folder that were written since then, in their order."""
        after, found = since.timestamp(), []
        for place, folders, files, handle in os.fwalk(folder, follow_symlinks=False):
            folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
            for name in files:
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_ctime >= after:
                    found.append((Path(place) / name).relative_to(folder).as_posix())
            if len(found) >= _MOST_CHANGED:
                break
        return sorted(found)


def _refused(why: str) -> AiOpsError:
    step = "Name a folder beneath one of TASK_FOLDERS, or give repo_url."
    return failed("folder_not_allowed", why, next_step=step)
