"""A notification says what it is about, all of it, whether it comes first or last."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from appstoreserverlibrary.models.NotificationTypeV2 import NotificationTypeV2
from appstoreserverlibrary.models.Subtype import Subtype

from payments.providers.apple import notifications
from payments.providers.base import (
    Facts,
    Fault,
    Message,
    Ownership,
    PaidPeriod,
    PriceConsent,
    RawMessage,
    RefundQuestion,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from tests.payments.providers.apple.pieces import (
    APP,
    BUNDLE,
    NOW,
    STORE,
    TOKEN,
    adapter,
    apples_notification,
    apples_settings,
    message,
    milliseconds,
    notification,
    period,
    refusal,
    renewal,
    transaction,
)

ID = "2000000000000001"
LATER = NOW + timedelta(days=3)
IN_GRACE = NOW + timedelta(days=16)


def facts(told: RawMessage, *, now: datetime = NOW) -> Facts:
    return adapter().facts_of(told, now=now)


def snapshot(told: RawMessage) -> SubscriptionSnapshot:
    """The state of now, which comes last of a notification's snapshots."""
    return [one for one in facts(told) if isinstance(one, SubscriptionSnapshot)][-1]


def by_apple(name: str) -> tuple[Message, Facts]:
    ours, told = adapter(apples_settings()), apples_notification(name)
    return ours.read_message(told, now=NOW), ours.facts_of(told, now=NOW)


@pytest.mark.parametrize(
    ("name", "state", "renews_as", "access_until"),
    [
        ("01_DID_RENEW_NONE", State.ACTIVE, "pro_sub", 1759302732),
        ("02_SUBSCRIBED_RESUBSCRIBE", State.ACTIVE, "pro_sub", 1759388947),
        (
            "03_DID_CHANGE_RENEWAL_STATUS_AUTO_RENEW_DISABLED",
            State.CANCELLED,
            "",
            1759388947,
        ),
        ("04_EXPIRED_VOLUNTARY", State.EXPIRED, "", None),
        ("06_DID_CHANGE_RENEWAL_PREF_UPGRADE", State.ACTIVE, "pro_sub", 1759727970),
    ],
)
def test_reads_the_life_of_a_subscription_that_apple_sold(
    name: str, state: State, renews_as: str, access_until: int | None
) -> None:
    told, (found,) = by_apple(name)

    assert told.is_known
    assert told.environment == found.environment == "sandbox"
    assert found.subscription_id == "2000001024993299"
    assert found.state is state
    assert found.renews_as == (f"com.getsession.org.{renews_as}" if renews_as else "")
    assert found.access_until == (access_until and datetime.fromtimestamp(access_until, tz=UTC))
    assert (found.period.price_micros, found.period.currency) == (1_990_000, "AUD")
    assert found.as_of == told.occurred_at


def test_ends_a_life_that_apple_told_in_whatever_order_it_comes() -> None:
    names = [
        "04_EXPIRED_VOLUNTARY",
        "01_DID_RENEW_NONE",
        "03_DID_CHANGE_RENEWAL_STATUS_AUTO_RENEW_DISABLED",
        "02_SUBSCRIBED_RESUBSCRIBE",
    ]
    told = [fact for name in names for fact in by_apple(name)[1]]

    assert max(told, key=lambda each: each.as_of).state is State.EXPIRED
    assert {each.period.transaction_id for each in told} == {
        "2000001024998954",
        "2000001025686313",
    }


def test_takes_a_renewal_that_apple_signed_before_it_begins() -> None:
    told, (found,) = by_apple("01_DID_RENEW_NONE")

    assert told.type == "DID_RENEW"
    assert found.period.starts_at - found.as_of == timedelta(seconds=33, milliseconds=165)


def test_tells_apples_question_about_a_period_long_past_from_the_state_of_today() -> None:
    told, (bought, now, question) = by_apple("13_CONSUMPTION_REQUEST_NONE")

    assert told.type == "CONSUMPTION_REQUEST"
    assert question == RefundQuestion(
        environment="sandbox",
        transaction_id="2000001032604840",
        question_id="15101c57-7b3d-49c2-8adf-74ac2740ea8c",
        asked_at=told.occurred_at,
        reason="UNINTENDED_PURCHASE",
    )
    assert bought.period.transaction_id == question.transaction_id
    assert bought.as_of == bought.period.starts_at
    assert (now.state, now.period) == (State.ACTIVE, None)
    assert now.store_product_id == "com.getsession.org.pro_sub_3_months"
    assert now.access_until == datetime.fromtimestamp(1760592314, tz=UTC)


