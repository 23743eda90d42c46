"""A refund takes back what its purchase gave, and no order of events changes where that ends."""

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from catalog.models import Series
from payments.access import entitlements
from payments.ledger import wallets
from payments.models import (
    Entitlement,
    Lot,
    Purchase,
    RefundBooking,
    RefundOrigin,
    Unlock,
    UnlockReversal,
    Wallet,
)
from payments.providers.base import StoreTransaction
from payments.store import consumption, operator_refunds, refunds
from payments.store.operator_refunds import RefundRefused
from payments.store.purchases import credit
from payments.store.refunds import Effect, RefundFact
from payments.unlocking import unlocks
from tests.factories.operators import operator
from tests.factories.payments import CoinPackFactory, StoreProductFactory, fund, give_bonus
from tests.factories.viewers import DeviceFactory
from tests.payments.untouched import untouched
from viewers.models import Device


class Story:
    """A viewer who buys, unlocks and is refunded, a second apart."""

    def __init__(self, viewer_id: UUID, series: Series, quote: str, now: datetime) -> None:
        self.viewer_id, self.series, self.quote, self.now = viewer_id, series, quote, now

    def buy(self, *, paid: int, bonus: int = 0, micros: int = 10_000_000) -> Purchase:
        return fund(self.viewer_id, now=self.tick(), paid=paid, bonus=bonus, price_micros=micros)

    def unlock(self, number: int, *, played: bool = False) -> Unlock:
        outcome = unlocks.unlock(
            viewer_id=self.viewer_id,
            environment="production",
            episode_id=self.series.episodes.get(number=number).id,
            quote=self.quote,
            now=self.tick(),
        ).outcome
        assert outcome.outcome == "unlocked"
        if played:
            self.play(outcome.entitlement_id)
        return Unlock.objects.get(id=outcome.unlock_id)

    def play(self, entitlement_id: UUID) -> None:
        opened = Entitlement.objects.filter(id=entitlement_id)
        assert entitlements.mark_played(opened, now=self.tick()) == {entitlement_id}

    def refund(self, purchase: Purchase, *, name: str = refunds.ALL, micros: int | None = None):
        return refunds.record(self._fact(purchase, name, micros, "refunded_at"), now=self.now)

    def reverse(self, purchase: Purchase, *, name: str = refunds.ALL):
        return refunds.record(self._fact(purchase, name, None, "reversed_at"), now=self.now)

    def wallet(self) -> tuple[int, int, int]:
        held = Wallet.objects.get(viewer_id=self.viewer_id)
        return held.paid_coins, held.bonus_coins, held.debt_coins

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def _fact(self, purchase: Purchase, name: str, micros: int | None, what: str) -> RefundFact:
        return RefundFact(
            provider=purchase.provider,
            environment=purchase.environment,
            transaction_id=purchase.transaction_id,
            refund_id=name,
            origin=RefundOrigin.STORE,
            amount_micros=micros,
            **{what: self.tick()},
        )


@pytest.fixture
def story(device: Device, series: Series, quote: str, now: datetime) -> Story:
    return Story(device.viewer_id, series, quote, now)


def lots(**of: object) -> list[tuple[int, int]]:
    held = Lot.objects.filter(**of)
    return sorted(held.values_list("remaining_coins", "remaining_value_micros"))


def test_an_unspent_purchase_goes_back_whole(story: Story) -> None:
    bought = story.buy(paid=100, bonus=20)
    assert story.refund(bought).outcome is Effect.TAKEN

    assert story.wallet() == (0, 0, 0)
    booking = RefundBooking.objects.get()
    assert (booking.net_micros, booking.deferred_micros) == (10_000_000, 10_000_000)
    assert (booking.recognised_micros, booking.difference_micros) == (0, 0)


def test_an_unlock_that_nobody_played_is_undone(story: Story) -> None:
    bought = story.buy(paid=100)
    unlocked = story.unlock(9)
    story.refund(bought)

    assert story.wallet() == (0, 0, 0)
    unlocked.entitlement.refresh_from_db()
    assert unlocked.entitlement.closed_at is not None
    assert UnlockReversal.objects.get().unlock_id == unlocked.id


def test_what_was_played_is_kept_and_owed(story: Story) -> None:
    bought = story.buy(paid=100)
    unlocked = story.unlock(9, played=True)
    story.refund(bought)

    assert story.wallet() == (0, 0, -60)
    unlocked.entitlement.refresh_from_db()
    assert unlocked.entitlement.closed_at is None
    booking = RefundBooking.objects.get()
    assert (booking.taken_coins, booking.debt_coins) == (40, 60)
    assert booking.recognised_micros == unlocked.value_micros


