"""Stock, first top-ups and promo codes under fifty callers: never overrun, and each effect once."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.db.models import Sum
from pytest_django import Settings

from config.problems import Problem
from payments.desk import offer_policies as policies
from payments.desk.offer_policies import PolicyRefused
from payments.models import (
    ClaimState,
    Offer,
    OfferClaim,
    OfferKind,
    OfferPolicy,
    PromoCode,
    PromoRedemption,
    Purchase,
    PurchaseIntent,
    Transfer,
    Wallet,
)
from payments.providers.base import StoreTransaction
from payments.store import offer_claims, promo_codes, purchases
from tests import ledger_rules
from tests.factories import offer_policies
from tests.factories.operators import operator
from tests.factories.payments import OfferFactory, PromoCodeFactory
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from tests.races.crowd import at_once, connections

CALLERS = 50

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS):
        yield


@pytest.fixture
def viewers() -> list[UUID]:
    return [DeviceFactory().viewer_id for _ in range(CALLERS)]


def told(call: Callable[[], object]) -> str:
    """What became of a call: a refusal by its code."""
    try:
        return str(call())
    except Problem as refusal:
        return refusal.code


def counted(answers: list[str]) -> dict[str, int]:
    return {answer: answers.count(answer) for answer in set(answers)}


def at_the_same_moment(calls: list[Callable[[], object]]) -> dict[str, int]:
    return counted(at_once([partial(told, call) for call in calls]))


def announce(offer: Offer, viewer_id: UUID, now: datetime) -> str:
    purchases.create_intent(
        viewer_id=viewer_id,
        environment="production",
        pack_id=offer.pack_id,
        provider="fake",
        offer_id=offer.id,
        now=now,
    )
    return "held"


def pay(intent: PurchaseIntent, *, paid: datetime, heard: datetime) -> str:
    """Credits a payment of an intent; `granted` with the offer's bonus, else `ordinary`."""
    sold = StoreTransaction(
        environment="production",
        transaction_id=f"race-{uuid4()}",
        store_product_id=intent.pack.store_products.get().store_product_id,
        account_token=intent.viewer_id,
        intent_id=intent.id,
        price_micros=intent.pack.price_micros,
        currency="USD",
        purchased_at=paid,
    )
    purchase, _ = purchases.credit(
        viewer_id=intent.viewer_id, provider="fake", transaction=sold, now=heard
    )
    return "granted" if purchases.was_granted(purchase) else "ordinary"


def redeem(promo: PromoCode, viewer_id: UUID, now: datetime) -> str:
    redeemed = promo_codes.redeem(
        viewer_id=viewer_id, environment="production", typed=promo.code, address=None, now=now
    )
    return "redeemed" if redeemed.is_new else "repeated"


def test_a_code_is_redeemed_as_often_as_it_may_be(
    viewers: list[UUID], now: datetime, proof: Proof
) -> None:
    chance = random.Random(proof.seed)  # noqa: S311
    for _ in range(proof.rounds(full=100)):
        promo = PromoCodeFactory(bonus_coins=7, maximum_redemptions=chance.randint(1, CALLERS + 5))
        left = min(promo.maximum_redemptions, CALLERS)

        answers = at_the_same_moment([partial(redeem, promo, viewer, now) for viewer in viewers])

        assert answers.get("redeemed", 0) == left
        assert answers.get("promo_code_used_up", 0) == CALLERS - left
        promo.refresh_from_db()
        assert promo.redeemed_count == promo.redemptions.count() == left
    given = Wallet.objects.aggregate(coins=Sum("bonus_coins"))["coins"]
    assert given == 7 * PromoRedemption.objects.count() == 7 * Transfer.objects.count()
    assert ledger_rules.broken() == []
    proof.record("P3", "a promo code with some redemptions left, 50 callers", violations=0)


def test_who_waits_for_the_last_redemption_of_a_code_is_told_that_it_is_gone(
    viewers: list[UUID], now: datetime
) -> None:
    promo = PromoCodeFactory(bonus_coins=7, maximum_redemptions=1)

    def ask() -> str:
        try:
            return told(partial(redeem, promo, viewers[1], now))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert redeem(promo, viewers[0], now) == "redeemed"
            waiting = pool.submit(ask)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=10) == "promo_code_used_up"

    promo.refresh_from_db()
    assert promo.redeemed_count == promo.redemptions.count() == 1


def test_one_viewer_redeems_a_code_once(now: datetime, proof: Proof) -> None:
    viewer_id = DeviceFactory().viewer_id
    for _ in range(proof.rounds(full=100)):
        promo = PromoCodeFactory(bonus_coins=7)

        answers = at_the_same_moment([partial(redeem, promo, viewer_id, now)] * CALLERS)

        assert answers == {"redeemed": 1, "repeated": CALLERS - 1}
        promo.refresh_from_db()
        assert promo.redeemed_count == promo.redemptions.count() == 1
    assert ledger_rules.broken() == []
    proof.record("P9", "a promo code by 50 callers of one viewer", violations=0)


def test_nobody_guesses_more_codes_than_the_limit(
    now: datetime, proof: Proof, settings: Settings
) -> None:
    settings.PROMO_WRONG_PER_VIEWER, settings.PROMO_WRONG_PER_ADDRESS = 8, 1000
    for number in range(proof.rounds(full=100)):
        viewer_id, promo = DeviceFactory().viewer_id, PromoCodeFactory()

        def guess(typed: str, viewer_id: UUID = viewer_id, where: int = number) -> object:
            return promo_codes.redeem(
                viewer_id=viewer_id,
                environment="production",
                typed=typed,
                address=f"2001:db8::{where:x}",
                now=now,
            )

        answers = at_the_same_moment([partial(guess, f"WRONG{n}") for n in range(CALLERS)])

        assert answers == {"promo_code_unknown": 8, "too_many_attempts": CALLERS - 8}
        assert told(partial(guess, promo.code)) == "too_many_attempts"
    proof.record("P9", "50 simultaneous guesses of promo codes against a limit", violations=0)