def test_knows_what_the_library_knows() -> None:
    assert {one.value for one in NotificationTypeV2} == notifications.TYPES
    assert {one.value for one in Subtype} == notifications.SUBTYPES - {
        "CREATED",
        "ACTIVE_TOKEN_REMINDER",
    }


@pytest.mark.parametrize("type_", sorted(notifications.TYPES))
def test_reads_every_type(type_: str) -> None:
    told = adapter().read_message(notification(type_), now=NOW)

    assert told == Message(
        environment="production",
        event_id="002e14d5-51f5-4503-b5a8-c3a1af68eb20",
        type=type_,
        occurred_at=NOW,
        is_known=True,
    )
    assert facts(notification(type_)) == ()


@pytest.mark.parametrize("subtype", sorted(notifications.SUBTYPES))
def test_reads_every_subtype(subtype: str) -> None:
    told = adapter().read_message(notification("SUBSCRIBED", subtype), now=NOW)

    assert (told.type, told.is_known) == (f"SUBSCRIBED.{subtype}", True)


@pytest.mark.parametrize("named", [("TELEPORTED", None), ("DID_RENEW", "TWICE")])
def test_makes_nothing_of_what_it_does_not_know(named: tuple[str, str | None]) -> None:
    told = notification(*named)

    assert not adapter().read_message(told, now=NOW).is_known
    assert facts(told) == ()


@pytest.mark.parametrize(
    "payload",
    [
        {"summary": {"environment": "Production", "bundleId": BUNDLE, "appAppleId": APP}},
        {"appData": {"environment": "Production", "bundleId": BUNDLE, "appAppleId": APP}},
        {"externalPurchaseToken": {"bundleId": BUNDLE, "appAppleId": APP}},
    ],
)
def test_reads_what_is_about_no_transaction(payload: dict[str, Any]) -> None:
    told = notification("RENEWAL_EXTENSION", "SUMMARY", data=None, **payload)

    assert adapter().read_message(told, now=NOW).environment == "production"
    assert facts(told) == ()


def test_knows_the_sandbox_by_a_tokens_name() -> None:
    token = {"externalPurchaseId": "SANDBOX_b2158121", "bundleId": BUNDLE}
    told = notification("EXTERNAL_PURCHASE_TOKEN", data=None, externalPurchaseToken=token)

    assert adapter().read_message(told, now=NOW).environment == "sandbox"


def test_reads_a_purchase() -> None:
    told = notification("ONE_TIME_CHARGE", of=transaction(quantity=3, price=14_970))

    assert facts(told) == (
        StoreTransaction(
            environment="production",
            transaction_id=ID,
            store_product_id="coins.500",
            account_token=UUID(TOKEN),
            price_micros=14_970_000,
            currency="USD",
            purchased_at=NOW,
            quantity=3,
        ),
    )


def test_reads_a_subscription() -> None:
    told = notification("SUBSCRIBED", "INITIAL_BUY", of=period(), renewing=renewal())
    end = NOW + timedelta(days=30)

    assert facts(told) == (
        SubscriptionSnapshot(
            environment="production",
            subscription_id=ID,
            store_product_id="vip.month",
            state=State.ACTIVE,
            account_token=UUID(TOKEN),
            access_until=end,
            renews_as="vip.month",
            as_of=NOW,
            period=PaidPeriod(
                transaction_id=ID,
                store_product_id="vip.month",
                starts_at=NOW,
                ends_at=end,
                price_micros=9_990_000,
                currency="USD",
                purchased_at=NOW,
            ),
        ),
    )


GRACE = {"gracePeriodExpiresDate": milliseconds(IN_GRACE), "isInBillingRetryPeriod": True}


