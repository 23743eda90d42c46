"""One client in one process: our unlock, the same as ORM code, and its transfer with django-hordak."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from catalog.models import Episode
from payments.models import Entitlement, Entry, Lot, LotMovement, Transfer, Unlock, Wallet
from payments.prices import quotes
from payments.unlocking import unlocks
from tests.benchmarks.population import EPISODE, UNTOUCHED, VIEWER, Population, uuid_of

ROOT = Path(__file__).resolve().parent.parent.parent
WARM_UP = 50

#: Each measurement opens an episode of its own, for one viewer after the other.
OURS, BY_ORM = UNTOUCHED


def unlocks_per_second(population: Population, *, seconds: float) -> float:
    """Our `unlocks.unlock`, quote verified."""
    return _per_second(_each_by_us(population), seconds)


def orm_unlocks_per_second(population: Population, *, seconds: float) -> float:
    """The same unlock as correct ORM code, which only the schema's owner may run."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    return _per_second(_each_by_orm(population), seconds)


def hordak_transfers_per_second(*, seconds: float) -> float:
    """Of the unlock only the transfer, with lock and balance check, by django-hordak."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("CREATE DATABASE hordak")
    finished = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.hordak_transfers", str(seconds)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.hordak_settings"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(finished.stdout)


def _per_second(calls: Iterator[Callable[[], object]], seconds: float) -> float:
    for _ in range(WARM_UP):
        next(calls)()
    began, done = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        next(calls)()
        done += 1
    return done / (time.monotonic() - began)


def _each_by_us(population: Population) -> Iterator[Callable[[], object]]:
    def unlock(viewer_id: UUID, quote: str) -> None:
        decision = unlocks.unlock(
            viewer_id=viewer_id,
            environment="production",
            episode_id=uuid_of(EPISODE, OURS),
            quote=quote,
            now=population.now,
        )
        if decision.outcome.outcome != "unlocked":
            raise AssertionError(decision)

    for number in count(1):
        viewer_id = uuid_of(VIEWER, number)
        quote = population.quote(viewer_id)
        yield lambda viewer_id=viewer_id, quote=quote: unlock(viewer_id, quote)


def _each_by_orm(population: Population) -> Iterator[Callable[[], object]]:
    for number in count(1):
        viewer_id = uuid_of(VIEWER, number)
        quote = population.quote(viewer_id)
        yield lambda viewer_id=viewer_id, quote=quote: unlock_by_orm(
            viewer_id=viewer_id,
            environment="production",
            episode_id=uuid_of(EPISODE, BY_ORM),
            quote=quote,
            now=population.now,
        )


@transaction.atomic
def unlock_by_orm(
    *, viewer_id: UUID, environment: str, episode_id: UUID, quote: str, now: datetime
) -> Unlock:
    """What payments_unlock does without a key, as one would write it with models."""
    promise = quotes.verify(quote, viewer_id=viewer_id, environment=environment, now=now)
    episode = Episode.objects.select_related("series").get(
        id=episode_id, state="published", series__state="published"
    )
    if (episode.series_id, episode.series.numbering) != (promise.series_id, promise.numbering):
        raise quotes.QuoteInvalid
    price = promise.price.ladder.price_of(episode.number)
    wallet = Wallet.objects.select_for_update().get(viewer_id=viewer_id, environment=environment)
    mine = Entitlement.objects.filter(
        viewer_id=viewer_id, episode_id=episode_id, environment=environment, closed_at=None
    )
    if mine.exists():
        raise AssertionError("open already")
    taken = _choose(wallet, price, now)
    bonus = sum(coins for lot, coins in taken if lot.kind == "bonus")
    transfer = _post(wallet, bonus=bonus, paid=price - bonus, now=now)
    entitlement = Entitlement.objects.create(
        viewer_id=viewer_id,
        environment=environment,
        series=episode.series,
        episode=episode,
        source="coins",
        starts_at=now,
    )
    unlock = Unlock(
        viewer_id=viewer_id,
        environment=environment,
        episode=episode,
        entitlement=entitlement,
        transfer=transfer,
        price_version_id=promise.price_version_id,
        number=episode.number,
        numbering=promise.numbering,
        quote_expires_at=promise.expires,
        price_coins=price,
        paid_coins=price - bonus,
        bonus_coins=bonus,
        value_micros=_take(taken, transfer, now),
        created_at=now,
    )
    transfer.reference = str(unlock.id)
    transfer.save(update_fields=["reference"])
    unlock.save(force_insert=True)
    return unlock


def _choose(wallet: Wallet, price: int, now: datetime) -> list[tuple[Lot, int]]:
    """Which lots pay how much, in the order of spending."""
    left, taken = price, []
    spendable = wallet.lots.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), remaining_coins__gt=0
    ).order_by("kind", F("expires_at").asc(nulls_last=True), "granted_at", "id")
    for lot in spendable:
        coins = min(left, lot.remaining_coins)
        taken.append((lot, coins))
        left -= coins
        if not left:
            return taken
    raise AssertionError("too few coins")


def _post(wallet: Wallet, *, bonus: int, paid: int, now: datetime) -> Transfer:
    """The transfer, its entries and the wallet's new balances."""
    transfer = Transfer.objects.create(
        viewer_id=wallet.viewer_id,
        environment=wallet.environment,
        code="unlock",
        event_at=now,
        created_at=now,
    )
    common = {"transfer": transfer, "environment": wallet.environment, "created_at": now}
    entries = [Entry(account="unlocks", amount_coins=bonus + paid, **common)]
    for account, coins in (("bonus", bonus), ("paid", paid)):
        if coins:
            balance = getattr(wallet, f"{account}_coins") - coins
            sequence = getattr(wallet, f"{account}_sequence") + 1
            setattr(wallet, f"{account}_coins", balance)
            setattr(wallet, f"{account}_sequence", sequence)
            entries.append(
                Entry(
                    wallet=wallet,
                    account=account,
                    amount_coins=-coins,
                    balance_after_coins=balance,
                    sequence=sequence,
                    **common,
                )
            )
    wallet.save()
    Entry.objects.bulk_create(entries)
    return transfer


def _take(taken: list[tuple[Lot, int]], transfer: Transfer, now: datetime) -> int:
    """Takes the coins out of their lots; returns the value that went with them."""
    total = 0
    for lot, coins in taken:
        lot.remaining_coins -= coins
        left = lot.granted_coins - lot.remaining_coins
        remaining = lot.value_micros - lot.value_micros * left // lot.granted_coins
        value = lot.remaining_value_micros - remaining
        lot.remaining_value_micros = remaining
        lot.save(update_fields=["remaining_coins", "remaining_value_micros"])
        LotMovement.objects.create(
            lot=lot, transfer=transfer, coins=-coins, value_micros=-value, created_at=now
        )
        total += value
    return total
