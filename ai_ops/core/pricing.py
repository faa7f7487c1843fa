"""What tokens cost, so that a budget can stop a call before it is made.

The table holds list prices in US dollars per million tokens. A model that is not in it is priced as the
dearest, so that a new name never costs more than it was budgeted for. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_MILLION: Final = 1_000_000
_BYTES_PER_TOKEN: Final = 3  # code is denser than prose; a guess on the dear side


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; beyond ``long_above`` prompt tokens, ``long_factor`` times that."""

    input: float
    output: float
    cache_write_5m: float
    cache_write_1h: float
    cache_read: float
    long_above: int | None = None
    long_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokens of one call. ``input`` leaves out what was written to or read from the cache."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0

    @property
    def prompt(self) -> int:
        """Return all tokens of the prompt."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def cached(self) -> bool:
        """Whether the prompt is in the cache now."""
        return bool(self.cache_read or self.cache_write_5m or self.cache_write_1h)


def _price(input_: float, output: float, cache_read: float | None = None) -> Price:
    read = input_ / 10 if cache_read is None else cache_read
    return Price(input_, output, input_ * 1.25, input_ * 2, read)


_TIER_3_15 = _price(3, 15)
_TIER_5_25 = _price(5, 25)
_TIER_10_50 = _price(10, 50)
_TIER_15_75 = _price(15, 75)

PRICES: Final[Mapping[str, Price]] = {
    "claude-3-5-haiku": _price(0.8, 4),
    "claude-haiku-4-5": _price(1, 5),
    "claude-haiku-5-5": Price(0.1, 0.5, 0.125, 0.2, 0.01, long_above=100_000, long_factor=5),
    "claude-3-5-sonnet": _TIER_3_15,
    "claude-3-7-sonnet": _TIER_3_15,
    "claude-sonnet-4": _TIER_3_15,
    "claude-sonnet-4-0": _TIER_3_15,
    "claude-sonnet-4-5": _TIER_3_15,
    "claude-sonnet-4-6": _TIER_3_15,
    "claude-sonnet-5": _price(2, 10),
    "claude-sonnet-5-5": _price(2, 10, 0.1),
    "claude-opus-4": _TIER_15_75,
    "claude-opus-4-0": _TIER_15_75,
    "claude-opus-4-1": _TIER_15_75,
    "claude-opus-4-5": _TIER_5_25,
    "claude-opus-4-6": _TIER_5_25,
    "claude-opus-4-7": _TIER_5_25,
    "claude-opus-4-8": _TIER_5_25,
    "claude-opus-5": _TIER_5_25,
    "claude-opus-5-5": _price(4, 20, 0.2),
    "claude-fable-5": _TIER_10_50,
    "claude-fable-5-1": _price(10, 50, 0.25),
    "claude-fable-5-2": _price(8, 40, 0.2),
}

_DECORATION = re.compile(r"(?:\[[^\]]*\]|@.*|-\d{8}|-latest)+$")


def price_of(model: str, prices: Mapping[str, Price] = PRICES) -> Price:
    """Return the price of a model id; dates and suffixes are ignored, an unknown model is the dearest."""
    known = prices.get(model) or prices.get(_DECORATION.sub("", model))
    return known or max(prices.values(), key=lambda price: (price.output, price.input))


def cost(price: Price, tokens: TokenCounts) -> float:
    """Return what the tokens of one call cost, in US dollars."""
    factor = price.long_factor if price.long_above is not None and tokens.prompt > price.long_above else 1.0
    return (
        factor
        / _MILLION
        * (
            tokens.input * price.input
            + tokens.output * price.output
            + tokens.cache_write_5m * price.cache_write_5m
            + tokens.cache_write_1h * price.cache_write_1h
            + tokens.cache_read * price.cache_read
        )
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """The size of the last prompt of a conversation, and what the API counted for it."""

    body_bytes: int
    prompt_tokens: int
    cached: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one call may cost, in US dollars, before it is made.

    Models are asked for far more output than they use, so a call may be made with less: with ``least``
    output tokens at least, with ``most`` at most.
    """

    prompt_usd: float
    token_usd: float
    least: int
    most: int

    @property
    def least_usd(self) -> float:
        """Return what the call costs with the least output that makes sense."""
        return self.prompt_usd + self.least * self.token_usd

    @property
    def most_usd(self) -> float:
        """Return what the call costs at most."""
        return self.prompt_usd + self.most * self.token_usd

    def tokens(self, usd: float) -> int:
        """Return the output tokens that an amount between the two pays for."""
        if self.token_usd <= 0:
            return self.most
        paid = int((usd - self.prompt_usd) / self.token_usd + 1e-6)  # what was multiplied is divided again
        return min(self.most, max(self.least, paid))


def estimate(
    price: Price, body_bytes: int, max_tokens: int, *, least: int, seen: Seen | None = None
) -> Estimate:
    """Return what a call may cost that asks for ``max_tokens`` and makes no sense with fewer than ``least``.

    The prompt is priced as written to the cache; what the last call of the conversation left there is
    priced as read.
    """
    known = seen if seen is not None and seen.cached and seen.body_bytes <= body_bytes else None
    fresh = (body_bytes - (known.body_bytes if known else 0)) // _BYTES_PER_TOKEN + 1
    prompt = TokenCounts(cache_write_5m=fresh, cache_read=known.prompt_tokens if known else 0)
    one_token = cost(price, TokenCounts(cache_read=prompt.prompt, output=1))
    one_token -= cost(price, TokenCounts(cache_read=prompt.prompt))
    return Estimate(cost(price, prompt), one_token, min(least, max_tokens), max_tokens)
