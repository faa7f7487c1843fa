"""When Python looks for garbage: not while modules load, and rarely among what stays for good.

Loading makes objects by the hundred thousand and hardly any garbage; to look through them again and again
took a sixth of a start.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_THRESHOLDS = (20_000, 20, 50)
"""How many new objects, and how many looks at the young, lead to the next look."""


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage meanwhile, and never again among what is there at its end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
        gc.enable()
