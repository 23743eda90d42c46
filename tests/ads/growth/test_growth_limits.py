"""What is had from one device or one part of the network is limited, and no address is kept."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from ads.growth import claims, limits
from ads.models import LimitCount
from tests import ledger_rules
from tests.factories.growth import caller, claim, sign_up_task, watch
from tests.proof import Proof
from viewers.models import Identity


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        (None, "unknown"),
    ],
)
def test_an_address_counts_as_its_block(address: str | None, block: str) -> None:
    assert limits.block(address) == block


def test_a_block_is_kept_as_a_hash_of_the_day(now: datetime) -> None:
    one = limits.per_block("x", "198.51.100.7", at_most=1, now=now)
    same = limits.per_block("x", "198.51.100.250", at_most=1, now=now)
    other = limits.per_block("x", "198.51.101.7", at_most=1, now=now)
    tomorrow = limits.per_block("x", "198.51.100.7", at_most=1, now=now + timedelta(days=1))

    assert one == same
    assert len({one.subject, other.subject, tomorrow.subject}) == 3
    assert len(one.subject) == 64
    assert "198" not in one.subject[:3]


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
    second = caller(install_id=watched.device.install_id)
    watch(second.viewer.id, until=now, seconds=300)
    with pytest.raises(claims.TaskWithheld):
        claim(second, task, now=now)
    assert claim(watched, task, now=now + timedelta(days=9)).is_new is False
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
                address = f"10.{place // 250}.{place % 250}.1"
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

    assert [paid(f"198.51.100.{last}") for last in (1, 2, 3)] == [True, True, False]
    assert [paid(f"203.0.{third}.9") for third in (1, 2)] == [True, False]
