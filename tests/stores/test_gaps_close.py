"""What a store lost on its way is found in its history; what cannot be read or applied is kept and shown, and
holds up nothing.
"""

import signal
from collections.abc import Iterator, Sequence
from uuid import UUID

from config import clock
from demo.stores.deliveries import Manners
from payments.providers.base import StoreRefund, StoreTransaction
from tests.proof import Proof
from tests.stores import books
from tests.stores.market import Market
from tests.stores.seed import Customer
from tests.stores.shops import Sold

FULL_LOST = 400
#: Google tells of what was bought by its app and its pushes alone; what it gave back it lists.
WITH_HISTORY = ("apple", "stripe")
SETTLED = "settle_messages"
"""What the worker's log has of each time that it looks for messages."""


def test_what_stores_lost_on_its_way_is_found_in_their_histories(
    stores: Market, proof: Proof
) -> None:
    lost = proof.rounds(full=FULL_LOST)
    buyers = (stores.population.customers * (lost // len(stores.population.customers) + 1))[:lost]
    pages = [stores.check_out(buyer) for buyer in buyers]
    at_google = _bought_at_google(stores, buyers[: max(lost // 10, 2)])
    for name in (*WITH_HISTORY, "google"):
        stores.shops[name].behave(Manners(lose=1.0))
    sold = [(stores.apple.sell(buyer), buyer) for buyer in buyers]
    sold += [(stores.stripe.pay(page), buyer) for page, buyer in zip(pages, buyers, strict=True)]
    back = [one for number, (one, _) in enumerate(sold) if number % 5 == 0] + at_google
    for one in back:
        stores.shops[one.provider].give_back(one)
    never_sent = {
        name: [one.rpartition(" ")[2] for one in stores.shops[name].told().lost]
        for name in WITH_HISTORY
    }
    assert books.booked(stores, [one.transaction_id for one, _ in sold]) == []

    stores.read_histories()
    stores.wait_until(lambda: books.waiting(stores) == 0, "what was found is applied")

    found = [
        *_not_booked(stores, sold),
        *_not_back(stores, back),
        *_not_pulled(stores, never_sent),
        *books.ledger_faults(stores),
    ]
    proof.count = sum(map(len, never_sent.values())) + len(at_google)
    proof.record(
        "P12",
        "Notifications of purchases and refunds that three stores lost altogether: found by reading"
        " their histories, applied once",
        violations=len(found),
    )
    assert found == []


def test_a_type_that_is_unknown_is_kept_and_alarmed_and_applied_when_it_is_known(
    stores: Market,
) -> None:
    buyer = stores.population.customers[0]
    unknown = stores.fake.message("of_another_age")
    stores.fake.send(unknown)
    stores.fake.flush()
    stores.wait_until(lambda: _state(stores, unknown.event_id) == "unknown", "it is kept")
    assert "messages_unknown" in stores.console.alarms()
    _replay(stores, unknown.event_id)
    stores.wait_until(lambda: _state(stores, unknown.event_id) == "unknown", "it is kept still")

    stores.instance.worker.send(signal.SIGSTOP)
    sold = stores.fake.sell(buyer)
    stores.fake.flush()
    (event_id,) = _event_ids(stores, "sold")
    # As an older version has kept what it could not read.
    stores.instance.query(
        "UPDATE payments_storemessage SET state = 'unknown', code = 'unknown_type',"
        " next_attempt_at = NULL WHERE event_id = %s",
        event_id,
    )
    worker = stores.instance.worker
    settled = worker.said().count(SETTLED)
    worker.send(signal.SIGCONT)
    stores.wait_until(lambda: worker.said().count(SETTLED) > settled + 1, "the worker works")
    assert books.booked(stores, [sold.transaction_id]) == []
    _replay(stores, event_id)
    stores.wait_until(lambda: _state(stores, event_id) == "applied", "it is applied")
    assert [one.viewer_id for one in books.booked(stores, [sold.transaction_id])] == [buyer.id]
    _forget(stores, unknown.event_id)


def test_a_message_that_cannot_be_applied_is_parked_and_shown_while_others_go_on(
    stores: Market,
) -> None:
    poison = stores.fake.message("poison", refunds=(_refund(amount_micros=10**30),))
    wrong = stores.fake.message("wrong", transactions=(_of_no_product(stores),))
    for message in (poison, wrong):
        stores.fake.send(message)
    stores.fake.flush()
    buyer = stores.population.customers[1]
    sold = [stores.fake.sell(buyer) for _ in range(5)]
    stores.fake.flush()
    stores.wait_until(
        lambda: len(books.booked(stores, [one.transaction_id for one in sold])) == len(sold),
        "others go on",
    )

    def is_parked() -> bool:
        stores.hurry()
        return _state(stores, poison.event_id) == "parked"

    stores.wait_until(is_parked, "the poison is parked")
    assert {"messages_parked", "messages_waiting"} <= set(stores.console.alarms())
    assert _state(stores, wrong.event_id) == "waiting"
    _forget(stores, poison.event_id, wrong.event_id)


def _bought_at_google(stores: Market, buyers: Sequence[Customer]) -> list[Sold]:
    sold = []
    for buyer in buyers:
        sold.append(one := stores.google.sell(buyer))
        assert stores.hand_in(one, buyer).status_code in {200, 201}
    stores.google.flush()
    return sold


def _refund(*, amount_micros: int) -> StoreRefund:
    return StoreRefund(
        environment="production",
        transaction_id="fake-never-sold",
        refunded_at=clock.read(),
        amount_micros=amount_micros,
    )


def _of_no_product(stores: Market) -> StoreTransaction:
    return StoreTransaction(
        environment="production",
        transaction_id=f"fake-of-nothing-{UUID(int=clock.read().microsecond)}",
        store_product_id="coins.of.nobody",
        account_token=stores.population.customers[0].id,
        price_micros=1_000_000,
        currency="USD",
        purchased_at=clock.read(),
    )


def _replay(stores: Market, event_id: str) -> None:
    named = books.one(
        stores, "SELECT id::text FROM payments_storemessage WHERE event_id = %s", event_id
    )
    assert stores.console.replay([named]) == 1


def _state(stores: Market, event_id: str) -> str:
    found = books.kept(stores, [event_id])
    return found[0].state if found else ""


def _event_ids(stores: Market, type_: str) -> list[str]:
    """The latest message of a type."""
    rows = stores.instance.query(
        "SELECT event_id FROM payments_storemessage WHERE type = %s ORDER BY id DESC LIMIT 1", type_
    )
    return [event_id for (event_id,) in rows]


def _forget(stores: Market, *event_ids: str) -> None:
    """For the tests that come after this one."""
    stores.instance.query(
        "DELETE FROM payments_storemessage WHERE event_id = ANY(%s)", list(event_ids)
    )


def _not_booked(stores: Market, sold: Sequence[tuple[Sold, Customer]]) -> Iterator[str]:
    rows = [
        (one.transaction_id, one.viewer_id)
        for one in books.booked(stores, [one.transaction_id for one, _ in sold])
    ]
    expected = [(one.transaction_id, buyer.id) for one, buyer in sold]
    if sorted(rows) != sorted(expected):
        yield f"{len(rows)} are booked of {len(expected)}"


def _not_back(stores: Market, back: Sequence[Sold]) -> Iterator[str]:
    names = sorted(one.transaction_id for one in back)
    found = sorted(name for name, _ in books.given_back(stores, names))
    if found != names:
        yield f"{len(found)} refunds are booked of {len(names)}"


def _not_pulled(stores: Market, never_sent: dict[str, list[str]]) -> Iterator[str]:
    for provider, names in never_sent.items():
        states = [(one.state, one.arrived_by) for one in books.kept(stores, names)]
        if states != [("applied", "pulled")] * len(names):
            yield f"of {len(names)} that {provider} lost came {states}"
