"""Claims, check-ins and invitations that many make at the same moment: each pays once, within its limits."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from pytest_django.fixtures import Settings

from ads.growth import automatic, claims, referrals
from ads.growth.claims import TaskBudgetSpent, TaskWithheld
from ads.growth.offered import Caller
from ads.growth.referrals import ReferralRefused
from ads.models import Referral, ReferralState, Task, TaskCampaign, TaskClaim, WatchDay
from payments.models import Transfer, Wallet
from tests import ledger_rules
from tests.factories.growth import (
    TaskCampaignFactory,
    TaskFactory,
    caller,
    check_in_task,
    claim,
    invite_of,
    newcomer,
    sign_up_task,
    watch,
)
from tests.proof import Proof
from tests.races.crowd import at_once, connections

CALLERS = 40
RING = 50
CAP = 12

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS):
        yield


def test_forty_claims_of_one_task_pay_once(now: datetime, proof: Proof) -> None:
    task, calendar = TaskFactory(is_automatic=True), check_in_task()
    wrong = 0
    for _ in range(proof.rounds(full=200)):
        who = caller()
        watch(who.viewer.id, until=now, seconds=300)
        calls: list[Callable[[], object]] = [
            partial(claim, who, one, now=now) for one in (task, calendar)
        ] * (CALLERS // 2 - 1)
        calls.append(partial(automatic.settle, now=now))
        told = at_once(calls)

        answers = [one for one in told if isinstance(one, claims.Claimed)]
        wrong += len({one.claim_id for one in answers}) != 2
        wrong += sum(one.is_new for one in answers) not in {1, 2}
        wrong += TaskClaim.objects.filter(viewer=who.viewer).count() != 2
        wrong += Wallet.objects.get(viewer=who.viewer).bonus_coins != 18 + 10

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P26", f"a task and a check-in, {CALLERS} simultaneous claims", violations=wrong)


def _is_paid(who: Caller, task: Task, *, address: str, now: datetime) -> bool:
    try:
        return claim(who, task, address=address, now=now).is_new
    except (TaskBudgetSpent, TaskWithheld):
        return False


def test_a_budget_and_a_device_are_shared_by_a_crowd(now: datetime, proof: Proof) -> None:
    wrong = 0
    for turn in range(proof.rounds(full=100) // 2 or 1):
        campaign = TaskCampaignFactory(budget_coins=18 * 7 + 5)
        task = TaskFactory(campaign=campaign)
        bonus = sign_up_task()
        device = caller().device
        people = [caller() for _ in range(20)]
        farm = [caller(install_id=device.install_id) for _ in range(20)]
        for each in (*people, *farm):
            watch(each.viewer.id, until=now, seconds=300)

        told = at_once(
            [partial(_is_paid, who, task, address="45.1.0.1", now=now) for who in people]
            + [
                partial(_is_paid, who, bonus, address=f"46.{turn}.{place}.1", now=now)
                for place, who in enumerate(farm)
            ]
        )

        wrong += (sum(told[:20]), sum(told[20:])) != (7, 1)
        wrong += TaskCampaign.objects.get(id=campaign.id).spent_coins != 18 * 7
        bonus.is_active = False
        bonus.save(update_fields=["is_active"])

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P26", "a campaign's budget and a device's bonus, 40 callers", violations=wrong)


def test_a_ring_of_fifty_accounts_is_paid_no_more_than_the_cap(
    now: datetime, settings: Settings, proof: Proof
) -> None:
    """All bring each other, from everywhere and at once, and all of them watch enough."""
    settings.REFERRAL_FAMILY_MAXIMUM = CAP
    wrong = 0
    for turn in range(proof.rounds(full=20) // 2 or 1):
        ring = [newcomer(now=now) for _ in range(RING)]
        codes = [invite_of(each, now=now) for each in ring]
        for each in ring:
            watch(each.viewer.id, until=now, seconds=1800)

        def bind(
            place: int, ring: list[Caller] = ring, codes: list[str] = codes, turn: int = turn
        ) -> bool:
            try:
                code, address = codes[(place + 1) % RING], f"45.{turn}.{place}.1"
                referrals.bind(ring[place], code=code, address=address, now=now)
            except ReferralRefused:
                return False
            return True

        bound = at_once([partial(bind, place) for place in range(CALLERS)])
        bound += [bind(place) for place in range(CALLERS, RING)]
        due = now + timedelta(days=7)
        at_once([partial(referrals.vest_due, now=due) for _ in range(8)])

        vested = Referral.objects.filter(
            referrer__in=[each.viewer for each in ring], state=ReferralState.VESTED
        )
        # The last one would have closed the circle.
        wrong += (sum(bound), vested.count()) != (RING - 1, CAP)
        wrong += Transfer.objects.filter(viewer__in=[each.viewer for each in ring]).count() != CAP

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P26", f"a ring of {RING} accounts, paid within the cap", violations=wrong)


def test_watching_told_by_many_at_once_is_counted_once(now: datetime, proof: Proof) -> None:
    for _ in range(proof.rounds(full=100)):
        crowd = [caller() for _ in range(5)]

        def tell(place: int, crowd: list[Caller] = crowd) -> None:
            for who in crowd[place % 5 :] + crowd[: place % 5]:
                watch(who.viewer.id, until=now + timedelta(seconds=place), seconds=30)

        at_once([partial(tell, place) for place in range(20)])

        seconds = WatchDay.objects.filter(viewer__in=[who.viewer for who in crowd])
        assert set(seconds.values_list("seconds", flat=True)) == {30 + 19}

    proof.record("P26", "watching told by 20 flushers at once", violations=0)
