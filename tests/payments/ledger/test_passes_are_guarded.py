"""What verification finds of passes that somebody has changed behind their functions' backs."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import Error, IntegrityError, connection, transaction

from payments.ledger import verification
from payments.models import PassIntent, PassPurchase
from payments.providers.base import State
from payments.store import pass_purchases
from tests import ledger_rules
from tests.factories.payments import StorePassFactory, as_owner, buy_pass, fund, signed_sale, told
from tests.factories.viewers import DeviceFactory
from tests.payments.ledger.days.story import money_back
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device

DAY = timedelta(days=1)


@pytest.fixture
def story(device: Device, now: datetime) -> None:
    """Passes that follow each other, one promised by an intent, refunds of a part and of all, a reversal."""
    fund(device.viewer_id, now=now)
    product = StorePassFactory()
    intent, _ = pass_purchases.create_intent(
        viewer_id=device.viewer_id,
        environment="production",
        pass_id=product.pass_product_id,
        provider="fake",
        now=now,
    )
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, intent_id=intent.id)
    pass_purchases.credit(
        viewer_id=device.viewer_id,
        provider="fake",
        transaction=told(signed, now=now),
        now=now,
    )
    month = buy_pass(device.viewer_id, now=now, months=1)
    money_back(month, now + DAY, refund_id="part", amount_micros=3_000_000)
    other = DeviceFactory().viewer_id
    closed, restored = buy_pass(other, now=now), buy_pass(other, now=now)
    money_back(closed, now + DAY)
    money_back(restored, now + DAY)
    money_back(restored, now + 2 * DAY, refunded_at=None, reversed_at=now + 2 * DAY)
    subscribe(now)


def subscribe(now: datetime) -> None:
    """One that renewed and was told of late, one whose money went back, one that took another's place."""
    kept, refunded, replaced, successor = (
        Story(DeviceFactory().viewer_id, now, plan(coins=10), name=name)
        for name in ("kept", "refunded", "replaced", "successor")
    )
    tell(kept.paid(0), now=now)
    tell(kept.paid(1), now=kept.begins(1))
    tell(kept.says(State.GRACE, at=now + DAY, until=now + 2 * DAY), now=kept.begins(1))
    tell(refunded.paid(0), now=now)
    tell(refunded.refund(0, at=now + DAY), now=now + DAY)
    tell(replaced.paid(0), now=now)
    tell(successor.paid(0, replaces="replaced"), now=now + DAY)


COVERED = "a pass that was bought has its cover, and a cover that was bought its pass"
BOOKED = "refunds of a pass took their part of what was paid, and what stands is booked"
UNDONE = "what undoes a refund of a pass is its opposite"
ALONE = "a pass that was bought has its time to itself"
PROMISED = "an intent's promise is kept once, to its own viewer"
EARNED = "a subscription's period is earned from when it was heard of to its end"
OF_ITS_STORE = "a period is of a subscription in its store and environment"
TOLD = "a subscription is where the latest telling of it has put it"
GIVEN = "a cover of a subscription is one that a subscription gave"
OPENS = "a subscription covers its viewer for as long as it opens, and no longer"
ENDS = "a pass covers to its end, unless all of its money has gone back"
DAMAGE = [
    (COVERED, "UPDATE payments_cover SET reference = reference || '!'"),
    (COVERED, "UPDATE payments_cover SET source = 'grant'"),
    (COVERED, "UPDATE payments_cover SET ends_at = ends_at + interval '1 second'"),
    (COVERED, "UPDATE payments_passpurchase SET environment = 'sandbox'"),
    (COVERED, "UPDATE payments_passrefundbooking SET cover_id = NULL"),
    (
        "a store transaction buys coins or a pass, not both",
        (
            "UPDATE payments_purchase SET transaction_id ="
            " (SELECT transaction_id FROM payments_passpurchase LIMIT 1)"
        ),
    ),
    ("a pass lasts as long as was sold", "UPDATE payments_passpurchase SET period_days = 8"),
    (
        "a pass lasts as long as was sold",
        "UPDATE payments_passpurchase SET anchor_at = anchor_at - interval '1 hour'",
    ),
    (ALONE, "UPDATE payments_passpurchase SET starts_at = created_at"),
    (
        ALONE,
        (
            "UPDATE payments_cover SET ends_at = ends_at + interval '1 second'"
            " WHERE id = (SELECT min(id::text)::uuid FROM payments_cover)"
        ),
    ),
    (
        "a pass's net is what tax and the store's fee leave of its price",
        "UPDATE payments_passpurchase SET net_micros = net_micros - 1",
    ),
    (PROMISED, "UPDATE payments_passintent SET period_days = 30"),
    (PROMISED, "UPDATE payments_passpurchase SET intent_id = (SELECT id FROM payments_passintent)"),
    (BOOKED, "UPDATE payments_passrefundbooking SET gross_micros = gross_micros * 9"),
    (BOOKED, "UPDATE payments_passrefundbooking SET net_micros = net_micros + 1"),
    (BOOKED, "UPDATE payments_refund SET pass_booking_id = NULL"),
    (BOOKED, "UPDATE payments_refund SET pass_purchase_id = NULL"),
    (UNDONE, "UPDATE payments_passrefundbooking SET fee_micros = fee_micros + 1"),
    (UNDONE, "UPDATE payments_refund SET pass_booking_id = NULL"),
    (ENDS, "UPDATE payments_cover SET closed_at = created_at"),
    (ENDS, "UPDATE payments_cover SET closed_at = NULL"),
    (EARNED, "UPDATE payments_passpurchase SET store_ends_at = store_ends_at + interval '1 day'"),
    (EARNED, "UPDATE payments_passpurchase SET store_starts_at = ends_at"),
    (OF_ITS_STORE, "UPDATE payments_subscription SET environment = 'sandbox'"),
    (OF_ITS_STORE, "UPDATE payments_passpurchase SET provider = 'apple'"),
    (TOLD, "DELETE FROM payments_subscriptionchange"),
    (TOLD, "UPDATE payments_subscriptionchange SET is_outdated = NOT is_outdated"),
    (TOLD, "UPDATE payments_subscriptionchange SET since = as_of"),
    (TOLD, "UPDATE payments_subscriptionchange SET as_of = as_of - (as_of - created_at) * 9"),
    *(
        (TOLD, f"UPDATE payments_subscription SET {changed}")
        for changed in (
            "state = 'expired'",
            "access_until = access_until + interval '1 second'",
            "access_until = NULL",
            "renews_as_id = NULL",
            "renews_as_name = 'another'",
            "ownership = 'family_shared'",
            "price_consent = 'pending'",
            "as_of = as_of + interval '1 second'",
            "product_id = (SELECT id FROM payments_passproduct WHERE NOT is_renewing LIMIT 1)",
            "replaces = '' WHERE replaces <> ''",
        )
    ),
    (GIVEN, "DELETE FROM payments_subscriptioncover"),
    (GIVEN, "UPDATE payments_cover SET source = 'grant' WHERE source = 'subscription'"),
    (GIVEN, "UPDATE payments_subscriptioncover SET ended_by = ''"),
    (GIVEN, "UPDATE payments_subscriptioncover SET ended_by = 'told' WHERE ended_by = ''"),
    (
        GIVEN,
        "UPDATE payments_cover SET environment = 'sandbox' WHERE source = 'subscription'",
    ),
    (GIVEN, "UPDATE payments_cover SET reference = '!' || reference WHERE source = 'subscription'"),
    (OPENS, "UPDATE payments_cover SET closed_at = NULL WHERE source = 'subscription'"),
    (OPENS, "UPDATE payments_cover SET closed_at = created_at WHERE source = 'subscription'"),
    (
        OPENS,
        "UPDATE payments_cover SET ends_at = ends_at + interval '1 s' WHERE source = 'subscription'",
    ),
    (OPENS, "UPDATE payments_subscription SET replaces = ''"),
    (OPENS, "UPDATE payments_subscription SET state = 'on_hold'"),
    (
        OPENS,
        "UPDATE payments_subscription SET viewer_id = (SELECT viewer_id FROM payments_purchase)",
    ),
    (OPENS, "UPDATE payments_refund SET pass_booking_id = NULL"),
]


