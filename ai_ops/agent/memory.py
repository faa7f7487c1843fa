"""How the process gives memory back.

The C library takes large blocks from the system one by one and returns them when they are freed. But with
each that is freed it raises the size from which it does so, up to 32 MB: after a few very long lines it
keeps all that such lines ever took. A fixed size ends that. Of small blocks it returns what lies above the
last one in use. What is free between them, a fifth of an agent that has read much, it returns when asked to.
"""

from __future__ import annotations

import sys
from typing import Any

# Above the chunks in which logs are read, which come and go all the time and are better kept.
_LARGE_BYTES = 256 << 10
_KEPT_BYTES = 2 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def return_large_blocks() -> None:
    """Return freed blocks of more than 256 KB to the system at once, from now on; nothing where it cannot."""
    if (mallopt := _of_c_library("mallopt")) is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def return_freed() -> None:
    """Return to the system what is free now; a few milliseconds. Nothing where it cannot."""
    if (trim := _of_c_library("malloc_trim")) is not None:
        trim(0)


def _of_c_library(name: str) -> Any:
    """Return a function of glibc; musl has none of these, and returns freed memory anyway."""
    if sys.platform != "linux":
        return None
    import ctypes  # the hints of the file system have loaded it

    return getattr(ctypes.CDLL(None), name, None)
