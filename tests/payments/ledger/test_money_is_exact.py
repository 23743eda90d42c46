"""Shares of money are those of whole numbers, however large, and no micro is lost between them."""

from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from payments.models import StoreTerms
from payments.money import share
from payments.store.purchases import MAXIMUM_PRICE_MICROS, divide

prices = st.integers(0, MAXIMUM_PRICE_MICROS)
parts = st.integers(0, 1_000_000)


@given(amount=prices, parts_per_million=parts)
@example(amount=100, parts_per_million=290_000)  # 28.999999999999996 in floats
@example(amount=9_990_000, parts_per_million=410_000)  # 4095899.9999999995
def test_a_share_is_the_fraction_rounded_down(amount: int, parts_per_million: int) -> None:
    exact = floor(Fraction(amount) * parts_per_million / 1_000_000)
    assert share(amount, parts_per_million=parts_per_million) == exact


@pytest.fixture
def terms(now: datetime) -> StoreTerms:
    return StoreTerms.objects.create(
        provider="fake", effective_from=now - timedelta(days=1), fee_parts_per_million=0
    )


@given(gross=prices, tax=parts, fee=parts)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_tax_fee_and_net_are_the_price(
    terms: StoreTerms, now: datetime, gross: int, tax: int, fee: int
) -> None:
    terms.tax_parts_per_million, terms.fee_parts_per_million = tax, fee
    terms.save()

    divided = divide(provider="fake", gross_micros=gross, at=now)

    before_tax = floor(Fraction(gross) / (1 + Fraction(tax, 1_000_000)))
    assert divided.tax_micros == gross - before_tax
    assert divided.fee_micros == floor(before_tax * Fraction(fee, 1_000_000))
    assert divided.net_micros == before_tax - divided.fee_micros