@pytest.mark.parametrize(
    ("status", "changed", "state", "access_until", "renews_as"),
    [
        (1, {}, State.ACTIVE, NOW + timedelta(days=30), "vip.month"),
        (1, {"autoRenewStatus": 0}, State.CANCELLED, NOW + timedelta(days=30), ""),
        (2, {"autoRenewStatus": 0, "expirationIntent": 1}, State.EXPIRED, None, ""),
        (3, {"isInBillingRetryPeriod": True}, State.BILLING_RETRY, None, "vip.month"),
        (4, GRACE, State.GRACE, IN_GRACE, "vip.month"),
        (5, {"autoRenewStatus": 0}, State.REVOKED, None, ""),
        (1, {"autoRenewProductId": "vip.week"}, State.ACTIVE, NOW + timedelta(days=30), "vip.week"),
        (4, GRACE | {"autoRenewStatus": 0}, State.GRACE, IN_GRACE, ""),
        (4, {}, State.GRACE, None, "vip.month"),
        (None, {}, State.ACTIVE, NOW + timedelta(days=30), "vip.month"),
        (None, GRACE, State.GRACE, IN_GRACE, "vip.month"),
        (None, {"isInBillingRetryPeriod": True}, State.BILLING_RETRY, None, "vip.month"),
        (9, {"autoRenewStatus": 0}, State.CANCELLED, NOW + timedelta(days=30), ""),
    ],
)
def test_reads_where_a_subscription_is(
    status: int | None,
    changed: dict[str, Any],
    state: State,
    access_until: datetime | None,
    renews_as: str,
) -> None:
    told = notification(
        "DID_RENEW", of=period(), renewing=renewal(**changed), about={"status": status}
    )
    found = snapshot(told)

    assert (found.state, found.access_until, found.renews_as) == (state, access_until, renews_as)


def test_reads_a_status_without_renewal_information() -> None:
    told = notification("DID_RENEW", of=period(), about={"status": 1})

    assert (snapshot(told).state, snapshot(told).renews_as) == (State.ACTIVE, "vip.month")


def test_reads_an_end_by_its_date_where_no_status_says_so() -> None:
    told = notification(
        "EXPIRED",
        of=period(),
        renewing=renewal(),
        about={"status": None},
        at=NOW + timedelta(days=31),
    )

    assert snapshot(told).state is State.EXPIRED


@pytest.mark.parametrize(
    ("status", "consent"),
    [(None, PriceConsent.NONE), (0, PriceConsent.PENDING), (1, PriceConsent.AGREED)],
)
def test_reads_whether_a_higher_price_is_agreed_to(
    status: int | None, consent: PriceConsent
) -> None:
    told = notification("PRICE_INCREASE", of=period(), renewing=renewal(priceIncreaseStatus=status))

    assert snapshot(told).price_consent is consent


def refund(**changed: Any) -> dict[str, Any]:
    return {"revocationDate": milliseconds(LATER), "revocationReason": 1} | changed


@pytest.mark.parametrize(
    ("changed", "share"),
    [
        ({}, None),
        ({"revocationType": "REFUND_FULL", "revocationPercentage": 100_000}, None),
        ({"revocationType": "REFUND_PRORATED", "revocationPercentage": 67_932}, 679_320),
        ({"revocationType": "REFUND_PRORATED", "revocationPercentage": 15}, 150),
    ],
)
def test_reads_how_much_went_back(changed: dict[str, Any], share: int | None) -> None:
    bought, back = facts(notification("REFUND", of=transaction(**refund(**changed)), at=LATER))

    assert isinstance(bought, StoreTransaction)
    assert back == StoreRefund(
        environment="production",
        transaction_id=ID,
        refunded_at=LATER,
        share_parts_per_million=share,
        reason="app_issue",
    )


def test_reads_a_refund_whose_date_is_left_out() -> None:
    _, back = facts(notification("REFUND", of=transaction(), at=LATER))

    assert (back.refunded_at, back.reason) == (LATER, "")


def test_reads_a_refund_that_is_taken_back() -> None:
    bought, back = facts(notification("REFUND_REVERSED", of=transaction(), at=LATER))

    assert isinstance(bought, StoreTransaction)
    assert back == StoreRefund(environment="production", transaction_id=ID, reversed_at=LATER)


def test_makes_no_refund_of_one_that_was_declined() -> None:
    assert len(facts(notification("REFUND_DECLINED", of=transaction()))) == 1


