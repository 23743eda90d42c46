"""Random claims, lapses, payments and refunds against a model of the rule in plain Python."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID, uuid4

from django.conf import settings as django_settings
from django.db import transaction as database
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from config.problems import Problem
from payments.models import ClaimState, Offer, OfferClaim, OfferKind, Purchase, PurchaseIntent
from payments.providers.base import StoreTransaction
from payments.store import offer_claims, purchases
from tests import ledger_rules
from tests.factories.payments import OfferFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import refund
from tests.proof import Proof

START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
EXAMPLES, STEPS = 200, 40
OPEN_FOR = timedelta(hours=2)
VIEWERS, STOCK = 3, 2


@dataclass
class Place:
    """A claim as the model knows it. It is never kept beyond `longest`."""

    offer: int
    viewer: int
    longest: datetime
    held_until: datetime
    kept_until: datetime
    state: str = "held"


@dataclass
class Model:
    """The rule, from docs/money.md: two offers of two places each, the second a first top-up."""

    hold: timedelta
    grace: timedelta
    places: list[Place] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)

    def taken(self, offer: int) -> int:
        return sum(p.offer == offer and p.state != "released" for p in self.places)

    def held(self, offer: int, viewer: int) -> Place | None:
        found = (p for p in self.places if (p.offer, p.viewer, p.state) == (offer, viewer, "held"))
        return next(found, None)

    def lapse(self, now: datetime, offer: int | None = None) -> None:
        for place in self.places:
            is_asked = offer is None or place.offer == offer
            if is_asked and place.state == "held" and place.kept_until <= now:
                place.state = "released"

    def refusal(self, offer: int, viewer: int) -> str | None:
        if offer == 1 and viewer in self.bought:
            return "offer_used"
        if any((p.offer, p.viewer, p.state) == (offer, viewer, "used") for p in self.places):
            return "offer_used"
        return "offer_sold_out" if self.taken(offer) >= STOCK else None

    def take(self, place: Place) -> None:
        if place.offer == 1:
            for other in self.places:
                if (other.offer, other.viewer, other.state) == (1, place.viewer, "held"):
                    other.state = "released"
        self.places.append(place)

    def claim(self, offer: int, viewer: int, now: datetime) -> str | Place:
        """The viewer's place, or why there is none: then nothing has lapsed or was given up either."""
        states = [place.state for place in self.places]
        answer = self._claim(offer, viewer, now)
        if isinstance(answer, str):
            for place, state in zip(self.places, states, strict=True):
                place.state = state
        return answer

    def _claim(self, offer: int, viewer: int, now: datetime) -> str | Place:
        self.lapse(now, offer)
        held = self.held(offer, viewer)
        if now >= START + OPEN_FOR:
            return held if held and held.held_until > now else "offer_over"
        has_topped_up = offer == 1 and viewer in self.bought
        if held:
            if not has_topped_up:
                self.keep(held, now)
            if held.held_until > now:
                return held
            if has_topped_up or self.taken(offer) >= STOCK:
                return "offer_used" if has_topped_up else "offer_sold_out"
            held.state = "released"
        if refusal := self.refusal(offer, viewer):
            return refusal
        ends = now + self.hold
        place = Place(offer, viewer, now + 4 * self.hold, ends, ends + self.grace)
        self.take(place)
        return place

    def keep(self, place: Place, now: datetime) -> None:
        ends = min(now + self.hold, place.longest)
        place.held_until = max(place.held_until, ends)
        place.kept_until = max(place.kept_until, ends + self.grace)

    def pay(self, promise: Place, paid: datetime, now: datetime) -> bool:
        """Whether the offer's bonus is granted."""
        is_in_time = promise.state != "used" and paid < promise.held_until
        granted = False
        if not (is_in_time or paid < START + OPEN_FOR):
            if promise.state == "held":
                promise.state = "released"
        elif held := self.held(promise.offer, promise.viewer):
            held.state, granted = "used", True
        else:
            self.lapse(now, promise.offer)
            if self.refusal(promise.offer, promise.viewer) is None:
                place = replace(promise, state="used")
                self.take(place)
                granted = True
        self.bought.append(promise.viewer)
        return granted


