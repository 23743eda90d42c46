"""A store that cannot be asked costs a viewer patience and never a purchase: what was handed in is kept, told of
as waiting, and booked once when the store is back. Nothing is refused that was not wrong.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest

from demo.stores.deliveries import Manners
from tests.proof import Proof
from tests.stores import books
from tests.stores.market import Market, insist
from tests.stores.seed import Customer
from tests.stores.shops import Peer, Sold

FULL_PURCHASES = 200
FULL_RESTARTS = 20
#: Of each a share of the requests, so that a purchase fails here and there on its way, too.
TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "times out": {"kind": "hang", "seconds": 12.0},
    "answers 5xx": {"kind": "status", "status": 503},
    "answers HTML with 200": {"kind": "html"},
    "answers half": {"kind": "truncated"},
    "resets": {"kind": "reset"},
}
QUICK = [trouble for trouble in TROUBLES if TROUBLES[trouble]["kind"] != "hang"]
#: So that our database dies while we ask.
SLOWLY: Mapping[str, Any] = {"kind": "hang", "seconds": 1.0}
#: The App Store signs what it sold: a fresh signature is enough, and it is not asked.
ASKED = ("google", "stripe")
AT_ONCE = 12


@dataclass(frozen=True)
class Bought:
    """A purchase during the trouble, and the last that its buyer's app was answered."""

    sold: Sold
    buyer: Customer
    answer: httpx.Response


