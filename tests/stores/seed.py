"""`python -m tests.stores.seed CUSTOMERS`: a migrated database with something to sell in every store, as JSON.

Run as a process of the instance, so that the test's own settings and database stay apart.
"""

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

LOCKED_EPISODES = 8
FREE_EPISODES = 8  # of the default plan
PROVIDERS = ("apple", "google", "stripe", "fake")


class Customer(msgspec.Struct, frozen=True):
    """A viewer without a wallet yet, with what their app holds."""

    id: UUID
    token: str


class Product(msgspec.Struct, frozen=True):
    """What is sold, with its name in each store. `coins` are 0 for what is no pack."""

    id: UUID
    names: Mapping[str, str]
    price_micros: int
    coins: int = 0


class Population(msgspec.Struct, frozen=True):
    """What a market begins with. `store_key` signs for the fake store.

    `newcomers`, half as many as the customers, are for one proof that needs viewers who have bought nothing yet.
    """

    customers: list[Customer]
    newcomers: list[Customer]
    pack: Product
    subscription: Product
    series_id: UUID
    locked_episode_ids: list[UUID]
    store_key: str


def main(customer_count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from config import clock

    call_command("migrate", verbosity=0)
    with transaction.atomic():
        population = _populate(customer_count, now=clock.read())
    sys.stdout.buffer.write(msgspec.json.encode(population))


def _populate(customer_count: int, *, now: datetime) -> Population:
    from django.conf import settings

    from catalog.models import Episode
    from tests.factories.catalog import SeriesFactory, episodes_of

    series = SeriesFactory()
    episodes_of(series, range(1, FREE_EPISODES + LOCKED_EPISODES + 1))
    locked = Episode.objects.filter(series=series, number__gt=FREE_EPISODES).order_by("number")
    return Population(
        customers=_customers(customer_count, now=now),
        newcomers=_customers(customer_count // 2, now=now),
        pack=_pack(),
        subscription=_subscription(),
        series_id=series.id,
        locked_episode_ids=list(locked.values_list("id", flat=True)),
        store_key=settings.FAKE_STORE_KEY,
    )


def _pack() -> Product:
    from tests.factories.payments import CoinPackFactory, StoreProductFactory

    pack = CoinPackFactory(code="coins500", paid_coins=500, bonus_coins=50, price_micros=4_990_000)
    names = {provider: f"coins.500.{provider}" for provider in PROVIDERS}
    for provider, name in names.items():
        StoreProductFactory(pack=pack, provider=provider, store_product_id=name)
    return Product(pack.id, names, pack.price_micros, pack.paid_coins + pack.bonus_coins)


def _subscription() -> Product:
    from tests.factories.payments import PassProductFactory, StorePassFactory

    month = PassProductFactory(
        code="vip-month", period_months=1, is_renewing=True, price_micros=9_990_000
    )
    names = {provider: f"vip.month.{provider}" for provider in PROVIDERS}
    for provider, name in names.items():
        StorePassFactory(pass_product=month, provider=provider, store_product_id=name)
    return Product(month.id, names, month.price_micros)


def _customers(count: int, *, now: datetime) -> list[Customer]:
    from tests.factories.viewers import DeviceFactory
    from viewers import tokens

    found = []
    for device in DeviceFactory.create_batch(count):
        token, _ = tokens.sign(device, now=now)
        found.append(Customer(device.viewer_id, token))
    return found


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(int(sys.argv[1]))
