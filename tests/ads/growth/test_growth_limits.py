"""What is had from one device or one part of the network is limited, and no address is kept."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from ads.growth import claims, limits
from ads.models import LimitCount, Task
from tests import ledger_rules
from tests.factories.growth import caller, claim, sign_up_task, watch
from tests.factories.operators import operator
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from viewers import flags
from viewers.models import Identity


def test_a_block_is_kept_as_a_hash_of_the_day(now: datetime) -> None:
    one = limits.per_block("x", "8.8.8.7", at_most=1, now=now)
    same = limits.per_block("x", "8.8.8.250", at_most=1, now=now)
    other = limits.per_block("x", "8.8.9.7", at_most=1, now=now)
    tomorrow = limits.per_block("x", "8.8.8.7", at_most=1, now=now + timedelta(days=1))
    nobodys = [
        limits.per_block("x", address, at_most=1, now=now)
        for address in (None, "10.0.0.1", "192.168.9.9")
    ]

    assert one == same
    assert len(set(nobodys)) == 1
    assert len({one.subject, other.subject, tomorrow.subject, nobodys[0].subject}) == 4
    assert len(one.subject) == 64


@pytest.mark.django_db
def test_a_sign_up_bonus_is_for_who_has_cost_something(now: datetime) -> None:
    task = sign_up_task(minutes=5)
    idle, watched, signed_in, typed = (caller() for _ in range(4))
    watch(watched.viewer.id, until=now, seconds=300)
    for who, provider in ((signed_in, "apple"), (typed, "email")):
        Identity.objects.create(
            viewer=who.viewer, provider=provider, issuer_app="a", subject="s", created_at=now
        )
    assert claim(watched, task, now=now).coins == 50
    assert claim(signed_in, task, now=now).coins == 50
    for who in (idle, typed):
        with pytest.raises(claims.TaskNotReached):
            claim(who, task, now=now)
    flagged = caller()
    watch(flagged.viewer.id, until=now, seconds=300)
    flag = flags.raise_by_hand(
        viewer_id=flagged.viewer.id, operator_id=operator().id, detail="A farm.", now=now
    )
    with pytest.raises(claims.TaskWithheld):
        claim(flagged, task, now=now)
    flags.lift(flag_id=flag.id, operator_id=flag.raised_by_id, because="No farm.", now=now)
    assert claim(flagged, task, now=now).is_new
    second = caller(install_id=watched.device.install_id)
    watch(second.viewer.id, until=now, seconds=300)
    with pytest.raises(claims.TaskWithheld):
        claim(second, task, now=now)
    assert claim(watched, task, now=now + timedelta(days=9)).is_new is False
    Task.objects.update(is_active=False)
    again = sign_up_task(minutes=1, code="another-one")
    reinstalled = caller(DeviceFactory(viewer=watched.viewer))
    with pytest.raises(claims.TaskWithheld):
        claim(reinstalled, again, now=now)
    assert ledger_rules.broken() == []

    assert limits.prune(now=now) == 0
    assert limits.prune(now=now + timedelta(days=1)) == 2
    assert set(LimitCount.objects.values_list("name", flat=True)) == {"sign_up_device"}


@pytest.mark.django_db
def test_a_thousand_accounts_on_ten_devices_earn_ten_bonuses(now: datetime, proof: Proof) -> None:
    """Each has watched enough, each calls from an address of its own, and half try twice."""
    task = sign_up_task()
    farm = [caller() for _ in range(10)]
    count, paid = max(proof.rounds(full=1000), 30), 0
    for place in range(count):
        who = caller(install_id=farm[place % 10].device.install_id)
        watch(who.viewer.id, until=now, seconds=300)
        for _ in range(1 + place % 2):
            try:
                address = f"45.{place // 250}.{place % 250}.1"
                paid += claim(who, task, address=address, now=now).is_new
            except claims.TaskWithheld:
                continue

    assert paid == 10
    assert ledger_rules.broken() == []
    proof.record(
        "P26", "synthetic accounts on 10 devices, 10 sign-up bonuses", violations=paid - 10
    )


@pytest.mark.django_db
def test_new_devices_from_one_block_and_in_one_day_come_to_an_end(
    now: datetime, settings: Settings
) -> None:
    """An installation's id is the app's word: who makes one up for each account meets the next limit."""
    settings.SIGN_UP_PER_BLOCK_DAILY, settings.SIGN_UP_DAILY = 2, 3
    task = sign_up_task()

    def paid(address: str) -> bool:
        who = caller()
        watch(who.viewer.id, until=now, seconds=300)
        try:
            return claim(who, task, address=address, now=now).is_new
        except claims.TaskWithheld:
            return False

    assert [paid(f"8.8.8.{last}") for last in (1, 2, 3)] == [True, True, False]
    assert [paid(f"45.0.{third}.9") for third in (1, 2)] == [True, False]
