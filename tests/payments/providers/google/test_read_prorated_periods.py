"""A plan is changed at Google Play: its order says whether it paid a period, or only the rest of one."""

from typing import Any

import pytest

from payments.providers.base import SubscriptionSnapshot
from tests.payments.providers.google.play import (
    NOW,
    SUBSCRIBED,
    Play,
    hint,
    money,
    order_line,
    period,
)


def told(google: Play, phase: dict[str, Any] | None) -> SubscriptionSnapshot:
    members = period()
    if phase is not None:
        members["subscriptionDetails"]["offerPhaseDetails"] = phase
    google.has_order(orderId=SUBSCRIBED, lineItems=[order_line("vip", total=money("2"), **members)])
    google.has_subscription(linkedPurchaseToken="old-token")
    (fact,) = google.adapter.facts_of(hint(), now=NOW)
    assert isinstance(fact, SubscriptionSnapshot)
    return fact


@pytest.mark.parametrize(
    ("phase", "is_prorated"),
    [
        (None, False),
        ({}, False),
        ({"baseDetails": {}}, False),
        ({"introductoryPriceDetails": {}}, False),
        # CHARGE_PRORATED_PRICE and WITH_TIME_PRORATION.
        ({"prorationPeriodDetails": {}}, True),
        # CHARGE_FULL_PRICE: a whole period behind what was left of the other.
        ({"prorationPeriodDetails": {"originalOfferPhase": "BASE"}}, False),
        ({"prorationPeriodDetails": {"originalOfferPhase": "INTRODUCTORY"}}, False),
        ({"prorationPeriodDetails": {"originalOfferPhase": "FREE_TRIAL"}}, True),
    ],
)
def test_a_period_is_prorated_where_its_order_paid_no_whole_one(
    phase: dict[str, Any] | None, is_prorated: bool
) -> None:
    found = told(Play(), phase)

    assert found.period is not None
    assert (found.period.is_prorated, found.period.is_paid_by_credit) == (is_prorated, False)
    assert (found.period.price_micros, found.replaces) == (2_000_000, "old-token")
