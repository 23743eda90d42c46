"""However many tell of a store transaction, and however it is told, it is credited once, to whom it belongs."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import httpx

from demo.stores.deliveries import Manners
from tests.proof import Proof
from tests.stores import books
from tests.stores.market import ANSWER_SECONDS, Market, at_once, insist
from tests.stores.seed import Customer
from tests.stores.shops import Shop, Sold

FULL_RACES = 200
#: The kinds of a race: told to the store by name, nameless, and nameless when the webhook comes first.
KINDS = (0, 1, 3)
CALLERS, RESTORERS = 20, 5
#: A checkout of Stripe's is always somebody's: the others also sell without naming an account.
NAMELESS = ("apple", "google", "fake")
EVERY_HISTORY = 25


@dataclass(frozen=True)
class Race:
    """A purchase, who was told to the store as its buyer, if anybody, and what everybody was answered."""

    sold: Sold
    buyer: Customer | None
    submitted: Sequence[tuple[Customer, httpx.Response]]
    restored: Sequence[tuple[Customer, httpx.Response]]


def test_a_store_transaction_is_credited_once_whoever_tells_of_it(
    stores: Market, proof: Proof
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    numbers = range(FULL_RACES) if proof.is_full else chance.sample(KINDS, 1)
    proof.count = len(numbers)
    crowd = stores.population.customers[:CALLERS]
    # Sales that other tests have kept from us are found in the stores' histories.
    stores.read_histories()
    _settle(stores)
    before, deadlocks_before = _coins(stores, crowd), books.deadlocks(stores)
    seconds: Counter[str] = Counter()
    found: dict[str, list[str]] = {}
    races: list[Race] = []
    for provider in stores.shops:
        started = time.monotonic()
        run = [_race(stores, provider, number, crowd, chance) for number in numbers]
        _settle(stores)
        found[provider] = _violations(stores, run)
        seconds[provider] = time.monotonic() - started
        races += run
    at_the_end = [*_wrong_coins(stores, crowd, before, len(races)), *books.ledger_faults(stores)]
    if (deadlocks := books.deadlocks(stores) - deadlocks_before) > 0:
        at_the_end.append(f"{deadlocks} deadlocks")
    for provider, violations in found.items():
        dataclasses.replace(proof, started=time.monotonic() - seconds[provider]).record(
            "P7",
            f"A transaction of {provider} handed in by {CALLERS} viewers at once, told by its webhook"
            " twice, restored and swept: one credit, whose it is",
            violations=len(violations) + len(at_the_end),
        )
    assert [one for violations in found.values() for one in violations] == []
    assert at_the_end == []


def _race(
    stores: Market, provider: str, number: int, crowd: Sequence[Customer], chance: Random
) -> Race:
    shop = stores.shops[provider]
    # What is told first of a purchase without an account waits for somebody to claim it.
    is_nameless = provider in NAMELESS and number % 2 == 1
    buyer = None if is_nameless else chance.choice(crowd)
    shop.behave(Manners(is_paused=True, repeat=1.0, seed=number))
    sold = shop.sell(buyer)
    if is_nameless and number % 4 == 3:
        _tell_unclaimed(stores, shop)
    if number % EVERY_HISTORY == 0:
        stores.read_histories_again()
    restorers = chance.sample(crowd, RESTORERS)
    submits: list[Callable[[], Any]] = [
        partial(_told_at_last, partial(stores.hand_in, sold, one)) for one in crowd
    ]
    restores: list[Callable[[], Any]] = [
        partial(_told_at_last, partial(stores.restore, sold, one)) for one in restorers
    ]
    others: list[Callable[[], Any]] = [
        partial(shop.behave, Manners(repeat=1.0, seed=number)),
        partial(stores.ring, "settle_messages", "read_histories", "settle_messages"),
    ]
    calls = [*submits, *restores, *others]
    order = chance.sample(range(len(calls)), len(calls))
    answers = dict(zip(order, at_once([calls[place] for place in order]), strict=True))
    return Race(
        sold=sold,
        buyer=buyer,
        submitted=[(one, answers[place]) for place, one in enumerate(crowd)],
        restored=[(one, answers[CALLERS + place]) for place, one in enumerate(restorers)],
    )


def _told_at_last(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """What an app hands in again while it waits: so many at once do not all find a turn at the store."""
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        answer = insist(ask)
        restored = answer.json().get("restored", ()) if answer.status_code == 200 else ()
        is_waiting = answer.status_code == 202 or any(
            one["outcome"] == "waiting" for one in restored
        )
        if not is_waiting or time.monotonic() > until:
            return answer
        time.sleep(0.5)


def _tell_unclaimed(stores: Market, shop: Shop) -> None:
    """The webhook comes first, and its message waits until somebody claims what it is about: now."""
    shop.behave(Manners())
    shop.flush()
    unclaimed = (
        "SELECT count(*) FROM payments_storemessage WHERE state = 'waiting' AND code = 'unclaimed'"
    )
    stores.wait_until(lambda: books.one(stores, unclaimed) > 0, "the message waits for its buyer")
    stores.hurry()


def _settle(stores: Market) -> None:
    for shop in stores.shops.values():
        shop.behave(Manners())
        shop.flush()
    stores.hurry()
    stores.wait_until(lambda: books.waiting(stores) == 0, "everything told is applied")


def _violations(stores: Market, races: Sequence[Race]) -> list[str]:
    """Every promise about these purchases that was broken."""
    rows = books.booked(stores, [race.sold.transaction_id for race in races])
    by_name: dict[str, list[books.Booked]] = {}
    for row in rows:
        by_name.setdefault(row.transaction_id, []).append(row)
    return [
        f"{race.sold}: {fault}"
        for race in races
        for fault in _faults(race, by_name.get(race.sold.transaction_id, []))
    ]


def _faults(race: Race, rows: Sequence[books.Booked]) -> list[str]:
    if len(rows) != 1:
        return [f"is booked {len(rows)} times"]
    owner = rows[0].viewer_id
    faults = []
    if race.buyer is not None and owner != race.buyer.id:
        faults.append(f"is {owner}'s, not {race.buyer.id}'s")
    credited = 0
    for caller, answer in race.submitted:
        credited += answer.status_code == 201
        if not _is_told_whose(caller, answer, owner):
            faults.append(f"{caller.id} was told {answer.status_code} {answer.text}")
    if credited > 1:
        faults.append(f"{credited} were told that theirs credited it")
    for caller, answer in race.restored:
        expected = "yours" if caller.id == owner else "anothers"
        told = [one["outcome"] for one in answer.json().get("restored", ())]
        if told != [expected]:
            faults.append(f"{caller.id} restored {answer.status_code} {answer.text}")
    return faults


def _is_told_whose(caller: Customer, answer: httpx.Response, owner: UUID) -> bool:
    if caller.id == owner:
        return answer.status_code in {200, 201}
    return answer.status_code == 409 and answer.json()["code"] == "transaction_of_another_viewer"


def _coins(stores: Market, crowd: Sequence[Customer]) -> int:
    return int(
        books.one(
            stores,
            "SELECT coalesce(sum(paid_coins + bonus_coins), 0)::bigint FROM payments_wallet"
            " WHERE viewer_id = ANY(%s)",
            [one.id for one in crowd],
        )
    )


def _wrong_coins(
    stores: Market, crowd: Sequence[Customer], before: int, purchases: int
) -> list[str]:
    gained, expected = _coins(stores, crowd) - before, purchases * stores.population.pack.coins
    return [] if gained == expected else [f"{gained} coins were credited, {expected} were sold"]
