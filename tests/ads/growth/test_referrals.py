"""Who brought whom is bound once, within limits, and paid after the hold, when it was worth something."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ads.growth import referrals
from ads.growth.offered import Caller
from ads.models import Referral
from config.ids import uuid7
from payments.ledger import wallets
from payments.models import Transfer
from tests import ledger_rules
from tests.factories.growth import caller, invite_of, newcomer, watch
from tests.factories.operators import operator
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import refund
from viewers import flags
from viewers.models import Identity, Viewer

pytestmark = pytest.mark.django_db
HOLD = timedelta(days=7)


@pytest.fixture(autouse=True)
def _the_ledger_holds(db: None) -> Iterator[None]:
    yield
    assert ledger_rules.broken() == []


@pytest.fixture
def host() -> Caller:
    return caller()


def bind(who: Caller, by: Caller, *, now: datetime, address: str = "8.8.8.7") -> Any:
    code = invite_of(by, now=now)
    return referrals.bind(who, code=code, address=address, now=now)


def bonus(who: Caller, at: datetime) -> int:
    return wallets.balance(viewer_id=who.viewer.id, environment=who.environment, at=at).bonus_coins


def states() -> dict[str, int]:
    told: dict[str, int] = {}
    for row in Referral.objects.all():
        name = row.void_reason or row.state
        told[name] = told.get(name, 0) + 1
    return told


def test_pays_the_referrer_after_the_hold_when_the_invited_have_proven_to_be(
    host: Caller, now: datetime
) -> None:
    watched, signed_in, idle = (newcomer(now=now) for _ in range(3))
    for guest in (watched, signed_in, idle):
        assert bind(guest, host, now=now).is_new
        assert not bind(guest, host, now=now).is_new
    watch(watched.viewer.id, until=now + timedelta(hours=1), seconds=1800)
    Identity.objects.create(
        viewer=signed_in.viewer, provider="google", issuer_app="a", subject="s", created_at=now
    )
    Identity.objects.create(
        viewer=idle.viewer, provider="email", issuer_app="a", subject="s", created_at=now
    )
    assert referrals.vest_due(now=now + HOLD - timedelta(seconds=1)) == 0
    assert not Transfer.objects.exists()

    assert referrals.vest_due(now=now + HOLD) == 3
    assert referrals.vest_due(now=now + HOLD) == 0

    assert states() == {"vested": 2, "pending": 1}
    assert bonus(host, now + HOLD) == 200
    told = referrals.invited(viewer_id=host.viewer.id, environment="production")
    assert (told.pending_count, told.vested_count, told.earned_coins) == (1, 2, 200)
    late = now + timedelta(days=61)
    assert referrals.vest_due(now=late) == 1
    assert states() == {"vested": 2, "idle": 1}


def test_pays_nothing_for_whoever_was_refunded_erased_or_is_suspected(
    host: Caller, now: datetime
) -> None:
    refunded, erased, suspected, cleared, forgiven = (newcomer(now=now) for _ in range(5))
    for guest in (refunded, erased, suspected, cleared, forgiven):
        bind(guest, host, now=now)
        watch(guest.viewer.id, until=now, seconds=1800)
    for guest in (refunded, forgiven):
        purchase = fund(guest.viewer.id, now=now)
        refund(purchase, now=now)
        if guest is forgiven:
            refund(purchase, now=now + timedelta(hours=1), is_reversed=True)
    Viewer.objects.filter(id=erased.viewer.id).update(erased_at=now)
    by = {"operator_id": operator().id, "now": now}
    flags.raise_by_hand(viewer_id=suspected.viewer.id, detail="A farm.", **by)
    # A flag that was lifted, and one on a single playback, say nothing of the viewer.
    lifted = flags.raise_by_hand(viewer_id=cleared.viewer.id, detail="A farm?", **by)
    flags.lift(flag_id=lifted.id, because="A family.", **by)
    flags.raise_by_hand(
        viewer_id=cleared.viewer.id, detail="Odd.", playback_session_id=uuid7(), **by
    )

    referrals.vest_due(now=now + HOLD)

    assert states() == {"refunded": 1, "erased": 1, "suspect": 1, "vested": 2}
    assert bonus(host, now + HOLD) == 200


def test_what_was_bound_waits_while_nothing_is_given_for_it(
    host: Caller, now: datetime, settings: Settings
) -> None:
    guest = newcomer(now=now)
    bind(guest, host, now=now)
    watch(guest.viewer.id, until=now, seconds=1800)
    settings.REFERRAL_COINS = 0
    assert referrals.vest_due(now=now + HOLD) == 0
    with pytest.raises(referrals.ReferralsOff):
        bind(newcomer(now=now), host, now=now)
    assert states() == {"pending": 1}
    settings.REFERRAL_COINS = 70
    assert referrals.vest_due(now=now + HOLD) == 1
    assert bonus(host, now + HOLD) == 70


def test_refuses_relations_of_ones_own(host: Caller, now: datetime) -> None:
    guest = newcomer(now=now)
    with pytest.raises(referrals.ReferralRefused):
        bind(host, host, now=now)
    same_device = newcomer(now=now, install_id=host.device.install_id)
    with pytest.raises(referrals.ReferralRefused):
        bind(same_device, host, now=now)
    second_device = DeviceFactory(viewer=host.viewer)
    with pytest.raises(referrals.ReferralRefused):
        bind(newcomer(now=now, install_id=second_device.install_id), host, now=now)
    # In a circle: the guest brought somebody, who would have brought the host of the guest.
    first, second, third = (newcomer(now=now) for _ in range(3))
    bind(second, first, now=now)
    bind(third, second, now=now)
    with pytest.raises(referrals.ReferralRefused):
        bind(first, third, now=now)
    # Another account of a device that has said so before.
    bind(guest, host, now=now)
    bind(newcomer(now=now, install_id=guest.device.install_id), second, now=now)
    assert states() == {"pending": 3, "limit": 1}


def test_is_bound_once_and_in_the_first_days(host: Caller, now: datetime) -> None:
    guest, other = newcomer(now=now), caller()
    bind(guest, host, now=now)
    with pytest.raises(referrals.ReferredByAnother):
        bind(guest, other, now=now)
    with pytest.raises(referrals.InviteUnknown):
        referrals.bind(newcomer(now=now), code="AAAAAAAA", address=None, now=now)
    late = caller(viewer__created_at=now - timedelta(days=7))
    with pytest.raises(referrals.ReferralTooLate):
        bind(late, host, now=now)
    tester = newcomer(now=now, environment="sandbox")
    with pytest.raises(referrals.InviteUnknown):
        bind(tester, caller(environment="production"), now=now)
    assert states() == {"pending": 1}


def test_limits_hold_by_the_day_by_the_network_and_for_good(
    host: Caller, now: datetime, settings: Settings
) -> None:
    settings.REFERRAL_MAXIMUM, settings.REFERRAL_DAILY = 4, 3
    settings.REFERRAL_PER_BLOCK_DAILY = 2

    def brought(at: datetime, address: str) -> bool:
        """Who is one too many is told nothing of it, and pays nothing."""
        bound = bind(newcomer(now=at), host, now=at, address=address)
        return Referral.objects.get(id=bound.referral_id).state == "pending"

    same_block = [brought(now, f"8.8.8.{last}") for last in (1, 2, 3)]
    elsewhere = [brought(now, f"45.0.{third}.9") for third in (1, 2)]
    tomorrow = [brought(now + timedelta(days=1), f"45.0.{third}.9") for third in (1, 2)]

    assert (same_block, elsewhere, tomorrow) == (
        [True, True, False],
        [True, False],
        [True, False],
    )


def test_apps_invite_and_say_who_brought_them(api: Client, host: Caller, now: datetime) -> None:
    mine = viewer_headers(host.device, now=now)
    theirs = viewer_headers(newcomer(now=now).device, now=now)
    assert api.get("/v1/me/invite", headers=mine).json()["code"] is None
    made = [api.post("/v1/me/invite", headers=mine) for _ in range(2)]
    body = {"code": made[0].json()["code"].lower()}
    said = [api.post("/v1/me/referrer", body, "application/json", headers=theirs) for _ in range(2)]

    assert [one.status_code for one in made] == [201, 200]
    assert made[1].json() == {
        "code": body["code"].upper(),
        "pending": 0,
        "vested": 0,
        "earned_coins": 0,
        "reward_coins": 100,
    }
    assert [one.status_code for one in said] == [201, 200]
    assert said[0].json()["due_at"] == "2026-03-21T12:00:00Z"
    assert said[0].json() | {"bound_now": False} == said[1].json()
