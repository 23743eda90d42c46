"""A subscription is open by its state and its line's end, and its last paid period is what its order says."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from payments.providers.base import (
    Fault,
    Owed,
    PaidPeriod,
    PriceConsent,
    ProviderError,
    State,
    SubscriptionSnapshot,
)
from tests.payments.providers.google import play
from tests.payments.providers.google.play import (
    NOW,
    TOKEN,
    Play,
    hint,
    money,
    order_line,
    period,
    subscription_line,
)

ENDS = datetime(2026, 12, 28, 11, 0, tzinfo=UTC)
STARTS = datetime(2026, 11, 28, 11, 0, tzinfo=UTC)
INTENT = UUID("0192f0a0-0000-7000-8000-000000000002")
ORDER = "GPA.5555-6666-7777-88888"


def has_order(google: Play, **changes: Any) -> None:
    given = {"orderId": ORDER, "lineItems": [order_line("vip", total=money("18"), **period())]}
    google.has_order(**(given | changes))


def told(google: Play) -> SubscriptionSnapshot:
    (fact,) = google.adapter.facts_of(hint(), now=NOW)
    assert isinstance(fact, SubscriptionSnapshot)
    return fact


EXPECTED = SubscriptionSnapshot(
    environment="production",
    subscription_id=TOKEN,
    store_product_id="vip",
    state=State.ACTIVE,
    account_token=UUID("0192f0a0-0000-7000-8000-000000000001"),
    access_until=ENDS,
    renews_as="vip",
    as_of=NOW,
    period=PaidPeriod(
        transaction_id=ORDER,
        store_product_id="vip",
        starts_at=STARTS,
        ends_at=ENDS,
        price_micros=18_000_000,
        currency="AUD",
        purchased_at=datetime(2026, 11, 28, 11, 59, tzinfo=UTC),
    ),
    owed=Owed.ACKNOWLEDGE,
)


def test_an_active_subscription_is_what_google_and_its_order_say() -> None:
    google = Play()
    google.has_subscription()
    has_order(google)

    assert told(google) == EXPECTED


@pytest.mark.parametrize(
    ("profile", "intent_id"), [(str(INTENT), INTENT), ("a word of the app's", None)]
)
def test_the_intent_is_the_profile_where_that_is_an_id(
    profile: str, intent_id: UUID | None
) -> None:
    google = Play()
    said = {"obfuscatedExternalAccountId": "4711", "obfuscatedExternalProfileId": profile}
    google.has_subscription(externalAccountIdentifiers=said)

    assert (told(google).account_token, told(google).intent_id) == (None, intent_id)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("GPA.1-2..2", ["GPA.1-2..1", "GPA.1-2..0", "GPA.1-2"]),
        ("GPA.1-2..0", ["GPA.1-2"]),
        ("GPA.1-2..1#vip", ["GPA.1-2..0#vip", "GPA.1-2#vip"]),
        ("GPA.1-2", []),
        ("GPA.1-2..x", []),
        ("", []),
    ],
)
def test_the_periods_before_one_are_counted_down_to_the_first(name: str, before: list[str]) -> None:
    assert list(Play().adapter.before(name)) == before


def test_whoever_tells_it_is_the_same() -> None:
    google = Play()
    google.has_subscription()
    has_order(google)
    handed_in = {"product_id": "vip", "purchase_token": TOKEN, "is_subscription": True}

    asked = google.adapter.subscription(environment="production", subscription_id=TOKEN, now=NOW)
    assert asked == google.adapter.submitted(json.dumps(handed_in), now=NOW) == (EXPECTED,)


@pytest.mark.parametrize(
    ("state", "expected", "is_open"),
    [
        ("PENDING", State.PENDING, False),
        ("ACTIVE", State.ACTIVE, True),
        ("IN_GRACE_PERIOD", State.GRACE, True),
        ("CANCELED", State.CANCELLED, True),
        ("ON_HOLD", State.ON_HOLD, False),
        ("PAUSED", State.PAUSED, False),
        ("EXPIRED", State.EXPIRED, False),
        ("PENDING_PURCHASE_CANCELED", State.EXPIRED, False),
    ],
)
def test_is_open_by_its_state(state: str, expected: State, is_open: bool) -> None:
    google = Play()
    google.has_subscription(state)

    snapshot = told(google)
    assert (snapshot.state, snapshot.access_until) == (expected, ENDS if is_open else None)


@pytest.mark.parametrize("state", ["UNSPECIFIED", "SOMETHING_NEW", ""])
def test_a_state_that_is_not_known_is_no_verdict(state: str) -> None:
    google = Play()
    google.has_subscription(state)
    assert fault(google) is Fault.UNAVAILABLE


def fault(google: Play) -> Fault:
    with pytest.raises(ProviderError) as error:
        google.adapter.facts_of(hint(), now=NOW)
    return error.value.fault


def test_an_open_subscription_has_an_end() -> None:
    google = Play()
    google.has_subscription(lineItems=[subscription_line(expiryTime=None)])
    assert fault(google) is Fault.UNAVAILABLE


def test_in_grace_the_last_order_that_was_paid_counts() -> None:
    """`latestOrderId` is that of the renewal that is not paid."""
    google = Play()
    google.has_subscription("IN_GRACE_PERIOD", latestOrderId=f"{ORDER}..0")
    has_order(google)

    snapshot = told(google)
    assert snapshot.period is not None
    assert snapshot.period.transaction_id == ORDER


def test_a_renewal_is_named_by_its_own_order() -> None:
    google = Play()
    line = subscription_line(latestSuccessfulOrderId=f"{ORDER}..11")
    google.has_subscription(lineItems=[line])
    has_order(google, orderId=f"{ORDER}..11")

    snapshot = told(google)
    assert snapshot.subscription_id == TOKEN
    assert snapshot.period is not None
    assert snapshot.period.transaction_id == f"{ORDER}..11"


def test_a_free_trial_is_a_period_of_nothing() -> None:
    google = Play()
    google.has_subscription()
    has_order(google, lineItems=[order_line("vip", total=money("0"), **period())])

    snapshot = told(google)
    assert snapshot.period is not None
    assert snapshot.period.price_micros == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"lineItems": []},
        {"lineItems": [order_line("other", **period())]},
        {"lineItems": [order_line("vip", total=None, **period())]},
        {"lineItems": [order_line("vip")]},
        {"lineItems": [order_line("vip", subscriptionDetails={})]},
    ],
    ids=range(5),
)
@pytest.mark.parametrize("is_test", [False, True])
def test_what_no_order_says_is_not_booked_but_open(changes: dict[str, Any], is_test: bool) -> None:
    google = Play()
    google.has_subscription(testPurchase={} if is_test else None)
    has_order(google, **changes)

    snapshot = told(google)
    assert snapshot.access_until == ENDS
    assert (snapshot.period is None) is not is_test


@pytest.mark.parametrize("state", ["ACTIVE", "CANCELED"])
@pytest.mark.parametrize(
    ("started", "order_id", "ends", "heard"),
    [
        ("2026-11-28T10:30:00Z", ORDER, "2026-12-28T10:30:00Z", None),
        ("2026-11-14T11:00:00Z", f"{ORDER}..1", "2026-12-05T11:00:00Z", None),
        ("2026-10-28T11:00:00Z", f"{ORDER}..0", "2026-12-28T11:00:00Z", NOW),
    ],
    ids=["begun", "renewed by what a week is", "renewed by what was heard"],
)
def test_an_order_that_may_be_late_is_waited_for(
    state: str, started: str, order_id: str, ends: str, heard: datetime | None
) -> None:
    """Nobody asks again for a period that was not told of."""
    line = subscription_line(latestSuccessfulOrderId=order_id, expiryTime=ends)
    google = Play()
    google.has_subscription(state, startTime=started, lineItems=[line])
    del google.answers[f"orders/{ORDER}"]

    def snapshot(at: datetime) -> SubscriptionSnapshot:
        facts = google.adapter.subscription(environment="production", subscription_id=TOKEN, now=at)
        if heard is not None:
            facts = google.adapter.facts_of(hint(), now=at)
        (fact,) = facts
        assert isinstance(fact, SubscriptionSnapshot)
        return fact

    with pytest.raises(ProviderError) as late:
        snapshot(NOW)
    assert late.value.fault is Fault.UNAVAILABLE
    # Of a promotion there may never be one: what it opens is open all the same.
    assert snapshot(NOW + timedelta(hours=3)).period is None

    has_order(google, orderId=order_id)
    assert snapshot(NOW).period is not None


def test_what_ended_waits_for_no_order() -> None:
    google = Play()
    google.has_subscription("EXPIRED")
    del google.answers[f"orders/{ORDER}"]
    assert told(google).period is None


@pytest.mark.parametrize(
    ("order_id", "starts_at"),
    [
        (ORDER, STARTS),
        (f"{ORDER}..0", STARTS + (ENDS - STARTS) / 2),
        (f"{ORDER}..4", ENDS - (ENDS - STARTS) / 6),
    ],
)
def test_a_test_purchases_period_is_estimated(order_id: str, starts_at: datetime) -> None:
    google = Play()
    line = subscription_line(latestSuccessfulOrderId=order_id)
    google.has_subscription(testPurchase={}, lineItems=[line])

    snapshot = told(google)
    assert snapshot.environment == "sandbox"
    assert snapshot.period == PaidPeriod(
        transaction_id=order_id,
        store_product_id="vip",
        starts_at=starts_at,
        ends_at=ENDS,
        price_micros=16_990_000,
        currency="AUD",
        purchased_at=starts_at,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"startTime": None},
        {"lineItems": [subscription_line(latestSuccessfulOrderId=None)]},
        {"lineItems": [subscription_line(autoRenewingPlan=None, prepaidPlan={})]},
        {"lineItems": [subscription_line(autoRenewingPlan={"autoRenewEnabled": True})]},
    ],
    ids=range(4),
)
def test_nothing_is_estimated_from_nothing(changes: dict[str, Any]) -> None:
    google = Play()
    google.has_subscription(testPurchase={}, **changes)
    assert told(google).period is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "vip"),
        ({"deferredItemReplacement": {"productId": "vip_year"}}, "vip_year"),
        ({"deferredItemRemoval": {}}, ""),
        ({"autoRenewingPlan": {"autoRenewEnabled": False}}, ""),
        ({"autoRenewingPlan": None, "prepaidPlan": {}}, ""),
    ],
    ids=repr,
)
def test_renews_as_what_the_next_period_will_be(changes: dict[str, Any], expected: str) -> None:
    google = Play()
    google.has_subscription(lineItems=[subscription_line(**changes)])
    assert told(google).renews_as == expected


def test_a_plan_that_is_to_come_is_not_owned_yet() -> None:
    """A deferred change has a line of its own, which no order has paid; what the app bought is that one."""
    google = Play()
    coming = subscription_line("vip_year", latestSuccessfulOrderId=None, expiryTime=None)
    now = subscription_line(deferredItemReplacement={"productId": "vip_year"})
    google.has_subscription(lineItems=[now, coming])

    snapshot = told(google)
    assert (snapshot.subscription_id, snapshot.store_product_id) == (TOKEN, "vip")
    assert snapshot.renews_as == "vip_year"
    handed_in = {"product_id": "vip_year", "purchase_token": TOKEN, "is_subscription": True}
    assert google.adapter.submitted(json.dumps(handed_in), now=NOW) == (snapshot,)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({}, PriceConsent.NONE),
        (
            {
                "priceChangeDetails": {
                    "priceChangeMode": "PRICE_INCREASE",
                    "priceChangeState": "OUTSTANDING",
                }
            },
            PriceConsent.PENDING,
        ),
        (
            {
                "priceChangeDetails": {
                    "priceChangeMode": "PRICE_INCREASE",
                    "priceChangeState": "CONFIRMED",
                }
            },
            PriceConsent.AGREED,
        ),
        (
            {
                "priceChangeDetails": {
                    "priceChangeMode": "PRICE_INCREASE",
                    "priceChangeState": "APPLIED",
                }
            },
            PriceConsent.NONE,
        ),
        (
            {
                "priceChangeDetails": {
                    "priceChangeMode": "PRICE_DECREASE",
                    "priceChangeState": "CONFIRMED",
                }
            },
            PriceConsent.NONE,
        ),
        (
            {
                "priceChangeDetails": {
                    "priceChangeMode": "OPT_OUT_PRICE_INCREASE",
                    "priceChangeState": "OUTSTANDING",
                }
            },
            PriceConsent.NONE,
        ),
        ({"priceStepUpConsentDetails": {"state": "PENDING"}}, PriceConsent.PENDING),
        ({"priceStepUpConsentDetails": {"state": "CONFIRMED"}}, PriceConsent.AGREED),
        ({"priceStepUpConsentDetails": {"state": "COMPLETED"}}, PriceConsent.NONE),
    ],
    ids=repr,
)
def test_tells_whether_a_higher_price_waits(plan: dict[str, Any], expected: PriceConsent) -> None:
    google = Play()
    line = subscription_line(autoRenewingPlan={"autoRenewEnabled": True, **plan})
    google.has_subscription(lineItems=[line])
    assert told(google).price_consent is expected


@pytest.mark.parametrize(
    ("state", "replaces"),
    [
        ("ACTIVE", "old-token"),
        ("CANCELED", "old-token"),
        ("EXPIRED", "old-token"),
        ("PENDING", ""),
    ],
)
def test_replaces_another_once_it_is_paid(state: str, replaces: str) -> None:
    google = Play()
    google.has_subscription(state, linkedPurchaseToken="old-token")
    assert told(google).replaces == replaces


def test_what_was_to_replace_another_and_never_will_tells_of_the_other() -> None:
    google = Play()
    google.has_subscription("PENDING_PURCHASE_CANCELED", linkedPurchaseToken="old-token")
    google.has_subscription(token="old-token")
    has_order(google)

    never, other = google.adapter.facts_of(hint(kind=20), now=NOW)
    assert isinstance(never, SubscriptionSnapshot)
    assert (never.subscription_id, never.state, never.replaces) == (TOKEN, State.EXPIRED, "")
    assert other == replace(EXPECTED, subscription_id="old-token")


def test_the_other_may_be_gone() -> None:
    google = Play()
    google.has_subscription("PENDING_PURCHASE_CANCELED", linkedPurchaseToken="old-token")
    assert told(google).state is State.EXPIRED
    google.answers["purchases/subscriptionsv2/tokens/old-token"] = play.refusal(503)
    assert fault(google) is Fault.UNAVAILABLE


def test_a_subscription_taken_up_again_in_the_store_is_whose_it_was() -> None:
    google = Play()
    before = {"obfuscatedExternalAccountId": "0192f0a0-0000-7000-8000-000000000001"}
    google.has_subscription(
        externalAccountIdentifiers=None,
        outOfAppPurchaseContext={
            "expiredPurchaseToken": "old-token",
            "expiredExternalAccountIdentifiers": before,
        },
    )
    snapshot = told(google)
    assert snapshot.account_token == EXPECTED.account_token
    assert snapshot.replaces == ""


@pytest.mark.parametrize(
    ("state", "acknowledgement", "owed"),
    [
        ("ACTIVE", "PENDING", Owed.ACKNOWLEDGE),
        ("CANCELED", "PENDING", Owed.ACKNOWLEDGE),
        ("ACTIVE", "ACKNOWLEDGED", None),
        ("PENDING", "PENDING", None),
        ("EXPIRED", "PENDING", None),
    ],
)
def test_owes_an_acknowledgement_once_it_is_paid(
    state: str, acknowledgement: str, owed: Owed | None
) -> None:
    google = Play()
    google.has_subscription(state, acknowledgementState=f"ACKNOWLEDGEMENT_STATE_{acknowledgement}")
    assert told(google).owed is owed


def test_each_of_several_lines_is_a_subscription_of_its_own() -> None:
    google = Play()
    later = subscription_line("sport", expiryTime="2027-01-28T11:00:00Z")
    google.has_subscription(lineItems=[subscription_line(), later])
    has_order(
        google,
        lineItems=[
            order_line("vip", total=money("18"), **period()),
            order_line("sport", total=money("5"), **period()),
        ],
    )
    facts = google.adapter.facts_of(hint(), now=NOW)

    named = [
        (
            fact.subscription_id,
            fact.access_until,
            fact.period.transaction_id,
            fact.period.price_micros,
        )
        for fact in facts
        if isinstance(fact, SubscriptionSnapshot) and fact.period is not None
    ]
    assert named == [
        (f"{TOKEN}#vip", ENDS, f"{ORDER}#vip", 18_000_000),
        (f"{TOKEN}#sport", ENDS + timedelta(days=31), f"{ORDER}#sport", 5_000_000),
    ]
    asked = google.adapter.subscription(
        environment="production", subscription_id=f"{TOKEN}#sport", now=NOW
    )
    assert asked == facts


def test_a_subscription_is_of_one_environment() -> None:
    google = Play()
    google.has_subscription(testPurchase={})
    with pytest.raises(ProviderError) as refused:
        google.adapter.subscription(environment="production", subscription_id=TOKEN, now=NOW)
    assert refused.value.fault is Fault.OTHER_ENVIRONMENT


def test_test_purchases_can_be_refused() -> None:
    google = Play(environments=frozenset({"production"}))
    google.has_subscription(testPurchase={})
    assert fault(google) is Fault.OTHER_ENVIRONMENT


def test_a_subscription_of_nothing_waits_for_what_it_is() -> None:
    google = Play()
    google.has_subscription("PENDING", lineItems=None, startTime=None)
    assert told(google).store_product_id == ""


def test_old_subscriptions_are_gone() -> None:
    google = Play()
    google.answers[f"purchases/subscriptionsv2/tokens/{TOKEN}"] = play.refusal(410)
    assert fault(google) is Fault.GONE
