"""Stripe's smallest units become micros and come back, to the unit, in every kind of currency."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.providers.base import Fault
from payments.providers.stripe.currencies import micros, smallest_units
from tests.payments.providers.stripe.shop import fault_of
from tests.proof import Proof


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (499, "usd", 4_990_000),
        (499, "USD", 4_990_000),
        (500, "jpy", 500_000_000),
        (12_000, "krw", 12_000_000_000),
        (50_000, "vnd", 50_000_000_000),
        (10, "mga", 10_000_000),
        (5_120, "kwd", 5_120_000),
        (1_230, "bhd", 1_230_000),
        (500, "isk", 5_000_000),
        (1_045, "huf", 10_450_000),
        (1_045, "twd", 10_450_000),
        (0, "usd", 0),
        (-499, "usd", -4_990_000),
    ],
)
def test_goes_both_ways(amount: int, currency: str, expected: int) -> None:
    assert micros(amount, currency) == expected
    assert smallest_units(expected, currency) == amount


@pytest.mark.parametrize(
    ("amount_micros", "currency"),
    [
        (4_995_000, "usd"),
        (1, "usd"),
        (500_500_000, "jpy"),
        (5_124_000, "kwd"),
        (5_125, "kwd"),
        (5_100_000, "isk"),
    ],
)
def test_refuses_what_cannot_be_charged_exactly(amount_micros: int, currency: str) -> None:
    assert fault_of(lambda: smallest_units(amount_micros, currency)) is Fault.MALFORMED


def test_refuses_the_currency_that_is_documented_both_ways() -> None:
    assert fault_of(lambda: micros(500, "ugx")) is Fault.MALFORMED
    assert fault_of(lambda: smallest_units(5_000_000, "UGX")) is Fault.MALFORMED


def test_loses_nothing_on_the_way(proof: Proof) -> None:
    @settings(max_examples=proof.rounds(full=10_000), deadline=None, database=None)
    @given(st.integers(0, 10**12), st.sampled_from(["usd", "eur", "jpy", "krw", "kwd", "isk"]))
    def explore(steps: int, currency: str) -> None:
        amount = steps * {"kwd": 10, "isk": 100}.get(currency, 1)
        assert smallest_units(micros(amount, currency), currency) == amount

    explore()
    proof.record("P11", "Stripe's amounts to micros and back", violations=0)