def test_no_more_places_are_held_or_sold_than_there_are(
    viewers: list[UUID], now: datetime, proof: Proof
) -> None:
    chance = random.Random(proof.seed)  # noqa: S311
    for _ in range(proof.rounds(full=100)):
        offer = OfferFactory(stock=chance.randint(1, CALLERS + 5))
        left = min(offer.stock, CALLERS)

        answers = at_the_same_moment([partial(announce, offer, viewer, now) for viewer in viewers])

        assert answers.get("held", 0) == left
        assert answers.get("offer_sold_out", 0) == CALLERS - left
        intents = list(PurchaseIntent.objects.filter(offer_claim__offer=offer))
        assert len(intents) == left
        assert at_the_same_moment(
            [partial(pay, intent, paid=now, heard=now) for intent in intents]
        ) == {"granted": left}
        offer.refresh_from_db()
        assert offer.taken_count == left
        assert offer.claims.filter(state=ClaimState.USED).count() == left
    assert ledger_rules.broken() == []
    proof.record("P3", "an offer with stock, held and paid by 50 callers", violations=0)


def test_a_viewer_who_asks_many_times_holds_one_place(now: datetime, proof: Proof) -> None:
    viewer_id = DeviceFactory().viewer_id
    for _ in range(proof.rounds(full=100)):
        offer = OfferFactory(stock=CALLERS)

        answers = at_the_same_moment([partial(announce, offer, viewer_id, now)] * CALLERS)

        assert answers == {"held": CALLERS}
        assert offer.claims.count() == 1
        offer.refresh_from_db()
        assert offer.taken_count == 1
    assert ledger_rules.broken() == []
    proof.record("P9", "an offer claimed by 50 callers of one viewer", violations=0)


def test_a_viewer_has_one_first_top_up(now: datetime, proof: Proof) -> None:
    """Fifty announcements over five offers, and then all of them are paid."""
    offers = [OfferFactory(kind=OfferKind.FIRST_TOP_UP) for _ in range(5)]
    for _ in range(proof.rounds(full=100)):
        viewer_id = DeviceFactory().viewer_id
        claims = [partial(announce, offers[n % 5], viewer_id, now) for n in range(CALLERS)]

        assert at_the_same_moment(claims) == {"held": CALLERS}
        held = OfferClaim.objects.filter(viewer_id=viewer_id, state=ClaimState.HELD)
        assert held.count() == 1

        intents = list(PurchaseIntent.objects.filter(viewer_id=viewer_id))
        payments = [partial(pay, intent, paid=now, heard=now) for intent in intents]
        assert at_the_same_moment(payments) == {"granted": 1, "ordinary": CALLERS - 1}
        assert Purchase.objects.filter(viewer_id=viewer_id).count() == CALLERS
        used = OfferClaim.objects.filter(viewer_id=viewer_id, state=ClaimState.USED)
        assert used.count() == 1
        assert not held.exists()
    assert ledger_rules.broken() == []
    proof.record("P9", "first top-ups of one viewer, 50 announced and paid at once", violations=0)


def test_places_that_lapse_while_they_are_paid_are_sold_once(
    viewers: list[UUID], now: datetime, proof: Proof
) -> None:
    """Half of the crowd pays for places that are kept no longer, as the other half asks for them and the
    sweeper gives them back."""
    for _ in range(proof.rounds(full=100)):
        half = CALLERS // 2
        offer = OfferFactory(stock=half)
        for viewer in viewers[:half]:
            announce(offer, viewer, now)
        kept = django_settings.OFFER_HOLD_SECONDS + django_settings.OFFER_GRACE_SECONDS
        later = now + timedelta(seconds=kept)
        intents = list(PurchaseIntent.objects.filter(offer_claim__offer=offer))

        answers = at_the_same_moment(
            [
                *(partial(pay, intent, paid=now, heard=later) for intent in intents[:-1]),
                *(partial(announce, offer, viewer, later) for viewer in viewers[half:]),
                partial(offer_claims.release, now=later),
            ]
        )

        sold, held = answers.get("granted", 0), answers.get("held", 0)
        assert sold + held <= half
        assert sold + answers.get("ordinary", 0) == half - 1
        offer.refresh_from_db()
        assert offer.taken_count == sold + held
        assert offer.claims.filter(state=ClaimState.USED).count() == sold
    assert ledger_rules.broken() == []
    proof.record("P3", "places that lapse while 50 callers pay and ask", violations=0)


def test_of_drafts_that_are_put_in_force_at_once_one_is(now: datetime) -> None:
    """The others are told so: each of them was written to take the place of what was there."""
    drafts = [offer_policies.draft(({}, {"ad": (["ad"], 1)})) for _ in range(4)]
    who = operator(role="pricing").id

    def put(policy_id: UUID) -> str:
        try:
            policies.put_in_force(policy_id=policy_id, operator_id=who, now=now)
        except PolicyRefused as refusal:
            return str(refusal)
        return "in force"

    for first_in_force in (0, 1):
        answers = counted(at_once([partial(put, draft.id) for draft in drafts]))

        assert answers["in force"] >= 1
        assert OfferPolicy.objects.filter(state="in_force").count() == 1
        assert OfferPolicy.objects.filter(state="retired").count() >= first_in_force
        drafts = list(OfferPolicy.objects.filter(state="draft"))
        drafts += [offer_policies.draft(({}, {"ad": (["ad"], 1)})) for _ in range(4 - len(drafts))]
