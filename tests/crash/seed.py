"""`python -m tests.crash.seed VIEWERS`: a migrated database with viewers who can pay, as JSON.

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


class SeededViewer(msgspec.Struct, frozen=True):
    """Who can unlock, with what their app holds."""

    id: UUID
    token: str
    quote: str
    coins: int


class Population(msgspec.Struct, frozen=True):
    """What the clients of a crash test need to know."""

    viewers: list[SeededViewer]
    locked_episode_ids: list[UUID]
    api_key: str
    video_sha256: str


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
    from catalog.models import Episode
    from tests.factories.catalog import EpisodeFactory, SeriesFactory, stored_video
    from viewers import api_keys
    from viewers.models import Scope

    series = SeriesFactory()
    for number in range(1, EPISODES + 1):
        EpisodeFactory(series=series, number=number)
    locked = Episode.objects.filter(series=series, number__gt=FREE_EPISODES).order_by("number")
    _, api_key = api_keys.issue(name="pipeline", scopes=[Scope.PIPELINE_WRITE], now=now)
    return Population(
        viewers=_viewers(viewer_count, series.id, now=now),
        locked_episode_ids=list(locked.values_list("id", flat=True)),
        api_key=api_key,
        video_sha256=stored_video().sha256,
    )


def _viewers(count: int, series_id: UUID, *, now: datetime) -> list[SeededViewer]:
    from payments import paywall, purchases
    from payments.providers.base import StoreTransaction
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
            transaction_id=f"seed-{number}",
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