def test_coins_of_other_purchases_stay(story: Story) -> None:
    first, second = story.buy(paid=60), story.buy(paid=100)
    story.unlock(9, played=True)
    story.refund(second)

    assert story.wallet() == (0, 0, 0)
    story.refund(first)
    assert story.wallet() == (0, 0, -60)


def test_a_gift_repays_the_debt_first_and_a_purchase_never_does(story: Story) -> None:
    bought = story.buy(paid=60)
    story.unlock(9, played=True)
    story.refund(bought)

    story.buy(paid=10, bonus=5)
    assert story.wallet() == (10, 5, -60)
    assert give_bonus(story.viewer_id, coins=50, now=story.tick()) is None
    assert story.wallet() == (10, 5, -10)
    assert give_bonus(story.viewer_id, coins=50, now=story.tick()).granted_coins == 40
    assert story.wallet() == (10, 45, 0)


def test_a_reversal_brings_everything_back_as_it_was(story: Story) -> None:
    bought = story.buy(paid=130, bonus=50)
    story.unlock(9, played=True)
    unplayed = story.unlock(10)
    before = story.wallet(), lots()
    story.refund(bought)
    assert story.wallet() == (0, 0, -60)
    assert story.reverse(bought).outcome is Effect.REVERSED

    assert (story.wallet(), lots()) == before
    again = Unlock.objects.latest("id")
    assert (again.episode_id, again.value_micros) == (unplayed.episode_id, unplayed.value_micros)
    assert again.entitlement.closed_at is None
    assert sum(RefundBooking.objects.values_list("net_micros", flat=True)) == 0


def test_a_debt_that_was_repaid_comes_back_as_bonus(story: Story) -> None:
    bought = story.buy(paid=60)
    story.unlock(9, played=True)
    story.refund(bought)
    give_bonus(story.viewer_id, coins=45, now=story.tick())
    story.reverse(bought)

    assert story.wallet() == (0, 45, 0)
    assert Lot.objects.get(origin="debt_returned").granted_coins == 45


def test_an_unlock_is_not_restored_when_its_coins_were_spent_otherwise(story: Story) -> None:
    bought = story.buy(paid=60)
    other = story.buy(paid=60)
    story.unlock(9)  # of the first purchase, not played
    story.refund(bought)
    assert story.wallet() == (60, 0, 0)
    story.unlock(9)  # of the other
    story.reverse(bought)

    assert story.wallet() == (60, 0, 0)
    assert Entitlement.objects.filter(closed_at=None).count() == 1
    assert consumption.of_purchases([other])[other.id].spent_coins == 60


@pytest.mark.parametrize("parts", list(permutations([3_000_001, 2_999_998, 4_000_001])))
def test_refunds_of_parts_add_up_to_the_whole(story: Story, parts: tuple[int, ...]) -> None:
    bought = story.buy(paid=100, bonus=7)
    story.unlock(9, played=True)
    for place, micros in enumerate(parts):
        story.refund(bought, name=f"part-{place}", micros=micros)

    booked = RefundBooking.objects.values_list("gross_micros", "net_micros", "due_coins")
    assert [sum(column) for column in zip(*booked, strict=True)] == [10_000_000, 10_000_000, 107]
    assert story.wallet() == (0, 0, -60)
    assert lots() == [(0, 0), (0, 0)]


def test_more_than_was_paid_never_goes_back(story: Story) -> None:
    bought = story.buy(paid=100)
    story.refund(bought, name="first")
    story.refund(bought, name="second")
    assert story.wallet() == (0, 0, 0)
    story.reverse(bought, name="first")
    assert story.wallet() == (0, 0, 0)
    story.reverse(bought, name="second")
    assert story.wallet() == (100, 0, 0)


def test_a_dispute_that_took_nothing_and_is_won_changes_nothing(story: Story) -> None:
    bought = story.buy(paid=60)
    story.unlock(9, played=True)
    story.refund(bought)
    give_bonus(story.viewer_id, coins=100, now=story.tick())
    assert story.wallet() == (0, 40, 0)
    story.refund(bought, name="dispute")
    story.reverse(bought, name="dispute")

    assert story.wallet() == (0, 40, 0)


@pytest.mark.parametrize("reversed_part", ["first", "second"])
def test_what_a_reversal_returns_repays_what_is_owed_still(
    story: Story, reversed_part: str
) -> None:
    bought = story.buy(paid=60)
    story.unlock(9, played=True)
    story.refund(bought, name="first", micros=5_000_000)
    story.refund(bought, name="second", micros=5_000_000)
    give_bonus(story.viewer_id, coins=60, now=story.tick())
    assert story.wallet() == (0, 0, 0)
    story.reverse(bought, name=reversed_part)

    assert story.wallet() == (0, 30, 0)


