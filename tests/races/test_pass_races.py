"""Passes that many connections bring at once: each covers once, and none lies on another."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from payments.models import Cover, PassPurchase, PassRefundBooking, Purchase, RefundOrigin, Wallet
from payments.providers.base import StoreTransaction
from payments.store import checkout, refunds
from payments.store.purchases import TransactionOfAnotherViewer
from payments.store.refunds import RefundFact
from tests import ledger_rules
from tests.factories.payments import StorePassFactory, StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from tests.races.crowd import at_once, connections

CALLERS = 50
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS + 1):
        yield


def sold(
    viewer_id: UUID, product_id: str, *, now: datetime, transaction_id: str | None = None
) -> StoreTransaction:
    return StoreTransaction(
        environment="production",
        transaction_id=transaction_id or f"test-{uuid4()}",
        store_product_id=product_id,
        account_token=viewer_id,
        intent_id=None,
        price_micros=9_990_000,
        currency="USD",
        purchased_at=now,
    )


@transaction.atomic
def submit(viewer_id: UUID, told: StoreTransaction, now: datetime) -> Any:
    """What was bought and whether this call booked it; the refusal of whoever came second."""
    try:
        return checkout.credit(viewer_id=viewer_id, provider="fake", transaction=told, now=now)
    except TransactionOfAnotherViewer as refusal:
        return refusal


def test_one_transaction_from_fifty_callers_gives_one_cover(now: datetime, proof: Proof) -> None:
    wrong = 0
    for _ in range(proof.rounds(full=100)):
        viewer_id = DeviceFactory().viewer_id
        told = sold(viewer_id, StorePassFactory().store_product_id, now=now)

        answers = at_once([partial(submit, viewer_id, told, now)] * CALLERS)

        wrong += [is_new for _, is_new in answers].count(True) != 1
        wrong += len({bought.id for bought, _ in answers}) != 1
        wrong += Cover.objects.filter(viewer_id=viewer_id).count() != 1
        wrong += Wallet.objects.get(viewer_id=viewer_id).covered_until != now + 7 * DAY

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P5", f"one pass's transaction from {CALLERS} callers", violations=wrong)


def test_one_transaction_of_two_viewers_covers_one_of_them(now: datetime, proof: Proof) -> None:
    wrong = 0
    for _ in range(proof.rounds(full=60)):
        viewers = [DeviceFactory().viewer_id for _ in "ab"]
        told = sold(viewers[0], StorePassFactory().store_product_id, now=now)

        answers = at_once([partial(submit, viewers[n % 2], told, now) for n in range(20)])

        refused = sum(isinstance(answer, TransactionOfAnotherViewer) for answer in answers)
        wrong += refused != 10
        wrong += PassPurchase.objects.filter(viewer_id__in=viewers).count() != 1

    assert wrong == 0
    proof.record("P5", "one pass's transaction from two viewers", violations=wrong)


def test_one_transaction_that_names_coins_and_a_pass_buys_one_of_them(
    now: datetime, proof: Proof
) -> None:
    """Half of the callers bring the fact that names coins, half that which names a pass."""
    wrong = 0
    named = [StorePassFactory().store_product_id, StoreProductFactory().store_product_id]
    for _ in range(proof.rounds(full=100)):
        viewer_id, name = DeviceFactory().viewer_id, f"test-{uuid4()}"
        told = [sold(viewer_id, each, now=now, transaction_id=name) for each in named]

        answers = at_once([partial(submit, viewer_id, told[n % 2], now) for n in range(20)])

        found = [
            *Purchase.objects.filter(transaction_id=name),
            *PassPurchase.objects.filter(transaction_id=name),
        ]
        wrong += len(found) != 1
        wrong += {bought.id for bought, _ in answers} != {each.id for each in found}
        wrong += [is_new for _, is_new in answers].count(True) != 1

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P5", "one transaction that names coins and a pass, 20 callers", violations=wrong)


def test_passes_bought_at_one_moment_stand_in_a_row(now: datetime, proof: Proof) -> None:
    wrong = 0
    product_id = StorePassFactory().store_product_id
    for _ in range(proof.rounds(full=60)):
        viewer_id = DeviceFactory().viewer_id
        bought = [sold(viewer_id, product_id, now=now) for _ in range(CALLERS)]

        at_once([partial(submit, viewer_id, told, now) for told in bought])

        rows = list(PassPurchase.objects.filter(viewer_id=viewer_id).order_by("starts_at"))
        wrong += [row.starts_at for row in rows] != [now + 7 * n * DAY for n in range(CALLERS)]
        wrong += any(one.ends_at != next_.starts_at for one, next_ in pairwise(rows))
        wrong += Wallet.objects.get(viewer_id=viewer_id).covered_until != rows[-1].ends_at

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P5", f"{CALLERS} passes bought at one moment", violations=wrong)


def test_a_pass_and_its_refund_that_meet_end_in_no_cover(now: datetime, proof: Proof) -> None:
    wrong = 0
    product_id = StorePassFactory().store_product_id
    for _ in range(proof.rounds(full=100)):
        viewer_id = DeviceFactory().viewer_id
        told = sold(viewer_id, product_id, now=now)
        fact = RefundFact(
            provider="fake",
            environment="production",
            transaction_id=told.transaction_id,
            refund_id=refunds.ALL,
            origin=RefundOrigin.STORE,
            refunded_at=now,
        )

        @transaction.atomic
        def record(fact: RefundFact = fact) -> None:
            refunds.record(fact, now=now)

        at_once([*[partial(submit, viewer_id, told, now)] * 5, *[record] * 5])

        wrong += PassRefundBooking.objects.filter(purchase__viewer_id=viewer_id).count() != 1
        wrong += Cover.objects.get(viewer_id=viewer_id).closed_at != now
        wrong += Wallet.objects.get(viewer_id=viewer_id).covered_until is not None

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P6", "a pass and its refund at one moment", violations=wrong)
