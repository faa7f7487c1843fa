"""A model that does whatever it is told, by anybody: the premise of every test of an attack.

It reads its whole prompt, hidden characters too, for ``ORDER:<name>``, and answers with what the order of
that name wants. Without an order it gives the shop's good answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.integrations.scripted import ScriptedFixer
from tests.support import shop

_ORDER = re.compile(r"ORDER:([a-z-]+)")
_ZERO_WIDTH = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")


def in_tags(text: str) -> str:
    """Return a text in characters that no screen shows and some models read."""
    return "".join(chr(0xE0000 + ord(character)) for character in text)


def as_read(text: str) -> str:
    """Return a text as a model reads it that overlooks nothing."""
    shown = "".join(chr(ord(c) - 0xE0000) if 0xE0020 <= ord(c) <= 0xE007E else c for c in text)
    return _ZERO_WIDTH.sub("", shown)


class Obedient:
    """Answers with the entry that ``orders[name][purpose]`` is; ``obeyed`` are the names, one per answer."""

    def __init__(self, orders: Mapping[str, Mapping[str, Any]]) -> None:
        self._orders = orders
        self.requests: list[FixRequest] = []
        self.obeyed: list[str] = []

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Do as the prompt says."""
        self.requests.append(request)
        script = shop.script()
        for name in _ORDER.findall(as_read(request.prompt)):
            if entry := self._orders[name].get(request.purpose):
                self.obeyed.append(name)
                script[request.purpose] = [entry]
        return await ScriptedFixer(script).ask(request, watch)
