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
from payments.store import pass_purchases
from tests.factories.payments import StorePassFactory, as_owner, buy_pass, fund, signed_sale, told
from tests.factories.viewers import DeviceFactory
from tests.payments.ledger.days.story import money_back
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


COVERED = "a pass that was bought has its cover, and a cover that was bought its pass"
BOOKED = "refunds of a pass took their part of what was paid, and what stands is booked"
UNDONE = "what undoes a refund of a pass is its opposite"
ALONE = "a pass that was bought has its time to itself"
PROMISED = "an intent's promise is kept once, to its own viewer"
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
]


def test_verification_names_the_rule_that_damage_breaks(story: None) -> None:
    assert list(verification.violations()) == []
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
