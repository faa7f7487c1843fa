"""Remembers what was made of a text, because an error that comes again often comes word for word.

To mask, parse and group a record costs more than everything else that is done with its event. A text is known
by its digest: what was sent is not kept, only what was made of it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from ai_ops.core.describe import Description, describe
from ai_ops.core.redaction import Redactor

_LONGEST = 16_384


class Descriptions:
    """``describe`` with a memory, for one redactor. May be called from several threads.

    Args:
        redactor: what masks the texts.
        size: how many descriptions are kept; texts of more than 16,384 characters are not.
    """

    def __init__(self, redactor: Redactor, size: int = 2000) -> None:
        self._redactor = redactor
        self._size = size
        self._known: OrderedDict[bytes, Description] = OrderedDict()
        self._turn = threading.Lock()

    def describe(self, text: str) -> Description:
        """Return what went wrong, by our own rules."""
        if len(text) > _LONGEST:
            return describe(text, redactor=self._redactor)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._turn:
            if digest in self._known:
                self._known.move_to_end(digest)
                return self._known[digest]
        made = describe(text, redactor=self._redactor)
        with self._turn:
            self._known[digest] = made
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return made