@pytest.mark.matrix(2)
@pytest.mark.parametrize("is_told", [False, True], ids=["by the app alone", "by the webhook first"])
def test_what_is_bought_while_a_store_is_in_trouble_is_credited_once_it_is_not(
    stores: Market, proof: Proof, is_told: bool
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    bought: list[Bought] = []
    faults: list[str] = []
    for trouble, part in _parts(proof, chance):
        made = _buy_in_trouble(stores, TROUBLES[trouble], chance, count=part, is_told=is_told)
        faults += [f"{trouble}: {one}" for one in _wrongly_answered(stores, made, is_told=is_told)]
        if TROUBLES[trouble]["kind"] != "hang":
            _try_in_vain(stores)
        _calm_down(stores)
        bought += made
    faults += [*_not_booked(stores, bought), *books.ledger_faults(stores)]
    how = "told by its webhook first" if is_told else "handed in by the app alone"
    proof.count = len(bought)
    proof.record(
        "P7",
        f"Purchases at a store that times out, fails, or answers with something else, {how}: waiting,"
        " then credited once, none refused",
        violations=len(faults),
    )
    assert faults == []


def test_what_is_bought_while_the_store_and_our_database_fail_is_credited_once(
    stores: Market, proof: Proof
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    made: list[Bought] = []
    proof.count = FULL_RESTARTS if proof.is_full else 1
    for _ in range(proof.count):
        made += _buy_in_trouble(stores, SLOWLY, chance, count=2, is_told=True, kill_postgres=True)
        _calm_down(stores)
    faults = [*_not_booked(stores, made), *books.ledger_faults(stores)]
    proof.record(
        "P7",
        "SIGKILL of Postgres while stores fail and viewers buy: each purchase is credited once",
        violations=len(faults),
    )
    assert faults == []


def test_the_app_store_need_not_be_asked_about_what_it_has_just_signed(stores: Market) -> None:
    stores.apple.fail({"kind": "status", "status": 503})
    buyer = stores.population.customers[0]
    answer = stores.hand_in(stores.apple.sell(buyer), buyer)
    assert (answer.status_code, answer.json()["coins"]) in {
        (201, stores.population.pack.coins),
        (200, stores.population.pack.coins),
    }


def _parts(proof: Proof, chance: Random) -> Sequence[tuple[str, int]]:
    """How many purchases in each trouble; in the suite one in each of two, and none that takes long."""
    if proof.is_full:
        return [(trouble, FULL_PURCHASES // len(TROUBLES)) for trouble in TROUBLES]
    return [(trouble, 1) for trouble in chance.sample(QUICK, 2)]


def _buy_in_trouble(
    stores: Market,
    trouble: Mapping[str, Any],
    chance: Random,
    *,
    count: int,
    is_told: bool,
    kill_postgres: bool = False,
) -> list[Bought]:
    """So many purchases in each store. `is_told` has the webhook go out before apps hand in."""
    buyers = chance.sample(stores.population.customers, count)
    pages = [stores.check_out(buyer) for buyer in buyers]
    for name in ASKED:
        stores.shops[name].behave(Manners(is_paused=True))
        if not is_told:
            stores.shops[name].notify("")
    peers: Sequence[Peer] = (stores.google, stores.stripe)
    for peer in peers:
        peer.fail({**trouble, "rate": 0.9}, seed=chance.randrange(2**31))
    sold = [(stores.google.sell(buyer), buyer) for buyer in buyers]
    sold += [(stores.stripe.pay(page), buyer) for page, buyer in zip(pages, buyers, strict=True)]
    if is_told:
        for name in ASKED:
            stores.shops[name].behave(Manners())
            stores.shops[name].flush()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        handing_in = [
            pool.submit(insist, partial(stores.hand_in, one, buyer)) for one, buyer in sold
        ]
        if kill_postgres:
            time.sleep(chance.uniform(0, SLOWLY["seconds"]))
            _kill_postgres(stores)
        return [
            Bought(one, buyer, done.result())
            for (one, buyer), done in zip(sold, handing_in, strict=True)
        ]


def _kill_postgres(stores: Market) -> None:
    before = stores.instance.status().postgres_pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    stores.wait_until(
        lambda: (
            stores.instance.status().postgres_pid not in {None, before} and stores.instance.serves()
        ),
        "Postgres is back",
    )


def _wrongly_answered(stores: Market, bought: Sequence[Bought], *, is_told: bool) -> Iterator[str]:
    """An app is told to wait, or that it is booked, and can ask what came of it."""
    if not is_told and not any(one.answer.status_code == 202 for one in bought):
        yield "the store was in no trouble"
    for one in bought:
        if one.answer.status_code == 202:
            told = one.answer.json()
            asked = _what_came_of(stores, one)
            is_honest = asked.status_code == 200 and asked.json()["state"] in {"waiting", "booked"}
            if told["state"] not in {"waiting", "booked"} or not is_honest:
                yield f"{one.sold} waits, and is told {one.answer.text}, then {asked.text}"
        elif one.answer.status_code not in {200, 201}:
            yield f"{one.sold} was answered {one.answer.status_code} {one.answer.text}"


def _what_came_of(stores: Market, one: Bought) -> httpx.Response:
    return insist(partial(stores.get, f"purchases/{one.answer.json()['id']}", one.buyer))


def _try_in_vain(stores: Market) -> None:
    """What waits is tried again, more than once, while the store is in trouble."""

    def is_tried_twice() -> bool:
        stores.hurry()
        return books.tried_less(stores, "storemessage", times=2) == 0

    stores.wait_until(is_tried_twice, "what waits was tried in vain")


def _calm_down(stores: Market) -> None:
    stores.calm()
    for name in ASKED:
        stores.shops[name].flush()

    def is_applied() -> bool:
        stores.hurry()
        return books.waiting(stores) == 0

    stores.wait_until(is_applied, "what waited is booked")


def _not_booked(stores: Market, bought: Sequence[Bought]) -> Iterator[str]:
    pack = stores.population.pack
    rows = [
        (one.transaction_id, one.viewer_id, one.coins)
        for one in books.booked(stores, [one.sold.transaction_id for one in bought])
    ]
    expected = {(one.sold.transaction_id, one.buyer.id, pack.coins) for one in bought}
    yield from (f"{one} is not booked" for one in expected - set(rows))
    if len(rows) != len(expected):
        yield f"{len(rows)} are booked of {len(expected)}"
    for one in bought:
        if one.answer.status_code != 202:
            continue
        told = _what_came_of(stores, one).json()
        if told.get("state") != "booked" or told["purchase"]["coins"] != pack.coins:
            yield f"{one.sold} was waiting, and now is {told}"
