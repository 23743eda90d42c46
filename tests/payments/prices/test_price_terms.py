"""Terms become prices by plain arithmetic: free episodes, steps, single prices, adjustments."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.prices.terms import Adjustment, Terms, TermsInvalid

PRICES = st.integers(1, 5_000)
TERMS = st.builds(
    Terms,
    free_count=st.integers(0, 12),
    base_price_coins=PRICES,
    steps=st.dictionaries(st.integers(2, 30), PRICES, max_size=4),
    overrides=st.dictionaries(st.integers(1, 30), st.integers(0, 5_000), max_size=4),
)
ADJUSTMENTS = st.lists(
    st.builds(
        Adjustment,
        free_count=st.none() | st.integers(0, 20),
        price_coins=st.none() | PRICES,
        scale_parts_per_million=st.none() | st.sampled_from([0, 1, 333_333, 800_000, 1_500_000]),
    ),
    max_size=3,
)


def prices(terms: Terms, *adjustments: Adjustment, count: int = 12) -> list[int]:
    ladder = terms.adjusted(adjustments).ladder()
    return [ladder.price_of(number) for number in range(1, count + 1)]


def by_hand(terms: Terms, adjustments: list[Adjustment], number: int) -> int:
    """The same, one rule after the other, in decimals."""
    free_count, flat, scale = terms.free_count, None, Decimal(1)
    for adjustment in adjustments:
        if adjustment.free_count is not None:
            free_count = adjustment.free_count
        if adjustment.price_coins is not None:
            flat = adjustment.price_coins
        if adjustment.scale_parts_per_million is not None:
            scale *= Decimal(adjustment.scale_parts_per_million) / 1_000_000
    single = terms.overrides.get(number)
    if single == 0:
        return 0
    if single is not None and flat is None:
        asked = single
    elif number <= free_count:
        return 0
    elif flat is not None:
        asked = flat
    else:
        asked = terms.base_price_coins
        for step in sorted(terms.steps):
            asked = terms.steps[step] if step <= number else asked
    scaled = (asked * scale).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return max(int(scaled), 1) if scale else 0


@given(terms=TERMS, adjustments=ADJUSTMENTS, number=st.integers(1, 60))
def test_equal_the_rules_worked_out_one_by_one(
    terms: Terms, adjustments: list[Adjustment], number: int
) -> None:
    ladder = terms.adjusted(adjustments).ladder()

    assert ladder.price_of(number) == by_hand(terms, adjustments, number)


@given(terms=TERMS, adjustments=ADJUSTMENTS)
def test_between_two_turns_every_episode_costs_the_same(
    terms: Terms, adjustments: list[Adjustment]
) -> None:
    adjusted = terms.adjusted(adjustments)
    turns = dict(adjusted.turns())

    price_coins, ladder = -1, adjusted.ladder()
    for number in range(1, 61):
        price_coins = turns.get(number, price_coins)
        assert ladder.price_of(number) == price_coins


@given(terms=TERMS, adjustments=ADJUSTMENTS, last=st.integers(1, 40))
def test_until_an_episode_terms_say_the_same_of_all_before(
    terms: Terms, adjustments: list[Adjustment], last: int
) -> None:
    whole = terms.adjusted(adjustments)
    cut = whole.until(last).ladder()

    assert [cut.price_of(number) for number in range(1, last + 1)] == [
        whole.ladder().price_of(number) for number in range(1, last + 1)
    ]
    assert len(cut.prices) <= last


@given(terms=TERMS, adjustments=ADJUSTMENTS, last=st.integers(0, 60))
def test_all_episodes_cost_together_what_each_costs(
    terms: Terms, adjustments: list[Adjustment], last: int
) -> None:
    ladder = terms.adjusted(adjustments).ladder()

    assert ladder.total(last) == sum(ladder.price_of(number) for number in range(1, last + 1))


def test_what_is_said_of_one_far_episode_takes_no_ladder_up_to_it() -> None:
    far = Terms(free_count=8, base_price_coins=60, overrides={10_000: 90})

    assert list(far.turns()) == [(1, 0), (9, 60), (10_000, 90), (10_001, 60)]


def test_rise_by_steps_after_the_free_ones() -> None:
    terms = Terms(free_count=3, base_price_coins=42, steps={6: 50, 9: 66})

    assert prices(terms) == [0, 0, 0, 42, 42, 50, 50, 50, 66, 66, 66, 66]


def test_a_step_within_the_free_ones_is_what_is_asked_after_them() -> None:
    assert prices(Terms(5, 40, steps={3: 60}), count=7) == [0, 0, 0, 0, 0, 60, 60]


def test_fewer_free_episodes_cost_what_the_steps_say() -> None:
    terms = Terms(free_count=8, base_price_coins=42, steps={6: 50})

    assert prices(terms, Adjustment(free_count=4), count=7) == [0, 0, 0, 0, 42, 50, 50]


def test_one_price_for_all_leaves_free_what_was_given_away() -> None:
    terms = Terms(free_count=2, base_price_coins=42, steps={4: 50}, overrides={5: 0, 6: 99})

    assert prices(terms, Adjustment(price_coins=30), count=7) == [0, 0, 30, 30, 0, 30, 30]


def test_two_discounts_are_rounded_once() -> None:
    tenth_off = Adjustment(scale_parts_per_million=900_000)

    assert prices(Terms(0, 45), tenth_off, count=1) == [41]  # 40.5
    assert prices(Terms(0, 45), tenth_off, tenth_off, count=1) == [36]  # 36.45; by two roundings 37


def test_a_discount_leaves_a_coin_and_a_gift_leaves_none() -> None:
    assert prices(Terms(1, 60), Adjustment(scale_parts_per_million=1), count=3) == [0, 1, 1]
    assert prices(Terms(1, 60), Adjustment(scale_parts_per_million=0), count=3) == [0, 0, 0]


@pytest.mark.parametrize("steps", [{5: 42}, {5: 41}, {5: 50, 9: 49}])
def test_steps_that_do_not_rise_are_refused(steps: dict[int, int]) -> None:
    with pytest.raises(TermsInvalid, match="costs more than what comes before"):
        Terms(3, 42, steps=steps).refuse_falling()


def test_steps_that_rise_are_not() -> None:
    Terms(3, 42, steps={5: 43, 9: 100}).refuse_falling()