def test_takes_a_refunded_period_for_no_end_of_the_subscription() -> None:
    """Apple's own: the refunded transaction is an older one, and the status is still active."""
    next_end = milliseconds(NOW + timedelta(days=60))
    told = notification(
        "REFUND", of=period(**refund()), renewing=renewal(renewalDate=next_end), at=LATER
    )

    bought, back, now = facts(told)

    assert (bought.period.transaction_id, bought.as_of) == (ID, NOW)
    assert (back.transaction_id, back.refunded_at) == (ID, LATER)
    assert (now.state, now.period) == (State.ACTIVE, None)
    assert now.access_until == NOW + timedelta(days=60)


def test_ends_a_subscription_whose_last_period_was_refunded() -> None:
    told = notification("REFUND", of=period(**refund()), renewing=renewal(), at=LATER)

    now, back = facts(told)

    assert (now.state, now.access_until) == (State.REVOKED, None)
    assert now.period.transaction_id == back.transaction_id


def test_reads_that_a_family_shares_no_more() -> None:
    lost = refund(revocationType="FAMILY_REVOKE", inAppOwnershipType="FAMILY_SHARED")
    told = notification(
        "REVOKE", of=period(**lost), renewing=renewal(), about={"status": 5}, at=LATER
    )

    (now,) = facts(told)

    assert (now.state, now.ownership, now.period) == (State.REVOKED, Ownership.FAMILY_SHARED, None)


def test_takes_no_money_from_a_family() -> None:
    shared = {"inAppOwnershipType": "FAMILY_SHARED"}
    (now,) = facts(notification("DID_RENEW", of=period(**shared), renewing=renewal()))
    assert (now.state, now.ownership, now.period) == (State.ACTIVE, Ownership.FAMILY_SHARED, None)

    for type_ in ("ONE_TIME_CHARGE", "REFUND", "REFUND_REVERSED"):
        one_time = transaction(type="Non-Consumable", **shared)
        assert facts(notification(type_, of=one_time)) == ()


def test_reads_an_upgrade_as_another_period_of_the_same_subscription() -> None:
    """It is worth more and may end sooner; what it replaced is marked so and is no state of now."""
    new = period(transactionId="2000000000000002", productId="vip.week", price=19_990)
    soon = milliseconds(NOW + timedelta(days=7))
    new["expiresDate"] = soon
    renewing = renewal(
        productId="vip.week", autoRenewProductId="vip.week", renewalDate=soon, renewalPrice=19_990
    )
    (now,) = facts(
        notification("DID_CHANGE_RENEWAL_PREF", "UPGRADE", of=new, renewing=renewing, at=LATER)
    )
    assert (now.subscription_id, now.store_product_id) == (ID, "vip.week")
    assert now.period.price_micros == 19_990_000

    old = notification("REFUND_DECLINED", of=period(isUpgraded=True), renewing=renewing, at=LATER)
    bought, still = facts(old)
    assert (bought.period.transaction_id, bought.as_of) == (ID, NOW)
    assert (still.store_product_id, still.period) == ("vip.week", None)


def test_says_nothing_of_an_upgraded_period_without_what_followed() -> None:
    told = notification("REFUND_DECLINED", of=period(isUpgraded=True), about={"status": 1})

    (bought,) = facts(told)

    assert bought.as_of == NOW


def test_says_no_price_that_was_not_told() -> None:
    (now,) = facts(notification("DID_RENEW", of=period(price=None), renewing=renewal()))
    (bought,) = facts(notification("ONE_TIME_CHARGE", of=transaction(currency=None)))

    assert (now.state, now.period) == (State.ACTIVE, None)
    assert (bought.price_micros, bought.currency) == (None, "")


def test_takes_a_free_period_for_paid() -> None:
    told = notification(
        "SUBSCRIBED",
        "INITIAL_BUY",
        of=period(price=0, offerDiscountType="FREE_TRIAL"),
        renewing=renewal(),
    )

    assert snapshot(told).period.price_micros == 0


@pytest.mark.parametrize("token", [None, "", "nobody", TOKEN.upper()])
def test_names_the_account_that_the_app_named(token: str | None) -> None:
    (bought,) = facts(notification("ONE_TIME_CHARGE", of=transaction(appAccountToken=token)))

    assert bought.account_token == (UUID(TOKEN) if token == TOKEN.upper() else None)


