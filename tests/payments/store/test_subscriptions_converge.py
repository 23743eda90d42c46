"""Whatever a store tells of a subscription, and in whatever order: it ends alike."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from payments.providers.base import (
    Fact,
    Ownership,
    PriceConsent,
    RefundOrigin,
    State,
    StoreRefund,
    SubscriptionSnapshot,
)
from tests import ledger_rules
from tests.factories.viewers import DeviceFactory
from tests.payments.subscribing import DAY, PRICE, WEEK, Story, plan, state_of_everything, tell
from tests.proof import Proof

START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
COINS = 30
EXAMPLES = 480

#: A store's messages: purchase, the same again, refund, its reversal, renewal, expiry.
Messages = Sequence[tuple[Fact, ...]]


def apple(story: Story) -> Messages:
    """A refund is told by the transaction that was refunded: all of it, or a share; it revokes. Its reversal tells
    the transaction without a revocation. A duplicate is the transaction alone, as an app hands it in."""
    renewal, end = story.begins(1), story.begins(2)
    refunded, returned = renewal + DAY, renewal + 2 * DAY
    return [
        (story.paid(0),),
        (story.paid(0),),
        (story.says(State.REVOKED, at=refunded), story.refund(1, at=refunded)),
        (story.paid(1, at=returned), story.reversal(1, at=returned)),
        (story.paid(1),),
        (story.says(State.EXPIRED, at=end, period=story.period(1)),),
    ]


def google(story: Story) -> Messages:
    """State is read back, as of then; the refund is of an order, in parts of named amounts. Google tells no reversal:
    a refund that failed is seen in the list of voided purchases no more, and told by an operator."""
    renewal, end = story.begins(1), story.begins(2)
    refunded = renewal + DAY
    part = f"part-{round(refunded.timestamp() * 1_000_000)}"
    return [
        (story.paid(0),),
        (story.paid(0, at=START + DAY),),
        (
            story.refund(1, at=refunded, refund_id=part, amount_micros=PRICE),
            story.paid(1, at=refunded),
        ),
        (story.reversal(1, at=refunded + DAY, refund_id=part),),
        (story.paid(1),),
        (story.says(State.EXPIRED, at=end, period=story.period(1)),),
    ]


def stripe(story: Story) -> Messages:
    """Refunds and disputes have names and amounts. The bank takes the rest of the first period's money, and loses."""
    renewal, end = story.begins(1), story.begins(2)
    taken, returned = START + 2 * DAY, renewal + DAY
    part = story.refund(0, at=START + DAY, refund_id="re_1", amount_micros=4_000_000)
    dispute = {"refund_id": "dp_1", "origin": RefundOrigin.CHARGEBACK, "amount_micros": 6_000_000}
    return [
        (story.paid(0),),
        (story.paid(0, at=START + DAY), part),
        (part, story.refund(0, at=taken, **dispute)),
        (story.reversal(0, at=returned, **dispute),),
        (story.paid(1), story.paid(0)),
        (story.says(State.EXPIRED, at=end, period=story.period(1)),),
    ]


STORES: Mapping[str, Callable[[Story], Messages]] = {
    "apple": apple,
    "google": google,
    "stripe": stripe,
}


def ending(
    messages: Messages, *, provider: str, nows: Sequence[datetime], at: datetime
) -> tuple[dict[str, object], int]:
    """What all of that ends in, told in that order, and how many rules of money it breaks."""
    with transaction.atomic():
        for message, now in zip(messages, nows, strict=True):
            tell(*message, now=now, provider=provider)
        found = state_of_everything(at=at)
        broken = len(ledger_rules.broken())
        transaction.set_rollback(True)
    return found, broken


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("has_expired", [True, False])
def test_every_order_of_a_stores_messages_ends_alike(
    db: None, proof: Proof, store: str, has_expired: bool
) -> None:
    story = Story(DeviceFactory().viewer_id, START, plan(coins=COINS, provider=store))
    messages = STORES[store](story)[: 6 if has_expired else 5]
    # All at one moment, in the second period.
    at = story.begins(1) + 3 * DAY
    nows = [at] * len(messages)
    expected, _ = ending(messages, provider=store, nows=nows, at=at)
    orders = list(permutations(messages))
    random.Random(proof.seed).shuffle(orders)  # noqa: S311

    wrong = []
    for order in orders[: proof.rounds(full=len(orders))]:
        found, broken = ending(order, provider=store, nows=nows, at=at)
        if broken or found != expected:
            wrong.append((order, broken, found))

    assert wrong == []
    what = f"orders of {len(messages)} messages of {store} on a subscription"
    proof.record("P6", what, violations=len(wrong))


