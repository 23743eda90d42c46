"""Notifications come twice, late, in another order and never, while what takes them and what applies them is
killed: each takes effect once, and the money here is the money that the stores took.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

from demo.stores.deliveries import Manners
from tests.crash.instance import Instance
from tests.proof import Proof
from tests.stores import books
from tests.stores.books import Kept
from tests.stores.market import Market
from tests.stores.seed import Customer
from tests.stores.shops import Sold

FULL_KILLS, KILLS = 20, 1
#: What each store sells between two kills, and gives back of it: about 250 notifications, as a checkout of
#: Stripe's is told of by four.
FULL_SALES = {"apple": 70, "google": 60, "stripe": 15, "fake": 40}
SALES = {"apple": 10, "google": 8, "stripe": 2, "fake": 4}
GIVEN_BACK_EVERY = 10
#: What is lost for good is in the histories that these keep.
WITH_HISTORY = ("apple", "stripe")
#: So long after a failure that nothing which can come is given up.
RETRIES_SECONDS = (0.5, 1.0, 2.0, 4.0, *[5.0] * 60)
SHUFFLED_SECONDS = 4.0

Kill = Callable[[Instance, Random], Callable[[], bool]]


@dataclass
class Trade:
    """What was bought by whom, and what of it went back."""

    bought: list[tuple[Sold, Customer]] = field(default_factory=list)
    back: list[Sold] = field(default_factory=list)


def test_every_notification_takes_effect_once_whatever_is_killed(
    stores: Market, proof: Proof
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    kills = FULL_KILLS if proof.is_full else KILLS
    earlier = {name: _names(stores, name) for name in stores.shops}
    deaths = _deaths(chance, kills)
    trade = Trade()
    for number, kill in enumerate(deaths):
        _go_wrong(stores, seed=proof.seed + number)
        part = _trade_during(stores, kill, chance, sales=FULL_SALES if proof.is_full else SALES)
        trade.bought += part.bought
        trade.back += part.back
    _come_to_rest(stores, is_hurried=not proof.is_full)

    sent = {name: _names(stores, name) - earlier[name] for name in stores.shops}
    proof.count = sum(map(len, sent.values()))
    found = [
        *_wrong_messages(stores, sent),
        *_wrong_money(stores, trade),
        *books.ledger_faults(stores),
    ]
    proof.record(
        "P12",
        f"Notifications of four stores, a fifth of them twice and a fifth late, some never, through"
        f" {kills} SIGKILLs of server and worker: each applied once, and the money is what was sold",
        violations=len(found),
    )
    assert found == []
    assert _lost(stores, sent) or not proof.is_full, "nothing was lost that a history had"


def _go_wrong(stores: Market, *, seed: int) -> None:
    for name, shop in stores.shops.items():
        shop.behave(
            Manners(
                lose=0.1 if name in WITH_HISTORY else 0.0,
                repeat=0.2,
                delay=0.2,
                delay_seconds=SHUFFLED_SECONDS,
                # A token of Google's says nothing of the body: there TLS alone keeps it whole.
                corrupt=0.0 if name == "google" else 0.02,
                retries_seconds=RETRIES_SECONDS,
                seed=seed,
            )
        )


def _trade_during(stores: Market, kill: Kill, chance: Random, *, sales: Mapping[str, int]) -> Trade:
    """Every store sells and gives back while something dies, which is back at the end."""
    customers = stores.population.customers
    buyers = {name: chance.choices(customers, k=count) for name, count in sales.items()}
    # Pages of Stripe's are opened by us, who are about to die.
    pages = [(stores.check_out(buyer), buyer) for buyer in buyers.pop("stripe")]
    trade = Trade()
    with ThreadPoolExecutor(len(sales)) as pool:
        selling = [
            *(pool.submit(_sell, stores, name, whole) for name, whole in buyers.items()),
            pool.submit(_paid, stores, pages),
        ]
        time.sleep(chance.uniform(0.2, 1.0))
        is_back = kill(stores.instance, chance)
        for sold in selling:
            part = sold.result()
            trade.bought += part.bought
            trade.back += part.back
    stores.wait_until(is_back, "what was killed is back")
    return trade


def _sell(stores: Market, name: str, buyers: Sequence[Customer]) -> Trade:
    shop, trade = stores.shops[name], Trade()
    for number, buyer in enumerate(buyers, start=1):
        sold = shop.sell(buyer)
        trade.bought.append((sold, buyer))
        if number % GIVEN_BACK_EVERY == 0:
            shop.give_back(sold)
            trade.back.append(sold)
    return trade


def _paid(stores: Market, pages: Sequence[tuple[str, Customer]]) -> Trade:
    trade = Trade()
    for number, (page, buyer) in enumerate(pages, start=1):
        sold = stores.stripe.pay(page)
        trade.bought.append((sold, buyer))
        if number % GIVEN_BACK_EVERY == 0:
            stores.stripe.give_back(sold)
            trade.back.append(sold)
    return trade


def _deaths(chance: Random, times: int) -> Sequence[Kill]:
    kinds = [_kill_worker, _kill_server]
    chance.shuffle(kinds)
    return [kinds[number % 2] for number in range(times)]


def _kill_worker(instance: Instance, chance: Random) -> Callable[[], bool]:
    """The task worker's first process and what it left."""
    instance.worker.kill_leader()
    time.sleep(chance.uniform(0, 0.3))
    instance.worker.kill_group()
    instance.worker.start()
    return lambda: instance.works() and instance.serves()