def test_verification_names_the_rule_that_damage_breaks(story: None) -> None:
    assert ledger_rules.broken() == []
    unseen = []
    for rule, damage in DAMAGE:
        with transaction.atomic():
            with as_owner() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute(damage)
                assert cursor.rowcount
            if rule not in {violation.rule for violation in verification.violations()}:
                unseen.append((rule, damage))
            transaction.set_rollback(True)

    assert unseen == []


def test_every_rule_of_passes_is_broken_by_some_damage() -> None:
    text = Path(settings.BASE_DIR, "payments", "sql", "verify_passes.sql").read_text("utf-8")
    assert set(re.findall(r"^-- check: (.+)$", text, re.MULTILINE)) == {rule for rule, _ in DAMAGE}


@pytest.mark.parametrize(
    "changes",
    [
        "net_micros = -1",
        "gross_micros = -1",
        "ends_at = starts_at",
        "starts_at = created_at - interval '1 second'",
    ],
)
def test_the_database_refuses_what_no_purchase_can_be(
    device: Device, now: datetime, changes: str
) -> None:
    buy_pass(device.viewer_id, now=now)
    with pytest.raises(IntegrityError), transaction.atomic(), as_owner() as cursor:
        cursor.execute(f"UPDATE payments_passpurchase SET {changes}")


def test_one_transaction_is_one_row(device: Device, now: datetime) -> None:
    bought = buy_pass(device.viewer_id, now=now)
    buy_pass(device.viewer_id, now=now)
    with pytest.raises(IntegrityError), transaction.atomic(), as_owner() as cursor:
        cursor.execute(
            "UPDATE payments_passpurchase SET transaction_id = %s", [bought.transaction_id]
        )


def test_the_application_gives_no_cover_by_itself(device: Device, now: datetime) -> None:
    refusal = pytest.raises(Error, match="permission denied")
    with refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_give_cover(%s, 'production', 'pass', 'x', %s, %s, %s)",
            [device.viewer_id, now, now + DAY, now],
        )
    assert not PassPurchase.objects.exists()


def test_an_intent_once_made_is_never_changed(device: Device, now: datetime) -> None:
    product = StorePassFactory()
    promise: dict[str, Any] = {
        "viewer_id": device.viewer_id,
        "environment": "production",
        "pass_id": product.pass_product_id,
        "provider": "fake",
    }
    pass_purchases.create_intent(**promise, now=now)
    with pytest.raises(Error, match="permission denied"), transaction.atomic():
        PassIntent.objects.update(period_days=365)