def test_coins_of_others_that_lapsed_are_not_taken_with_an_unlock(story: Story) -> None:
    bought = story.buy(paid=1)
    give_bonus(story.viewer_id, coins=59, now=story.now, expires_at=story.now + timedelta(days=7))
    unlocked = story.unlock(9)
    story.now += timedelta(days=8)
    story.refund(bought)
    assert story.wallet() == (0, 0, -1)
    unlocked.entitlement.refresh_from_db()
    assert unlocked.entitlement.closed_at is None

    story.reverse(bought)
    assert story.wallet() == (0, 0, 0)


def test_a_refund_that_happens_again_after_its_reversal_is_a_refund(story: Story) -> None:
    bought = story.buy(paid=100)
    assert story.refund(bought).outcome is Effect.TAKEN
    assert story.reverse(bought).outcome is Effect.REVERSED
    assert story.refund(bought).outcome is Effect.TAKEN
    assert story.wallet() == (0, 0, 0)


@pytest.mark.parametrize("amounts", [(4_000_000, 9_000_000), (9_000_000, 4_000_000)])
def test_of_two_amounts_under_one_name_the_larger_of_the_latest_counts(
    story: Story, amounts: tuple[int, int]
) -> None:
    bought = story.buy(paid=100)
    at = story.tick()
    for micros in amounts:
        fact = RefundFact(
            provider="fake",
            environment="production",
            transaction_id=bought.transaction_id,
            refund_id="part",
            origin=RefundOrigin.STORE,
            refunded_at=at,
            amount_micros=micros,
        )
        refunds.record(fact, now=story.tick())
    assert story.wallet() == (10, 0, 0)


@pytest.mark.parametrize("provider", ["apple", "google"])
def test_an_operator_writes_down_no_part_that_the_store_tells_of_itself(
    story: Story, provider: str
) -> None:
    """The store's own telling of it has another name, and would be another refund."""
    product = StoreProductFactory(provider=provider, pack__paid_coins=100)
    sold = StoreTransaction(
        environment="production",
        transaction_id="sold",
        store_product_id=product.store_product_id,
        account_token=None,
        price_micros=10_000_000,
        currency="USD",
        purchased_at=story.now,
    )
    bought, _ = credit(
        viewer_id=story.viewer_id, provider=provider, transaction=sold, now=story.now
    )
    asked = {"operator_id": operator().id, "reason": "", "now": story.now}

    with untouched(), pytest.raises(RefundRefused):
        operator_refunds.by_operator(bought, **asked, amount_micros=3_000_000)
    # What goes back whole does so once.
    operator_refunds.by_operator(bought, **asked)
    story.refund(bought, name="the store's", micros=3_000_000)

    assert refunds.refunded_micros(bought) == 10_000_000
    assert story.wallet() == (0, 0, 0)


EVENTS = ("purchase", "refund", "refund", "reversal", "reversal", "purchase")


def test_every_order_of_events_ends_alike(now: datetime) -> None:
    for order in set(permutations(EVENTS)):
        assert tell(order, now=now) == ((100, 10, 0), [(10, 909_091), (100, 9_090_909)]), order


def test_every_order_without_a_reversal_ends_with_nothing(now: datetime) -> None:
    for order in set(permutations(("purchase", "refund", "refund", "purchase"))):
        assert tell(order, now=now) == ((0, 0, 0), [(0, 0), (0, 0)]), order


def tell(
    order: tuple[str, ...], *, now: datetime
) -> tuple[tuple[int, int, int], list[tuple[int, int]]]:
    """Lets the events of one store transaction happen in an order; the wallet and lots after it."""
    viewer_id = DeviceFactory().viewer_id
    product = StoreProductFactory(pack=CoinPackFactory(paid_coins=100, bonus_coins=10))
    transaction = StoreTransaction(
        environment="production",
        transaction_id=f"order-{uuid4()}",
        store_product_id=product.store_product_id,
        account_token=viewer_id,
        intent_id=None,
        price_micros=10_000_000,
        currency="USD",
        purchased_at=now,
    )
    happened = {"refund": now + timedelta(hours=1), "reversal": now + timedelta(hours=2)}
    for place, event in enumerate(order):
        at = now + timedelta(days=1, seconds=place)
        if event == "purchase":
            credit(viewer_id=viewer_id, provider="fake", transaction=transaction, now=at)
            continue
        refunds.record(
            RefundFact(
                provider="fake",
                environment="production",
                transaction_id=transaction.transaction_id,
                refund_id=refunds.ALL,
                origin=RefundOrigin.STORE,
                **{"refunded_at" if event == "refund" else "reversed_at": happened[event]},
            ),
            now=at,
        )
    balance = wallets.balance(viewer_id=viewer_id, environment="production", at=now)
    held = Wallet.objects.get(viewer_id=viewer_id)
    assert (balance.paid_coins, balance.bonus_coins) == (held.paid_coins, held.bonus_coins)
    return (held.paid_coins, held.bonus_coins, held.debt_coins), lots(wallet=held)