def _kill_server(instance: Instance, chance: Random) -> Callable[[], bool]:
    """The web server's first process, then the orphans it left."""
    before = instance.web_workers()
    instance.web.kill_leader()
    time.sleep(chance.uniform(0, 0.3))
    instance.web.kill_group()
    instance.web.start()
    return lambda: len(instance.web_workers()) == len(before) and instance.serves()


def _come_to_rest(stores: Market, *, is_hurried: bool) -> None:
    """All that is on its way arrives, the histories are read, and everything is applied."""
    for shop in stores.shops.values():
        shop.behave(Manners(retries_seconds=RETRIES_SECONDS))
    for shop in stores.shops.values():
        stores.wait_until(
            lambda shop=shop: shop.flush() == 0 and not shop.told().waiting,
            f"everything of {shop.provider} has arrived",
        )
    assert not [one for name in stores.shops for one in stores.shops[name].told().given_up]
    stores.read_histories()

    def is_applied() -> bool:
        if is_hurried:
            stores.hurry()
        return books.waiting(stores) == 0

    stores.wait_until(is_applied, "everything is applied", seconds=300)


def _names(stores: Market, provider: str) -> set[str]:
    """Everything that a store has told, or would have, by the names that messages have here."""
    told = stores.shops[provider].told()
    sent = {one.name for one in told.attempts} | set(told.waiting) | set(told.lost)
    return {name.rpartition(" ")[2] for name in sent}


def _wrong_messages(stores: Market, sent: Mapping[str, set[str]]) -> Iterator[str]:
    for provider, names in sent.items():
        kept = [one for one in books.kept(stores, names) if one.provider == provider]
        yield from (f"{one} is not applied" for one in kept if one.state != "applied")
        times: dict[str, list[Kept]] = {}
        for one in kept:
            times.setdefault(one.event_id, []).append(one)
        yield from (f"{name} of {provider} never came" for name in names - times.keys())
        yield from (f"{name} is kept {len(all_)} times" for name, all_ in times.items() if all_[1:])
    lost = _lost(stores, sent)
    by_push = [one for one in books.kept(stores, lost) if one.arrived_by != "pulled"]
    yield from (f"{one} was never sent" for one in by_push)


def _wrong_money(stores: Market, trade: Trade) -> Iterator[str]:
    pack, names = stores.population.pack, [sold.transaction_id for sold, _ in trade.bought]
    expected = {
        (sold.provider, sold.transaction_id, buyer.id, pack.coins, pack.price_micros)
        for sold, buyer in trade.bought
    }
    rows = [
        (one.provider, one.transaction_id, one.viewer_id, one.coins, one.gross_micros)
        for one in books.booked(stores, names)
    ]
    yield from (f"{one} was sold and is not booked" for one in expected - set(rows))
    yield from (f"{one} is booked and was not sold" for one in set(rows) - expected)
    if len(rows) != len(set(rows)):
        yield "something is booked twice"
    back = books.given_back(stores, names)
    if sorted(back) != sorted((sold.transaction_id, pack.price_micros) for sold in trade.back):
        yield f"{len(back)} refunds are booked of {len(trade.back)}"


def _lost(stores: Market, sent: Mapping[str, set[str]]) -> set[str]:
    """What stores have never sent of all that they would have."""
    lost = {one for shop in stores.shops.values() for one in shop.told().lost}
    return {name.rpartition(" ")[2] for name in lost} & set().union(*sent.values())