class Machine(RuleBasedStateMachine):
    """Three viewers before two offers of two places each."""

    offers: ClassVar[list[Offer]]
    viewers: ClassVar[list[UUID]]
    operations: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = database.savepoint()
        self.now = START
        self.model = Model(
            hold=timedelta(seconds=django_settings.OFFER_HOLD_SECONDS),
            grace=timedelta(seconds=django_settings.OFFER_GRACE_SECONDS),
        )
        self.promises: list[tuple[PurchaseIntent, Place]] = []
        self.purchases: list[Purchase] = []

    @rule(offer=st.integers(0, 1), viewer=st.integers(0, VIEWERS - 1))
    def claim(self, offer: int, viewer: int) -> None:
        expected = self.model.claim(offer, viewer, self.now)
        answer = self._announce(self.offers[offer], self.viewers[viewer])
        if isinstance(answer, str):
            assert answer == expected
            return
        assert isinstance(expected, Place)
        assert answer.offer_claim is not None
        assert answer.offer_claim.held_until == expected.held_until
        self.promises.append((answer, expected))

    def _announce(self, offer: Offer, viewer_id: UUID) -> PurchaseIntent | str:
        """The intent, or the code of the refusal."""
        try:
            intent, _ = purchases.create_intent(
                viewer_id=viewer_id,
                environment="production",
                pack_id=offer.pack_id,
                provider="fake",
                offer_id=offer.id,
                now=self.now,
            )
        except Problem as refusal:
            return refusal.code
        return intent

    @rule(place=st.integers(0, 99), minutes_ago=st.sampled_from([0, 0, 5, 20, 50]))
    def pay(self, place: int, minutes_ago: int) -> None:
        if not self.promises:
            return
        intent, promise = self.promises.pop(place % len(self.promises))
        paid = max(self.now - timedelta(minutes=minutes_ago), intent.created_at)
        expected = self.model.pay(promise, paid, self.now)
        sold = StoreTransaction(
            environment="production",
            transaction_id=f"sequence-{uuid4()}",
            store_product_id=intent.pack.store_products.get().store_product_id,
            account_token=intent.viewer_id,
            intent_id=intent.id,
            price_micros=intent.pack.price_micros,
            currency="USD",
            purchased_at=paid,
        )
        purchase, is_new = purchases.credit(
            viewer_id=intent.viewer_id, provider="fake", transaction=sold, now=self.now
        )
        assert is_new
        assert purchases.was_granted(purchase) == expected
        assert (purchase.paid_coins, purchase.bonus_coins) == (500, 200 if expected else 0)
        self.purchases.append(purchase)

    @rule(place=st.integers(0, 99))
    def refund(self, place: int) -> None:
        if self.purchases:
            refund(self.purchases[place % len(self.purchases)], now=self.now)

    @rule(minutes=st.sampled_from([1, 7, 15, 15, 30]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.model.lapse(self.now)
        offer_claims.release(now=self.now)

    @invariant()
    def places_are_what_the_model_says_and_never_more_than_there_are(self) -> None:
        for number, offer in enumerate(self.offers):
            offer.refresh_from_db()
            used = OfferClaim.objects.filter(offer=offer, state=ClaimState.USED).count()
            assert used <= offer.taken_count == self.model.taken(number) <= STOCK
        type(self).operations += 1

    def teardown(self) -> None:
        assert ledger_rules.broken() == []
        database.savepoint_rollback(self.savepoint)


def test_random_sequences_never_overrun_an_offer(db: None, proof: Proof) -> None:
    ends_at = START + OPEN_FOR
    Machine.operations = 0
    Machine.viewers = [DeviceFactory().viewer_id for _ in range(VIEWERS)]
    Machine.offers = [
        OfferFactory(kind=kind, stock=STOCK, ends_at=ends_at)
        for kind in (OfferKind.LIMITED, OfferKind.FIRST_TOP_UP)
    ]
    run_state_machine_as_test(
        seed(proof.seed)(Machine),
        settings=settings(
            max_examples=EXAMPLES if proof.is_full else EXAMPLES // 10,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    proof.count = Machine.operations
    proof.record("P3", "claims, lapses, payments and refunds against a model", violations=0)
