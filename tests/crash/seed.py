"""`python -m tests.crash.seed VIEWERS`: a migrated database with viewers who can pay, as JSON.

With each of them come some newcomers, who have no wallet before they buy.

Run as a process of the instance, so that the test's own settings and database stay apart.
"""

import os
import sys
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

EPISODES = 200
FREE_EPISODES = 8  # of the default plan
PAID_COINS, BONUS_COINS = 12_000, 500
SEEDED = "seed-"
"""What the ids of their store transactions begin with."""
NEWCOMERS = 12
"""For each viewer who can pay."""


class SeededViewer(msgspec.Struct, frozen=True):
    """A viewer, with what their app holds, and the coins in their wallet."""

    id: UUID
    token: str
    quote: str
    coins: int


class SoldProduct(msgspec.Struct, frozen=True):
    """What the fake store sells."""

    store_product_id: str
    price_micros: int
    currency: str


class Population(msgspec.Struct, frozen=True):
    """What the clients of a crash test need to know. `store_key` signs for the fake store."""

    viewers: list[SeededViewer]
    newcomers: list[SeededViewer]
    locked_episode_ids: list[UUID]
    product: SoldProduct
    store_key: str
    api_key: str
    video_sha256: str

    def part(self, start: int, stop: int) -> "Population":
        """Some of the viewers, with the newcomers that belong to them."""
        return msgspec.structs.replace(
            self,
            viewers=self.viewers[start:stop],
            newcomers=self.newcomers[start * NEWCOMERS : stop * NEWCOMERS],
        )


def main(viewer_count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from config import clock

    call_command("migrate", verbosity=0)
    with transaction.atomic():
        population = _populate(viewer_count, now=clock.read())
    sys.stdout.buffer.write(msgspec.json.encode(population))


def _populate(viewer_count: int, *, now: datetime) -> Population:
    from django.conf import settings

    from catalog.models import Episode
    from tests.factories.catalog import EpisodeFactory, SeriesFactory, stored_video
    from tests.factories.payments import CoinPackFactory, StoreProductFactory
    from viewers import api_keys
    from viewers.models import Scope

    series = SeriesFactory()
    for number in range(1, EPISODES + 1):
        EpisodeFactory(series=series, number=number)
    locked = Episode.objects.filter(series=series, number__gt=FREE_EPISODES).order_by("number")
    _, api_key = api_keys.issue(name="pipeline", scopes=[Scope.PIPELINE_WRITE], now=now)
    sold = StoreProductFactory(pack=CoinPackFactory(paid_coins=300, bonus_coins=30))
    return Population(
        viewers=_viewers(viewer_count, series.id, now=now),
        newcomers=[_newcomer(now=now) for _ in range(viewer_count * NEWCOMERS)],
        locked_episode_ids=list(locked.values_list("id", flat=True)),
        product=SoldProduct(sold.store_product_id, sold.pack.price_micros, sold.pack.currency),
        store_key=settings.FAKE_STORE_KEY,
        api_key=api_key,
        video_sha256=stored_video().sha256,
    )


def _newcomer(*, now: datetime) -> SeededViewer:
    from tests.factories.viewers import DeviceFactory
    from viewers import tokens

    device = DeviceFactory()
    token, _ = tokens.sign(device, now=now)
    return SeededViewer(device.viewer_id, token, quote="", coins=0)


def _viewers(count: int, series_id: UUID, *, now: datetime) -> list[SeededViewer]:
    from payments.access import paywall
    from payments.providers.base import StoreTransaction
    from payments.store import purchases
    from tests.factories.payments import CoinPackFactory, StoreProductFactory
    from tests.factories.viewers import DeviceFactory
    from viewers import tokens

    pack = CoinPackFactory(paid_coins=PAID_COINS, bonus_coins=BONUS_COINS)
    product = StoreProductFactory(pack=pack)
    devices = DeviceFactory.create_batch(count)
    first = devices[0].viewer
    # One quote is asked for; the others say the same to other viewers.
    quote = paywall.show(
        viewer_id=first.id, environment=first.environment, series_id=series_id, now=now
    ).quote
    found = []
    for number, device in enumerate(devices):
        sale = StoreTransaction(
            environment=device.viewer.environment,
            transaction_id=f"{SEEDED}{number}",
            store_product_id=product.store_product_id,
            account_token=device.viewer_id,
            intent_id=None,
            price_micros=pack.price_micros,
            currency=pack.currency,
            purchased_at=now - timedelta(minutes=1),
        )
        purchases.credit(viewer_id=device.viewer_id, provider="fake", transaction=sale, now=now)
        token, _ = tokens.sign(device, now=now)
        own_quote = msgspec.structs.replace(quote, viewer_id=device.viewer_id).token()
        found.append(SeededViewer(device.viewer_id, token, own_quote, PAID_COINS + BONUS_COINS))
    return found


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(int(sys.argv[1]))
