"""What we owe to stores is paid: they hear that what they sold was delivered before they take the money back, and
what became of it before they give it back, as exactly as it is known and no more than the viewer allows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from tests.proof import Proof
from tests.stores import books
from tests.stores.market import Market
from tests.stores.seed import Customer
from tests.stores.shops import Sold

FULL_BOUGHT, FULL_ASKED = 400, 200
DELIVERED = ":(acknowledge|consume)$"
#: Google gives back what is not acknowledged for so long.
ACKNOWLEDGE_WITHIN = timedelta(days=3)
OUTAGE = timedelta(days=2, hours=22)
WHOLE_MILLIUNITS = 100_000
EPISODE_COINS = 60  # of the default plan


@dataclass(frozen=True)
class Question:
    """What a store asked about a purchase, of which so many coins were spent."""

    sold: Sold
    spent_coins: int
    is_consented: bool


@pytest.fixture
def _google_is_started_again(stores: Market) -> Iterator[None]:
    """Its time has gone on by days: started again, it has the machine's."""
    yield
    google = stores.google
    google.program.kill_group()
    google.program.start()
    stores.wait_until(google.answers, "Google serves again")


@pytest.mark.usefixtures("_google_is_started_again")
def test_google_hears_of_every_delivery_before_it_takes_the_money_back(
    stores: Market, proof: Proof
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    count = proof.rounds(full=FULL_BOUGHT)
    buyers = chance.choices(stores.population.customers, k=count)
    stores.google.fail({"kind": "status", "status": 503, "matching": DELIVERED})
    packs = [_bought(stores, stores.google.sell(buyer), buyer) for buyer in buyers]
    subscribers = chance.sample(stores.population.customers, max(count // 20, 1))
    passes = [_bought(stores, stores.google.subscribe(one), one) for one in subscribers]
    assert _unheard(stores, packs, passes) != [], "Google was in no trouble"

    def is_tried_twice() -> bool:
        stores.hurry()
        return books.tried_less(stores, "storecall", times=2) == 0

    stores.wait_until(is_tried_twice, "Google was told in vain")

    # The worker dies while it tells.
    stores.google.fail({"kind": "hang", "seconds": 2.0, "matching": DELIVERED, "times": 4})
    stores.hurry()
    stores.wait_until(lambda: _is_told(stores), "Google is being told")
    stores.instance.worker.kill_group()
    stores.google.fail({"kind": "status", "status": 503, "matching": DELIVERED})
    stores.instance.worker.start()
    stores.wait_until(stores.instance.works, "the worker works")
    stores.google.advance(OUTAGE.total_seconds())
    stores.google.fail()

    def is_all_told() -> bool:
        stores.hurry()
        return _owed(stores, [*packs, *passes]) == 0

    stores.wait_until(is_all_told, "Google has heard of everything")
    found = _unheard(stores, packs, passes)
    stores.google.advance((ACKNOWLEDGE_WITHIN - OUTAGE).total_seconds() + 3600)
    found += [f"{one} was taken back" for one in packs if not _is_kept(stores, one)]
    found += [f"{one}" for one in stores.google.order("GET", "/_violations")]
    proof.count = len(packs) + len(passes)
    proof.record(
        "P12",
        "Purchases at Google, whose calls fail for almost three days of its time while the worker is"
        " killed: acknowledged and consumed in time, none taken back",
        violations=len(found),
    )
    assert found == []


def test_refund_questions_are_answered_exactly_in_time_and_with_consent_alone(
    stores: Market, proof: Proof
) -> None:
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    count = proof.rounds(full=FULL_ASKED)
    # Each of these spends from one purchase alone, and no other coins.
    spenders = stores.population.newcomers[:count]
    assert len(spenders) == count
    for peer in (stores.apple, stores.google):
        peer.fail({"kind": "status", "status": 503, "matching": "consumption|reviewrefund"})
    questions = [
        _asked(stores, provider, buyer, chance)
        for provider, buyer in zip(["apple", "google"] * count, spenders, strict=False)
    ]
    stores.wait_until(lambda: _asked_of(stores, questions) == count, "the questions are known")
    for peer in (stores.apple, stores.google):
        peer.fail()

    def is_all_answered() -> bool:
        stores.hurry()
        return _owed(stores, [one.sold for one in questions]) == 0

    stores.wait_until(is_all_answered, "everything is answered")
    found = [
        *_wrong_at_apple(stores, questions),
        *_wrong_at_google(stores, questions),
        *_late(stores),
    ]
    proof.record(
        "P8",
        "Refund questions of Apple and Google, which fail meanwhile: answered in time with the exact"
        " share that was spent, and with no share without the viewer's consent",
        violations=len(found),
    )
    assert found == []


def _bought(stores: Market, sold: Sold, buyer: Customer) -> Sold:
    answer = stores.hand_in(sold, buyer)
    assert answer.status_code in {200, 201}, answer.text
    return sold


def _is_told(stores: Market) -> bool:
    calls = stores.google.calls("/tokens/")
    return any(call["fault"] == "hang" for call in calls) or _taken(stores) > 0


def _taken(stores: Market) -> int:
    """How many calls a worker is at."""
    return int(
        books.one(
            stores,
            "SELECT count(*) FROM payments_storecall WHERE state = 'waiting' AND attempts > 1"
            " AND next_attempt_at > now() + interval '50 seconds'",
        )
    )


def _owed(stores: Market, sold: Sequence[Sold]) -> int:
    """How much about these purchases stores have not heard yet."""
    return int(
        books.one(
            stores,
            "SELECT count(*) FROM payments_storecall WHERE state <> 'done'"
            " AND coalesce(details ->> 'transaction_id', subject) = ANY(%s)",
            [one.transaction_id for one in sold],
        )
    )


def _unheard(stores: Market, packs: Sequence[Sold], passes: Sequence[Sold]) -> list[str]:
    """What Google does not know to be delivered."""
    found = []
    for one in packs:
        told = stores.google.order("GET", f"/_purchases/{one.transaction_id}")
        if not (told["is_acknowledged"] and told["lines"][0]["is_consumed"]):
            found.append(f"{one} is not consumed")
    found += [
        f"{one} is not acknowledged"
        for one in passes
        if not stores.google.order("GET", f"/_subscriptions/{one.transaction_id}")[
            "is_acknowledged"
        ]
    ]
    return found


def _is_kept(stores: Market, sold: Sold) -> bool:
    told = stores.google.order("GET", f"/_purchases/{sold.transaction_id}")
    return bool(told["state"] == "PURCHASED")


def _asked(stores: Market, provider: str, buyer: Customer, chance: Random) -> Question:
    """A viewer buys, spends some, says what stores may hear, and wants the money back."""
    sold = _bought(stores, stores.shops[provider].sell(buyer), buyer)
    episodes = chance.randint(0, len(stores.population.locked_episode_ids))
    _spend(stores, buyer, episodes=episodes)
    is_consented = chance.random() < 0.5
    if is_consented:
        said = stores.app.patch(
            "/v1/me",
            json={"shares_consumption": True},
            headers={"Authorization": f"Bearer {buyer.token}"},
        )
        assert said.status_code == 200, said.text
    if provider == "apple":
        stores.apple.order("POST", f"/_transactions/{sold.transaction_id}/ask")
    else:
        stores.google.order("POST", f"/_purchases/{sold.transaction_id}/ask")
    return Question(sold, episodes * EPISODE_COINS, is_consented)


def _spend(stores: Market, buyer: Customer, *, episodes: int) -> None:
    shown = stores.get(f"series/{stores.population.series_id}/paywall", buyer).json()
    for episode_id in stores.population.locked_episode_ids[:episodes]:
        opened = stores.post(f"episodes/{episode_id}/unlock", buyer, quote=shown["quote"])
        assert opened.status_code in {200, 201}, opened.text


def _asked_of(stores: Market, questions: Sequence[Question]) -> int:
    """How many of the questions are here."""
    names = [one.sold.transaction_id for one in questions]
    return int(
        books.one(
            stores,
            "SELECT count(*) FROM payments_storecall WHERE verb = 'answer_refund_question'"
            " AND details ->> 'transaction_id' = ANY(%s)",
            names,
        )
    )


def _share(question: Question, stores: Market) -> Fraction:
    return Fraction(question.spent_coins, stores.population.pack.coins)


def _wrong_at_apple(stores: Market, questions: Sequence[Question]) -> Iterator[str]:
    told: dict[str, list[Any]] = {}
    for one in stores.apple.order("GET", "/_consumption")["consumption"]:
        told.setdefault(one["transactionId"], []).append(one)
    for question in questions:
        if question.sold.provider != "apple":
            continue
        answers = told.get(question.sold.transaction_id, [])
        # Once, or the same again: `hurry` has calls made that a worker is at.
        said = {one["consumptionPercentage"] for one in answers}
        exact = int(_share(question, stores) * WHOLE_MILLIUNITS + Fraction(1, 2))
        if said != ({exact} if question.is_consented else set()):
            yield f"{question}: Apple was told {answers}"
        if not all(one["customerConsented"] for one in answers):
            yield f"{question}: Apple was told without consent"


def _wrong_at_google(stores: Market, questions: Sequence[Question]) -> Iterator[str]:
    asked = {}
    for one in stores.google.order("GET", "/_questions"):
        asked[one["order_id"]] = one
    for question in questions:
        if question.sold.provider != "google":
            continue
        name = question.sold.transaction_id
        order_id = stores.google.order("GET", f"/_purchases/{name}")["order_id"]
        answer = asked[order_id]["answer"]
        exact = int(_share(question, stores) * WHOLE_MILLIUNITS)
        said = (answer or {}).get("consumptionPercentageMilliunits")
        if answer is None or said != (exact if question.is_consented else None):
            yield f"{question}: Google was told {answer}"


def _late(stores: Market) -> Iterator[str]:
    """Answers that came when the store did not listen any more."""
    late = "SELECT subject FROM payments_storecall WHERE done_at > deadline_at"
    for (subject,) in stores.instance.query(late):
        yield f"{subject} was answered too late"
