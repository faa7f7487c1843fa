"""How the process gives memory back.

The C library takes large blocks from the system one by one and returns them when they are freed. But with
each that is freed it raises the size from which it does so, up to 32 MB: after a few very long lines it
keeps all that such lines ever took. A fixed size ends that.
"""

from __future__ import annotations

import sys

# Above the chunks in which logs are read, which come and go all the time and are better kept.
_LARGE_BYTES = 256 << 10
_KEPT_BYTES = 2 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def return_large_blocks() -> None:
    """Return freed blocks of more than 256 KB to the system at once, from now on; nothing where it cannot."""
    if sys.platform != "linux":
        return
    import ctypes  # the hints of the file system have loaded it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and returns them anyway
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
