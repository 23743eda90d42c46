"""The ledger and its model, told the same things and compared after each."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from catalog.models import Series
from config.problems import Problem
from payments.access import playing
from payments.desk.price_versions import add as add_version
from payments.idempotency import IdempotencyKey
from payments.models import (
    RefundOrigin,
    StoreTerms,
    Unlock,
    Wallet,
)
from payments.prices import quotes
from payments.prices.pricing import Price
from payments.providers.base import StoreTransaction
from payments.store import purchases, refunds
from payments.store.refunds import RefundFact
from payments.unlocking import unlocks
from tests import ledger_rules
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.operators import operator
from tests.factories.payments import (
    CoinPackFactory,
    StoreProductFactory,
    default_plan,
    give_bonus,
)
from tests.factories.viewers import DeviceFactory
from tests.payments import ledger_model, ledger_pieces, ledger_readings

ENVIRONMENTS = ("production", "sandbox")
PRICES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 60, 89, 144)
"""What episodes 1 to 12 cost."""

_ASK = "SELECT payments_ask_grant(" + ", ".join(["%s"] * 17) + ") ->> 'outcome'"


@dataclass(frozen=True)
class Stage:
    """What every run plays on: a series priced by PRICES, and an operator."""

    series: Series
    episodes: dict[int, UUID]
    price_version_id: UUID
    operator_id: int


@dataclass
class Twins:
    """One viewer's wallets in the ledger and in the model, with the clock that both are told.

    Every method does one thing to both and finds that they answer alike.
    """

    stage: Stage
    now: datetime
    viewer_id: UUID = field(default_factory=lambda: DeviceFactory().viewer_id)
    models: dict[str, ledger_model.Wallet] = field(
        default_factory=lambda: {name: ledger_model.Wallet() for name in ENVIRONMENTS}
    )
    kept: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    gifts: list[tuple[UUID, str, ledger_pieces.Gift]] = field(default_factory=list)
    operations: int = 0

    # Coming in

    def buy(
        self, name: str, *, paid: int, bonus: int, price: int, environment: str = "production"
    ) -> None:
        """The same name again is the same store transaction again."""
        pack = CoinPackFactory(paid_coins=paid, bonus_coins=bonus, price_micros=max(price, 1))
        sold = self._transaction(name, StoreProductFactory(pack=pack), price, environment)
        _, is_new = purchases.credit(
            viewer_id=self.viewer_id, provider="fake", transaction=sold, now=self.now
        )
        expected = self.models[environment].buy(
            name, paid=paid, bonus=bonus, terms=terms(price), now=self.now
        )
        self._agree(is_new, expected == "credited")

    def buy_as_another(self, name: str, *, environment: str = "production") -> None:
        """Somebody else brings a transaction that was credited."""
        sold = self._transaction(name, StoreProductFactory(), 1_000_000, environment)
        stranger = DeviceFactory().viewer_id
        try:
            purchases.credit(viewer_id=stranger, provider="fake", transaction=sold, now=self.now)
        except purchases.TransactionOfAnotherViewer:
            self._agree(Wallet.objects.filter(viewer_id=stranger).count(), 0)
        else:
            raise AssertionError(f"{name} was credited twice")

    def earn(
        self,
        coins: int,
        *,
        value: int = 0,
        lasts: timedelta | None = None,
        environment: str = "production",
    ) -> None:
        """A reward, which may expire."""
        terms_of = {"expires_at": lasts and self.now + lasts, "now": self.now}
        lot = give_bonus(
            self.viewer_id, coins=coins, value_micros=value, environment=environment, **terms_of
        )
        expected = self.models[environment].give("reward", coins, value=value, **terms_of)
        self._agree(lot and lot.granted_coins, expected and expected.granted)

    def give_coins(
        self, coins: int, *, lasts: timedelta | None = None, environment: str = "production"
    ) -> None:
        """An operator's gift."""
        expires_at = lasts and self.now + lasts
        outcome = self._ask("coins", environment, coins=coins, expires_at=expires_at)
        lot = self.models[environment].give(
            "grant", coins, value=0, expires_at=expires_at, now=self.now
        )
        self.gifts[-1][2].given = lot
        self._agree(outcome, "given")

    def give_episode(self, number: int, *, environment: str = "production") -> None:
        outcome = self._ask("episode", environment, episode=self.stage.episodes[number])
        opening = self.models[environment].give_episode(number, self.now)
        if opening is None:
            self.gifts.pop()
        else:
            self.gifts[-1][2].given = opening
        self._agree(outcome, "given" if opening else "already_open")

    def give_pass(self, days: int, *, environment: str = "production") -> None:
        outcome = self._ask("pass", environment, days=days)
        self.gifts[-1][2].given = self.models[environment].give_pass(days, self.now)
        self._agree(outcome, "given")

    # Going out

    def spend(
        self,
        number: int,
        *,
        key: str | None = None,
        is_stale: bool = False,
        environment: str = "production",
    ) -> str:
        """Unlocks an episode; a stale quote is refused, unless its key has been answered before."""
        outcome, figures = self._spend(number, key, is_stale, environment)
        if key in self.kept:
            kept_environment, kept_number, kept = self.kept[key]
            is_same = (kept_environment, kept_number) == (environment, number)
            self._agree(outcome, kept if is_same else "idempotency_key_reused")
            return outcome
        if is_stale:
            self._agree(outcome, "quote_expired")
            return outcome
        model = self.models[environment]
        expected = model.spend(number, PRICES[number - 1], self.now)
        self._agree(outcome, expected)
        if expected == "unlocked":
            unlock = model.unlocks[-1]
            self._agree(figures[:2], (unlock.coins("paid"), unlock.coins("bonus")))
        if expected != "insufficient_coins":
            self._agree(figures[2:], model.spendable(self.now))
        if key is not None:
            self.kept[key] = environment, number, outcome
        return outcome

    def play(self, number: int, *, environment: str = "production") -> None:
        try:
            opened = playing.play(
                viewer_id=self.viewer_id,
                environment=environment,
                episode_id=self.stage.episodes[number],
                now=self.now,
            )
        except playing.EpisodeLocked:
            opened = []
        following = list(range(number, min(number + playing.AHEAD, len(PRICES)) + 1))
        expected = self.models[environment].play(following, self.now)
        self._agree([each.episode.number for each in opened], expected)

    def lapse(self) -> None:
        """The expiry job runs."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT payments_expire_lots(1000, %s)", [self.now])
            (lapsed,) = cursor.fetchone()
        self._agree(lapsed, sum(model.lapse(self.now) for model in self.models.values()))

    # Going back

    def undo(self, place: int, *, environment: str = "production") -> None:
        """An operator undoes the unlock at a place, counted from the first."""
        known = Unlock.objects.filter(viewer_id=self.viewer_id, environment=environment)
        outcome = "undone"
        try:
            refunds.undo_unlock(
                known.order_by("id")[place],
                operator_id=self.stage.operator_id,
                reason="x",
                now=self.now,
            )
        except refunds.UnlockUndone:
            outcome = "undone_before"
        except refunds.UnlockRefunded:
            outcome = "refunded"
        model = self.models[environment]
        self._agree(outcome, model.undo(model.unlocks[place]))

    def revoke(self, place: int) -> None:
        """Takes back the gift at a place."""
        gift_id, environment, gift = self.gifts[place]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT outcome ->> 'outcome', coalesce((outcome ->> 'coins')::bigint, 0)"
                " FROM payments_revoke_grant(%s, %s, %s) AS outcome",
                [gift_id, self.stage.operator_id, self.now],
            )
            answer = cursor.fetchone()
        self._agree(answer, self.models[environment].revoke(gift, self.now))

    def refund(
        self,
        name: str,
        *,
        refund: str = refunds.ALL,
        amount: int | None = None,
        environment: str = "production",
    ) -> None:
        self._hear(name, refund, environment, amount=amount, refunded_at=self.now)

    def reverse(
        self, name: str, *, refund: str = refunds.ALL, environment: str = "production"
    ) -> None:
        self._hear(name, refund, environment, reversed_at=self.now)

    # The comparison

    def compare(self) -> None:
        """Every coin, every value and every open episode are alike."""
        for environment in ENVIRONMENTS:
            told = ledger_readings.told(self.models[environment], self.now)
            kept = ledger_readings.kept(self.viewer_id, environment, self.now)
            for what, expected in told.items():
                assert kept[what] == expected, f"{environment} {what}"

    def verify(self) -> None:
        assert ledger_rules.broken() == []

    # Both

    def _agree(self, answered: object, expected: object) -> None:
        self.operations += 1
        assert answered == expected

    def _transaction(
        self, name: str, product: Any, price: int, environment: str
    ) -> StoreTransaction:
        return StoreTransaction(
            environment=environment,
            transaction_id=f"{self.viewer_id} {name}",
            store_product_id=product.store_product_id,
            account_token=self.viewer_id,
            intent_id=None,
            price_micros=price,
            currency="USD",
            purchased_at=self.now,
        )

    def _ask(
        self,
        kind: str,
        environment: str,
        *,
        coins: int | None = None,
        expires_at: datetime | None = None,
        episode: UUID | None = None,
        days: int | None = None,
    ) -> str:
        """An operator asks for a gift that one person may give."""
        self.gifts.append((uuid4(), environment, ledger_pieces.Gift(None)))
        what: list[Any] = [kind, coins, expires_at, episode, days, coins or days or 1]
        why: list[Any] = ["fault", "x", self.stage.operator_id]
        limits: list[Any] = [10**6, 10**6, 10**6, self.now, self.now]
        with connection.cursor() as cursor:
            cursor.execute(
                _ASK,
                [self.gifts[-1][0], self.viewer_id, environment, *what, *why, *limits],
            )
            (outcome,) = cursor.fetchone()
        return str(outcome)

    def _spend(
        self, number: int, key: str | None, is_stale: bool, environment: str
    ) -> tuple[str, tuple[int, ...]]:
        quote = quotes.make(
            viewer_id=self.viewer_id,
            environment=environment,
            series_id=self.stage.series.id,
            numbering=self.stage.series.numbering,
            price=Price(self.stage.price_version_id),
            now=self.now - timedelta(days=is_stale),
        )
        fingerprint = sha256(f"{environment} {number}".encode()).digest()
        try:
            outcome = unlocks.unlock(
                viewer_id=self.viewer_id,
                environment=environment,
                episode_id=self.stage.episodes[number],
                quote=quote.token(),
                now=self.now,
                key=IdempotencyKey(key, fingerprint) if key else None,
            ).outcome
        except Problem as refusal:
            return refusal.code, ()
        balance = outcome.balance_paid_coins, outcome.balance_bonus_coins
        return str(outcome.outcome), (outcome.paid_coins, outcome.bonus_coins, *balance)

    def _hear(
        self,
        name: str,
        refund: str,
        environment: str,
        *,
        amount: int | None = None,
        refunded_at: datetime | None = None,
        reversed_at: datetime | None = None,
    ) -> None:
        fact = RefundFact(
            provider="fake",
            environment=environment,
            transaction_id=f"{self.viewer_id} {name}",
            refund_id=refund,
            origin=RefundOrigin.STORE,
            amount_micros=amount,
            refunded_at=refunded_at,
            reversed_at=reversed_at,
        )
        outcome = refunds.record(fact, now=self.now).outcome
        expected = self.models[environment].hear(
            name,
            refund,
            amount=amount,
            refunded_at=refunded_at,
            reversed_at=reversed_at,
            now=self.now,
        )
        self._agree(str(outcome), expected)


def set_stage(now: datetime) -> Stage:
    """A series whose episodes cost PRICES, a store with tax and fee, and somebody at the desk."""
    plan, series = default_plan(), SeriesFactory(state="published")
    StoreTerms.objects.create(
        provider="fake",
        effective_from=now - timedelta(days=1),
        fee_parts_per_million=150_000,
        tax_parts_per_million=200_000,
    )
    version = add_version(
        plan=plan,
        effective_from=now,
        free_count=0,
        base_price_coins=1,
        overrides=dict(enumerate(PRICES, start=1)),
        now=now,
    )
    numbers = range(1, len(PRICES) + 1)
    return Stage(
        series=series,
        episodes={number: EpisodeFactory(series=series, number=number).id for number in numbers},
        price_version_id=version.id,
        operator_id=operator().id,
    )


def terms(gross: int) -> dict[str, int]:
    """A store that keeps 15 % of what is left after 20 % tax."""
    before_tax = gross * 1_000_000 // 1_200_000
    fee = before_tax * 150_000 // 1_000_000
    return {
        "gross": gross,
        "tax": gross - before_tax,
        "fee": fee,
        "net": before_tax - fee,
    }
