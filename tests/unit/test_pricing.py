"""What tokens cost, and what a budget lets through."""

from __future__ import annotations

import pytest

from ai_ops.core.pricing import PRICES, Price, Seen, TokenCounts, cost, estimate, price_of

PLAIN = Price(input=4, output=20, cache_write_5m=5, cache_write_1h=8, cache_read=0.4)


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
    ],
)
def test_dates_and_suffixes_do_not_change_the_price(model: str, known: str) -> None:
    assert price_of(model) is PRICES[known]


@pytest.mark.parametrize("model", ["claude-opus-5-9", "claude-opus-45", "my-own", "", "-x"])
def test_an_unknown_model_is_priced_as_the_dearest(model: str) -> None:
    assert price_of(model).output == max(price.output for price in PRICES.values())


def test_each_kind_of_token_has_its_price() -> None:
    tokens = TokenCounts(input=1000, output=100, cache_write_5m=200, cache_write_1h=300, cache_read=5000)
    expected = (1000 * 4 + 100 * 20 + 200 * 5 + 300 * 8 + 5000 * 0.4) / 1e6
    assert cost(PLAIN, tokens) == pytest.approx(expected)


def test_a_long_prompt_may_cost_more() -> None:
    price = PRICES["claude-haiku-5-5"]
    short, long = TokenCounts(input=100_000, output=10), TokenCounts(input=100_001, output=10)
    assert cost(price, long) > 4.9 * cost(price, short)


def test_output_is_lowered_to_what_the_money_covers() -> None:
    made = estimate(PLAIN, 3000, 128_000, least=1024)
    assert made.least_usd < 0.1 < made.most_usd
    assert 4000 < made.tokens(0.1) < 5000
    assert made.prompt_usd + made.tokens(0.1) * made.token_usd <= 0.1


@pytest.mark.parametrize("least", [1, 7, 1023, 1024, 4999])
def test_the_ends_of_an_estimate_pay_for_its_least_and_its_most(least: int) -> None:
    made = estimate(PLAIN, 3001, 32_000, least=least)
    assert (made.tokens(made.least_usd), made.tokens(made.most_usd)) == (least, 32_000)


def test_a_small_call_is_estimated_as_it_is() -> None:
    made = estimate(PLAIN, 3000, 500, least=1024)
    assert (made.least, made.most) == (500, 500)
    assert made.tokens(made.least_usd) == 500


def test_a_model_that_costs_nothing_is_not_lowered() -> None:
    assert estimate(Price(0, 0, 0, 0, 0), 3000, 500, least=1).tokens(0.0) == 500


@pytest.mark.parametrize(
    ("usd", "body"), [(0.01, 30_000), (0.02, 3000)], ids=["for the prompt", "for the least output"]
)
def test_a_call_that_makes_sense_may_cost_more_than_there_is(usd: float, body: int) -> None:
    assert estimate(PLAIN, body, 128_000, least=1024).least_usd > usd


def test_what_is_in_the_cache_is_estimated_at_its_price() -> None:
    seen = Seen(body_bytes=600_000, prompt_tokens=200_000, cached=True)
    assert estimate(PLAIN, 603_000, 128_000, least=1024).least_usd > 0.2
    assert estimate(PLAIN, 603_000, 128_000, least=1024, seen=seen).least_usd < 0.2