def test_the_orders_end_in_what_the_messages_say(db: None) -> None:
    """Lest all of them end in nothing."""
    viewer_id = DeviceFactory().viewer_id
    for store, messages in STORES.items():
        story = Story(viewer_id, START, plan(coins=COINS, provider=store), name=f"{store}-sub")
        at = story.begins(1) + 3 * DAY
        with transaction.atomic():
            for message in messages(story)[:5]:
                tell(*message, now=at, provider=store)
            found: Any = state_of_everything(at=at)
            transaction.set_rollback(True)

        assert found["covered"] == {story.name: story.begins(2)}, store
        assert [name for name, *_ in found["periods"]] == [f"{store}-sub..0", f"{store}-sub..1"]
        assert found["wallets"][viewer_id] == (0, 2 * COINS, 0, story.begins(2))


MOMENTS = st.integers(0, 8).map(lambda n: START + n * 3 * DAY)


@st.composite
def snapshots(draw: st.DrawFn, stories: Sequence[Story]) -> SubscriptionSnapshot:
    """Anything that a store may say, plausible or not. Of a period the same is told each time."""
    story = draw(st.sampled_from(stories))
    state = draw(st.sampled_from([State.ACTIVE, State.ACTIVE, *State]))
    number = draw(st.integers(0, 2))
    until = draw(st.none() | st.integers(-1, 4).map(story.begins))
    other = draw(st.sampled_from([each.store_name for each in stories] + ["", "nothing here"]))
    return story.says(
        state,
        at=draw(MOMENTS),
        until=until,
        period=draw(st.sampled_from([None, story.period(number), story.period(number)])),
        renews_as=other,
        store_product_id=draw(st.sampled_from([each.store_name for each in stories])),
        ownership=draw(st.sampled_from(Ownership)),
        price_consent=draw(st.sampled_from(PriceConsent)),
        replaces=draw(st.sampled_from(["", "", stories[0].name])) if story != stories[0] else "",
    )


@st.composite
def moneys(draw: st.DrawFn, stories: Sequence[Story]) -> StoreRefund:
    story, number = draw(st.sampled_from(stories)), draw(st.integers(0, 2))
    size = draw(
        st.sampled_from(
            [
                {},
                {"amount_micros": 3_000_000},
                {"amount_micros": PRICE},
                {"share_parts_per_million": 1},
                {"share_parts_per_million": 500_000},
                {"share_parts_per_million": 1_000_000},
            ]
        )
    )
    told = draw(st.sampled_from([story.refund, story.refund, story.reversal]))
    refund: StoreRefund = told(
        number, at=draw(MOMENTS), refund_id=draw(st.sampled_from(["all", "r"])), **size
    )
    return refund


@st.composite
def everything(
    draw: st.DrawFn, stories: Sequence[Story]
) -> tuple[Sequence[Fact], Sequence[Fact], bool]:
    """Facts, the same in any order and half of them twice, and whether all come at one moment."""
    found = draw(st.lists(snapshots(stories) | moneys(stories), min_size=2, max_size=9))
    return found, draw(st.permutations(found + found[: len(found) // 2])), draw(st.booleans())


def _in_time(fact: Fact) -> datetime:
    if isinstance(fact, SubscriptionSnapshot):
        return fact.as_of
    assert isinstance(fact, StoreRefund)
    return fact.refunded_at or fact.reversed_at or START


def test_random_facts_in_any_order_and_twice_end_as_in_time(db: None, proof: Proof) -> None:
    viewer_id = DeviceFactory().viewer_id
    stories = [Story(viewer_id, START, plan(coins=COINS), name=name) for name in "ab"]
    proof.count = EXAMPLES if proof.is_full else EXAMPLES // 16

    @seed(proof.seed)
    @settings(
        max_examples=proof.count,
        deadline=None,
        database=None,
        print_blob=False,
        # What fails is nine facts at most: to make it fewer takes longer than to read it.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(everything(stories))
    def check(told: tuple[Sequence[Fact], Sequence[Fact], bool]) -> None:
        found, shuffled, is_at_once = told
        pause = timedelta() if is_at_once else DAY / 2
        nows = [START + 2 * WEEK + n * pause for n in range(len(shuffled))]
        endings = [
            ending(
                [(fact,) for fact in facts],
                provider="fake",
                nows=nows[: len(facts)],
                at=nows[-1],
            )
            for facts in (sorted(found, key=_in_time), shuffled)
        ]
        assert [broken for _, broken in endings] == [0, 0]
        assert endings[0][0] == endings[1][0]

    check()
    proof.record("P6", "random facts on two subscriptions, any order, twice", violations=0)