@pytest.mark.parametrize(
    ("of", "renewing", "fault"),
    [
        (transaction(bundleId="com.example"), None, Fault.FOREIGN),
        (transaction(environment="Sandbox"), None, Fault.OTHER_ENVIRONMENT),
        (period(), renewal(environment="Sandbox"), Fault.OTHER_ENVIRONMENT),
        (period(), renewal(originalTransactionId="7"), Fault.MALFORMED),
        (transaction(type="Lottery Ticket"), None, Fault.MALFORMED),
        (period(expiresDate=None), renewal(), Fault.MALFORMED),
        (period(originalTransactionId=None), renewal(), Fault.MALFORMED),
    ],
)
def test_refuses_what_does_not_fit_its_notification(
    of: dict[str, Any], renewing: dict[str, Any] | None, fault: Fault
) -> None:
    told = notification("DID_RENEW", of=of, renewing=renewing)

    assert adapter().read_message(told, now=NOW).is_known
    assert refusal(lambda: facts(told))[0] is fault


@pytest.mark.parametrize(
    "told",
    [
        notification("REFUND\x00"),
        notification("REFUND", "TWO WORDS"),
        notification("CONSUMPTION_REQUEST", about={"consumptionRequestReason": "\x00"}),
        notification("TEST", notificationUUID="x" * 101),
        notification("TEST", notificationUUID=None),
        notification(""),
    ],
)
def test_refuses_words_that_the_store_does_not_use(told: RawMessage) -> None:
    assert refusal(lambda: adapter().read_message(told, now=NOW))[0] is Fault.MALFORMED


def test_refuses_a_transaction_that_somebody_else_signed() -> None:
    told = notification("ONE_TIME_CHARGE", about={"signedTransactionInfo": "a.b.c"})

    assert refusal(lambda: facts(told))[0] is Fault.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b"\xff", b'{"signedPayload": 1}', b'{"signedPayload": ""}'),
        b'{"signedPayload":' + b"[" * 100_000,
        b"<html>",
        b" " * 300_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_refuses_a_body_that_is_no_notification(body: bytes) -> None:
    raw = RawMessage({}, body)

    for ask in (adapter().read_message, adapter().facts_of):
        assert refusal(lambda ask=ask: ask(raw, now=NOW))[0] is Fault.MALFORMED


def test_takes_members_that_are_added_later() -> None:
    told = message(
        STORE.sign(
            {
                "notificationType": "TEST",
                "notificationUUID": "1",
                "signedDate": milliseconds(NOW),
                "data": {"bundleId": BUNDLE, "appAppleId": APP, "environment": "Production"}
                | {"colour": "red"},
                "mood": [1],
            }
        )
    )

    assert adapter().read_message(told, now=NOW).type == "TEST"


@pytest.mark.parametrize(
    ("type_", "subtype"), [("DID_RENEW", "OF_ANOTHER_AGE"), ("OF_ANOTHER_AGE", None)]
)
def test_what_carries_a_transaction_is_applied_whatever_it_is_called(
    type_: str, subtype: str | None
) -> None:
    """The transaction and the renewal information say by themselves where the subscription is."""
    unknown = notification(type_, subtype, of=period(), renewing=renewal())
    renewed = notification("DID_RENEW", of=period(), renewing=renewal())
    assert adapter().read_message(unknown, now=NOW).is_known

    facts = adapter().facts_of(unknown, now=NOW)

    assert facts == adapter().facts_of(renewed, now=NOW)
    assert facts


@pytest.mark.parametrize("type_", ["ONE_TIME_CHARGE", "REFUND", "REFUND_REVERSED"])
def test_what_is_restored_on_another_device_keeps_its_name(type_: str) -> None:
    restored = transaction(type="Non-Consumable", transactionId="2000000000000099")
    told = facts(notification(type_, of=restored))
    assert {fact.transaction_id for fact in told if not isinstance(fact, SubscriptionSnapshot)} == {
        ID
    }


def test_what_is_consumed_is_bought_anew_each_time() -> None:
    again = transaction(transactionId="2000000000000099")
    (bought,) = facts(notification("ONE_TIME_CHARGE", of=again))
    assert isinstance(bought, StoreTransaction)
    assert bought.transaction_id == "2000000000000099"
