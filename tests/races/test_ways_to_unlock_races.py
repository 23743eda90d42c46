"""However many ways to unlock meet at one wallet, each episode is charged once, at a price that was shown."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Sum

from catalog.models import Series
from config.problems import Problem
from payments.access import entitlements, paywall
from payments.idempotency import IdempotencyKey
from payments.models import Entitlement, Unlock, Wallet
from payments.prices.terms import Adjustment
from payments.unlocking import auto_unlocks, bundles, unlocks
from tests import ledger_rules
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory
from tests.payments import ways
from tests.payments.ways import BUNDLE_PRICE, SINGLE_PRICE
from tests.proof import Proof
from tests.races.crowd import at_once, connections, locked_series

CALLERS = 40
EPISODES = 5

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS):
        yield


_versions = count()


def price(now: datetime, **changes: Any) -> None:
    """Sells in every way from now on: each time by another version, the latest in force at `now`."""
    ways.sell(now - timedelta(hours=1) + timedelta(milliseconds=next(_versions)), **changes)


class Scene:
    """A viewer in front of a series that is sold in every way, with a quote for each."""

    def __init__(self, series: Series, *, now: datetime, cap_coins: int = 10_000) -> None:
        self.series, self.now = series, now
        self.viewer_id: UUID = DeviceFactory().viewer_id
        self.whose: dict[str, Any] = {
            "viewer_id": self.viewer_id,
            "environment": "production",
            "now": now,
        }
        shown = paywall.show(**self.whose, series_id=series.id)
        self.episodes = [episode.id for episode in shown.episodes]
        self.quote = shown.quote.token()
        rest = bundles.quote_for(shown)
        assert rest is not None
        self.bundle_quote = rest.token()
        auto_unlocks.agree(
            **self.whose, series_id=series.id, quote=self.quote, daily_cap_coins=cap_coins
        )

    @transaction.atomic
    def single(self, place: int) -> str:
        return _ended(
            lambda: unlocks.unlock(**self.whose, episode_id=self.episodes[place], quote=self.quote)
        )

    @transaction.atomic
    def bundle(self) -> str:
        return _ended(
            lambda: bundles.unlock(**self.whose, series_id=self.series.id, quote=self.bundle_quote)
        )

    @transaction.atomic
    def auto(self, place: int) -> str:
        return _ended(lambda: auto_unlocks.unlock(**self.whose, episode_id=self.episodes[place]))

    def charged(self) -> int:
        rows = Unlock.objects.filter(viewer_id=self.viewer_id, reversal=None)
        total: int | None = rows.aggregate(total=Sum("price_coins"))["total"]
        return total or 0

    def balance(self) -> int:
        wallet = Wallet.objects.get(viewer_id=self.viewer_id)
        return wallet.paid_coins + wallet.bonus_coins


def _ended(call: Callable[[], unlocks.Decision]) -> str:
    """The outcome, or the code of the refusal."""
    try:
        return call().outcome.outcome
    except Problem as refusal:
        return refusal.code


def test_single_bundle_and_auto_unlock_together_charge_each_episode_once(
    now: datetime, proof: Proof
) -> None:
    series = locked_series(EPISODES)
    price(now)
    chance, wrong = random.Random(proof.seed), 0  # noqa: S311
    for _ in range(proof.rounds(full=1_000)):
        scene = Scene(series, now=now)
        coins = chance.choice([600, EPISODES * BUNDLE_PRICE, 2 * SINGLE_PRICE])
        fund(scene.viewer_id, now=now, paid=coins)
        calls: list[Callable[[], str]] = [scene.bundle for _ in range(chance.randrange(1, 20))]
        while len(calls) < CALLERS:
            way = chance.choice([scene.single, scene.auto])
            calls.append(partial(way, chance.randrange(EPISODES)))
        chance.shuffle(calls)

        ended = Counter(at_once(calls))

        rows = list(Unlock.objects.filter(viewer_id=scene.viewer_id))
        priced = {"single": SINGLE_PRICE, "auto": SINGLE_PRICE, "bundle": BUNDLE_PRICE}
        wrong += len({row.episode_id for row in rows}) != len(rows)
        wrong += any(row.price_coins != priced[row.way] for row in rows)
        wrong += sum(row.way == "bundle" for row in rows) not in {0, EPISODES}
        wrong += scene.balance() != coins - scene.charged()
        wrong += ended["unlocked"] != len({row.bundle_id or row.id for row in rows})
        wrong += not set(ended) <= {
            *("unlocked", "already_unlocked", "insufficient_coins", "quote_invalid"),
            "nothing_to_unlock",
        }

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record(
        "P9", f"single, bundle and auto-unlock of a series, {CALLERS} callers", violations=0
    )


def test_the_cap_of_a_day_holds_however_many_episodes_are_asked_for_at_once(
    now: datetime, proof: Proof
) -> None:
    series = locked_series(CALLERS)
    price(now)
    for _ in range(proof.rounds(full=100)):
        scene = Scene(series, now=now, cap_coins=3 * SINGLE_PRICE + 59)
        fund(scene.viewer_id, now=now, paid=10_000)

        ended = Counter(at_once([partial(scene.auto, place) for place in range(CALLERS)]))

        assert ended == {"unlocked": 3, "auto_unlock_cap_reached": CALLERS - 3}
        assert scene.charged() == 3 * SINGLE_PRICE

    assert ledger_rules.broken() == []
    proof.record("P9", f"a day's cap for unlocks without a tap, {CALLERS} callers", violations=0)


def test_nobody_spends_beyond_the_days_limit_unasked(
    now: datetime, proof: Proof, settings: Any
) -> None:
    settings.SPEND_CONFIRM_COINS = 4 * SINGLE_PRICE
    series = locked_series(CALLERS)
    price(now)
    for _ in range(proof.rounds(full=100)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=10_000)
        ask: list[Callable[[], str]] = [
            partial(scene.single if place % 2 else scene.auto, place)
            for place in range(CALLERS - 1)
        ]

        ended = Counter(at_once([*ask, scene.bundle]))

        assert ended["unlocked"] == 4
        assert scene.charged() == 4 * SINGLE_PRICE

    assert ledger_rules.broken() == []
    proof.record("P9", f"a day's limit without a confirmation, {CALLERS} callers", violations=0)


def test_while_a_price_changes_everybody_pays_what_was_shown_to_them(
    now: datetime, proof: Proof
) -> None:
    series = locked_series(EPISODES)
    wrong, rounds = 0, proof.rounds(full=60)
    for number in range(rounds):
        before, after = (60, 75) if number % 2 else (75, 60)
        price(now, base_price_coins=before)
        viewers = [DeviceFactory().viewer_id for _ in range(CALLERS - 2)]
        for viewer_id in viewers:
            fund(viewer_id, now=now, paid=1_000)

        def change(after: int = after) -> bool:
            price(now, base_price_coins=after)
            return True

        def buy(viewer_id: UUID, place: int) -> bool:
            """Whether each way charged what its quote, or the one it was refused with, promised."""
            whose: dict[str, Any] = {
                "viewer_id": viewer_id,
                "environment": "production",
                "now": now,
            }
            shown = paywall.show(**whose, series_id=series.id)
            episode, rest = shown.episodes[0], bundles.quote_for(shown)
            assert rest is not None
            auto_unlocks.agree(
                **whose, series_id=series.id, quote=shown.quote.token(), daily_cap_coins=1_000
            )
            promised = shown.ladder.price_of(episode.number)
            if place % 3 == 0:
                decision = unlocks.unlock(**whose, episode_id=episode.id, quote=shown.quote.token())
                return decision.outcome.price_coins == promised
            if place % 3 == 1:
                decision = bundles.unlock(**whose, series_id=series.id, quote=rest.token())
                return decision.outcome.price_coins == rest.total_coins
            try:
                decision = auto_unlocks.unlock(**whose, episode_id=episode.id)
            except auto_unlocks.AutoUnlockPriceRose as refusal:
                quote = str(refusal.extra["quote"])
                decision = unlocks.unlock(**whose, episode_id=episode.id, quote=quote)
                return decision.outcome.price_coins == refusal.extra["price_coins"]
            return decision.outcome.price_coins <= promised

        calls: list[Callable[[], bool]] = [change]
        calls += [partial(buy, one, place) for place, one in enumerate(viewers)]
        kept = at_once(calls)

        wrong += kept.count(False)
        charged = Unlock.objects.filter(viewer_id__in=viewers)
        wrong += charged.values("viewer_id").distinct().count() != len(viewers)

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.count = rounds * (CALLERS - 2)
    proof.record("P9", "a price changes while viewers unlock in every way", violations=wrong)


def test_what_is_taken_back_is_not_played_and_what_is_played_not_taken_back(
    now: datetime, proof: Proof
) -> None:
    series = locked_series(1)
    price(now)
    for _ in range(proof.rounds(full=400)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=100)
        made = auto_unlocks.unlock(**scene.whose, episode_id=scene.episodes[0]).outcome
        assert made.unlock_id is not None
        opened = list(Entitlement.objects.filter(id=made.entitlement_id))

        def take_back(scene: Scene = scene, unlock_id: UUID = made.unlock_id) -> bool:
            with transaction.atomic():
                try:
                    auto_unlocks.undo(**scene.whose, unlock_id=unlock_id)
                except auto_unlocks.UndoRefused:
                    return False
                return True

        def play(opened: list[Entitlement] = opened) -> bool:
            return bool(entitlements.mark_played(opened, now=now))

        racing: list[Callable[[], bool]] = [take_back, take_back, play]
        is_undone, again, is_played = at_once(racing)

        assert is_undone == again
        assert is_undone != is_played
        assert scene.balance() == (100 if is_undone else 100 - SINGLE_PRICE)

    assert ledger_rules.broken() == []
    proof.record("P9", "an unlock taken back while it is played", violations=0)


def test_a_bundle_and_its_twin_under_one_key_are_one(now: datetime, proof: Proof) -> None:
    series = locked_series(EPISODES)
    price(now, bundle=Adjustment(price_coins=50))
    for number in range(proof.rounds(full=100)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=1_000)
        key = IdempotencyKey(value=f"rest-{number}", fingerprint=b"f" * 32)

        def ask(scene: Scene = scene, key: IdempotencyKey = key) -> unlocks.Decision:
            with transaction.atomic():
                return bundles.unlock(
                    **scene.whose, series_id=series.id, quote=scene.bundle_quote, key=key
                )

        decisions = at_once([ask] * CALLERS)

        assert sum(not decision.is_replay for decision in decisions) == 1
        assert len({decision.outcome.bundle_id for decision in decisions}) == 1
        assert scene.charged() == EPISODES * 50

    assert ledger_rules.broken() == []
    proof.record("P5", f"one key for the rest of a series, {CALLERS} callers", violations=0)
