"""The account of one child at the gateway: what its calls may cost and did cost, and what went wrong.

Each call is set aside in the ledger before it is made and settled after. The usage is the API's own count.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ai_ops.core.budgets import PlannedCall, Stop, stopped
from ai_ops.core.model_failures import ApiFailure
from ai_ops.core.model_names import is_allowed
from ai_ops.core.ports import Ledger
from ai_ops.core.pricing import Price, Seen, TokenCounts, cost, estimate, price_of
from ai_ops.errors import AiOpsError
from ai_ops.flow.run import Usage
from ai_ops.integrations.claude_meter import Meter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call that may be made: its number in the ledger, and the output tokens that are paid for."""

    number: int
    max_tokens: int


class GatewaySession:
    """The account of one child.

    ``last_failure`` is the newest failure of the API since the last good answer; ``refused`` is why the
    gateway itself did not let a call through. ``last_activity`` is the monotonic time of the last byte that
    came from the API. ``stops`` holds the stop reason of each message that came whole, by its id.

    Args:
        ledger: where the calls are written down.
        run_id: the run that the child works for.
        run_usd: what all calls of that run may cost.
        allowed_models: globs of model ids; empty allows all.
        prices: dollars per million tokens by model id.
    """

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        run_usd: float,
        allowed_models: Sequence[str],
        prices: Mapping[str, Price],
    ) -> None:
        self.usage = Usage()
        self.last_failure: ApiFailure | None = None
        self.refused: AiOpsError | None = None
        self.last_activity = time.monotonic()
        self.stops: dict[str, str] = {}
        self._ledger = ledger
        self._run_id = run_id
        self._run_usd = run_usd
        self._allowed_models = tuple(allowed_models)
        self._prices = prices
        self._seen: dict[str, Seen] = {}
        self._settling: set[asyncio.Task[None]] = set()

    def allows(self, model: str) -> bool:
        """Whether the model is on the list; an empty list allows all."""
        return is_allowed(model, self._allowed_models)

    async def reserve(self, model: str, body_bytes: int, max_tokens: int, least: int) -> Reservation | None:
        """Set money aside for one call, or return None and remember why not."""
        price, seen = price_of(model, self._prices), self._seen.get(model)
        made = estimate(price, body_bytes, max_tokens, least=least, seen=seen)
        call = PlannedCall(self._run_id, self._run_usd, model, made.least_usd, made.most_usd)
        try:
            granted = await self._ledger.reserve(call)
        except AiOpsError as failure:
            self.refused = failure
            return None
        if isinstance(granted, Stop):
            self.refused = stopped(granted)
            return None
        return Reservation(granted.number, made.tokens(granted.usd))

    def note(self, meter: Meter) -> None:
        """Remember how an answer ended."""
        cut = None if meter.complete else ApiFailure(None, "connection", "the answer was cut")
        self.last_failure = meter.failure or cut
        if meter.complete:
            self.stops[meter.message_id] = meter.stop_reason

    def settle(self, model: str, body_bytes: int, reservation: Reservation, tokens: TokenCounts) -> None:
        """Count what a call used; the ledger learns of it whatever becomes of the caller."""
        usd = cost(price_of(model, self._prices), tokens)
        self.usage += Usage(tokens.prompt, tokens.output, usd)
        if tokens.prompt:
            self._seen[model] = Seen(body_bytes, tokens.prompt, tokens.cached)
        settling = asyncio.create_task(self._settle(reservation.number, usd))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)

    async def settled(self) -> None:
        """Wait until the ledger knows what every call cost."""
        await asyncio.gather(*self._settling)

    async def _settle(self, number: int, usd: float) -> None:
        try:
            await self._ledger.settle(number, usd)
        except AiOpsError as failure:  # what was set aside goes on counting
            log.warning(
                "the cost of a call of run %s, %.4f USD, is not settled: %s", self._run_id, usd, failure
            )
