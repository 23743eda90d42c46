"""Operators who press the same button, or give at the same moment: once, and within the limits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.db.models import Sum
from pytest_django import Settings

from payments.desk import grants, promos
from payments.desk.grants import (
    Asked,
    CoinGift,
    DecidedBefore,
    EpisodeGift,
    EpisodeOpen,
    Gift,
    NotGiven,
)
from payments.models import (
    Entitlement,
    Grant,
    GrantReason,
    Lot,
    PromoCode,
    Purchase,
    Refund,
    RefundBooking,
    Transfer,
    Wallet,
)
from payments.store import operator_refunds
from payments.store.operator_refunds import RefundRefused
from tests import ledger_rules
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.operators import operator
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from tests.races.crowd import at_once, connections

CALLERS = 40

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS):
        yield


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.GRANT_SOLO_COINS = 500
    settings.GRANT_MAXIMUM_COINS = 20_000
    settings.GRANT_DAILY_COINS = 5_000


def ask(viewer_id: UUID, gift: Gift, *, operator_id: int, now: datetime, name: UUID) -> str:
    """What became of it, a refusal by its name."""
    try:
        return grants.ask(
            grant_id=name,
            viewer_id=viewer_id,
            gift=gift,
            reason=GrantReason.GOODWILL,
            note="Race",
            operator_id=operator_id,
            now=now,
        )
    except (grants.OverDailyLimit, EpisodeOpen) as refusal:
        return type(refusal).__name__


def counted(answers: list[str]) -> dict[str, int]:
    return {answer: answers.count(answer) for answer in set(answers)}


def make_code(name: str, *, operator_id: int, now: datetime) -> bool:
    """Whether the code can be redeemed without a second person."""
    code = PromoCode(
        code=name,
        name=name,
        bonus_coins=50,
        maximum_redemptions=10,
        starts_at=now,
    )
    promos.make(code, operator_id=operator_id, now=now)
    return not code.is_waiting


def test_promo_codes_made_at_one_moment_stay_within_what_one_person_may_let_them_give(
    now: datetime, settings: Settings, proof: Proof
) -> None:
    settings.PROMO_SOLO_COINS = 5_000
    for turn in range(proof.rounds(full=20)):
        maker = operator(f"maker {turn}")
        calls = [
            partial(make_code, f"RACE{turn}N{number}", operator_id=maker.id, now=now)
            for number in range(CALLERS)
        ]
        assert sum(at_once(calls)) == 10


def test_one_form_from_many_callers_gives_once(now: datetime, proof: Proof) -> None:
    asker = operator("asker")
    for _ in range(proof.rounds(full=100)):
        viewer_id, name = DeviceFactory().viewer_id, uuid4()
        gift = CoinGift(coins=1)
        call = partial(ask, viewer_id, gift, operator_id=asker.id, now=now, name=name)
        answers = at_once([call] * CALLERS)
        assert counted(answers) == {Asked.GIVEN: 1, Asked.REPEATED: CALLERS - 1}
        assert Wallet.objects.get(viewer_id=viewer_id).bonus_coins == 1
        assert Grant.objects.filter(viewer_id=viewer_id).count() == 1

    assert ledger_rules.broken() == []
    proof.record("P9", "one grant's form from 40 callers", violations=0)


def test_many_approvers_at_once_give_once(now: datetime, proof: Proof) -> None:
    asker = operator("asker")
    approvers = [operator(f"approver-{number}") for number in range(4)]

    def approve(grant: Grant, operator_id: int) -> str:
        try:
            return grants.decide(
                grant_id=grant.id, operator_id=operator_id, is_approved=True, now=now
            )
        except DecidedBefore as refusal:
            return type(refusal).__name__

    for _ in range(proof.rounds(full=200)):
        viewer_id, name = DeviceFactory().viewer_id, uuid4()
        ask(viewer_id, CoinGift(coins=900), operator_id=asker.id, now=now, name=name)
        grant = Grant.objects.get(id=name)
        answers = at_once([partial(approve, grant, user.id) for user in approvers])
        assert counted(answers) == {"given": 1, "DecidedBefore": 3}
        assert Wallet.objects.get(viewer_id=viewer_id).bonus_coins == 900

    assert ledger_rules.broken() == []
    proof.record("P9", "four second persons approve one grant at once", violations=0)


def test_the_limit_of_the_day_holds_for_simultaneous_gifts(now: datetime, proof: Proof) -> None:
    viewers = [DeviceFactory().viewer_id for _ in range(20)]
    for number in range(proof.rounds(full=100)):
        asker = operator(f"asker-{number}")
        answers = at_once(
            [
                partial(
                    ask,
                    viewer_id,
                    CoinGift(coins=500),
                    operator_id=asker.id,
                    now=now,
                    name=uuid4(),
                )
                for viewer_id in viewers
            ]
        )
        assert counted(answers) == {Asked.GIVEN: 10, "OverDailyLimit": 10}
        given = Grant.objects.filter(asked_by=asker).aggregate(total=Sum("worth_coins"))
        assert given["total"] == 5_000

    assert ledger_rules.broken() == []
    proof.record("P9", "20 simultaneous gifts against one day's limit", violations=0)


def test_one_episode_from_many_operators_is_given_once(now: datetime, proof: Proof) -> None:
    default_plan()
    episode_id = EpisodeFactory(series=SeriesFactory(), number=9).id
    askers = [operator(f"asker-{number}") for number in range(10)]
    for _ in range(proof.rounds(full=50)):
        viewer_id = DeviceFactory().viewer_id
        answers = at_once(
            [
                partial(
                    ask,
                    viewer_id,
                    EpisodeGift(episode_id=episode_id),
                    operator_id=asker.id,
                    now=now,
                    name=uuid4(),
                )
                for asker in askers
            ]
        )
        assert counted(answers) == {Asked.GIVEN: 1, "EpisodeOpen": 9}
        assert Entitlement.objects.filter(viewer_id=viewer_id).count() == 1
        assert Grant.objects.filter(viewer_id=viewer_id).count() == 1

    assert ledger_rules.broken() == []
    proof.record("P9", "one episode given by ten operators at once", violations=0)


def test_taken_back_by_many_comes_back_once(now: datetime, proof: Proof) -> None:
    asker = operator("asker")

    def revoke(name: UUID) -> str:
        try:
            return str(grants.revoke(grant_id=name, operator_id=asker.id, now=now))
        except NotGiven as refusal:
            return type(refusal).__name__

    for _ in range(proof.rounds(full=50)):
        viewer_id, name = DeviceFactory().viewer_id, uuid4()
        ask(viewer_id, CoinGift(coins=10), operator_id=asker.id, now=now, name=name)
        answers = at_once([partial(revoke, name)] * 10)
        assert counted(answers) == {"10": 1, "NotGiven": 9}
        assert Lot.objects.get(wallet__viewer_id=viewer_id).remaining_coins == 0
        assert Transfer.objects.filter(viewer_id=viewer_id).count() == 2

    assert ledger_rules.broken() == []
    proof.record("P9", "one grant taken back by ten callers", violations=0)


def test_operators_refund_at_most_what_was_paid(now: datetime, proof: Proof) -> None:
    """Each asks for two thirds: together they would be more than there is."""
    asker = operator("asker")

    def refund(purchase: Purchase) -> str:
        try:
            return operator_refunds.by_operator(
                purchase, operator_id=asker.id, reason="Race", now=now, amount_micros=2_000_000
            ).outcome
        except RefundRefused as refusal:
            return type(refusal).__name__

    for _ in range(proof.rounds(full=50)):
        purchase = fund(DeviceFactory().viewer_id, now=now, paid=300, price_micros=3_000_000)
        answers = at_once([partial(refund, purchase)] * 10)
        assert counted(answers) == {"taken": 1, "RefundRefused": 9}
        assert Refund.objects.filter(purchase=purchase).count() == 1
        assert RefundBooking.objects.get(purchase=purchase).taken_coins == 200

    assert ledger_rules.broken() == []
    proof.record("P9", "ten operators refund two thirds of one purchase", violations=0)


def test_one_refunds_form_from_many_callers_refunds_once(now: datetime, proof: Proof) -> None:
    asker = operator("asker")
    for _ in range(proof.rounds(full=50)):
        purchase = fund(DeviceFactory().viewer_id, now=now, paid=300, price_micros=3_000_000)
        name = uuid4()

        def refund(number: int, purchase: Purchase = purchase, name: UUID = name) -> str:
            return operator_refunds.by_operator(
                purchase,
                operator_id=asker.id,
                reason="Race",
                now=now + timedelta(milliseconds=number),
                request_id=name,
            ).outcome

        answers = at_once([partial(refund, number) for number in range(20)])
        assert counted(answers) == {"taken": 1, "repeated": 19}
        assert RefundBooking.objects.get(purchase=purchase).taken_coins == 300

    assert ledger_rules.broken() == []
    proof.record("P9", "one refund's form from 20 callers", violations=0)
