"""Ads that are watched for coins: paid once, with what the ads have earned on them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ads.models import AdSession, EarningCorrection, Goal, Placement
from ads.revenue import settling
from catalog.models import Series
from payments.ledger.days import ladder
from payments.models import Lot, Transfer, Unlock, Wallet
from tests import ledger_rules
from tests.ads.calls import ad_option, open_ad, session_of, watch_one
from tests.factories.ads import ad_session, bring_report, earned, report, tell, told, watch, watched
from tests.factories.payments import fund
from tests.payments.calls import episode, refund, unlock
from viewers.models import Device


@pytest.fixture(autouse=True)
def _coins(placement: Placement) -> None:
    Placement.objects.update(reward="coins", reward_amount=20, coins_expire_after_days=8)
    placement.refresh_from_db()


def test_gives_bonus_coins_that_expire_with_the_ads_revenue_on_them(
    api: Client, placement: Placement, device: Device, headers: Any, now: datetime
) -> None:
    session = watch_one(placement, device, None, 0, now)

    lot, transfer = Lot.objects.get(), Transfer.objects.get()
    assert (lot.kind, lot.origin, lot.granted_coins) == ("bonus", "reward", 20)
    assert (lot.value_micros, lot.expires_at) == (12_000, now + timedelta(days=8))
    assert (transfer.code, transfer.reference) == ("reward", f"ad:{session.id}")
    told = session_of(api, headers, session)
    assert (told["state"], told["episode_id"], told["reward"]) == ("rewarded", None, "coins")
    assert told["transfer_id"] == str(transfer.id)
    statement = api.get("/v1/me/wallet/entries", headers=headers).json()["entries"]
    assert [line["cause"]["reference"] for line in statement] == [f"ad:{session.id}"]


def test_a_hundred_repetitions_give_them_once(
    placement: Placement, device: Device, now: datetime
) -> None:
    session = ad_session(placement, viewer_id=device.viewer_id, episode_id=None, now=now)
    query = watched(session, now=now)

    answers = [report(query, now=now).verdict for _ in range(100)]

    assert answers == ["paid"] + ["replayed"] * 99
    assert Wallet.objects.get().bonus_coins == 20


def test_several_ads_are_paid_at_the_last_with_what_all_of_them_earned(
    api: Client, placement: Placement, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(ads_needed=3, coins_expire_after_days=None)
    for number in range(3):
        (found,) = api.get("/v1/ads/placements", headers=headers).json()["placements"]
        assert (found["watched"], found["needed"]) == (number, 3)
        watch_one(placement, device, None, 0, now)
        Placement.objects.update(estimated_net_micros=1_000)

    lot = Lot.objects.get()
    assert (lot.value_micros, lot.expires_at) == (14_000, None)
    assert Goal.objects.get().transfer_id == lot.transfer_id


def test_repays_first_what_is_owed(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    purchase = fund(device.viewer_id, now=now, paid=60)
    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    unlock(api, episode(series, 9), headers, quote=quote)
    api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers)
    refund(purchase, now=now)
    owed = Wallet.objects.get().debt_coins
    assert owed == -60

    watch_one(placement, device, None, 0, now)

    assert (Wallet.objects.get().debt_coins, Wallet.objects.get().bonus_coins) == (-40, 0)


def test_its_revenue_is_of_no_title_until_the_coins_are_spent_and_never_of_two(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    def told() -> tuple[int, dict[Any, int], int]:
        read = ladder.read(environment="production", start=now, end=now + timedelta(days=1))
        assert list(ladder.violations(read)) == []
        return read.ads_micros, dict(read.by_title), read.unattributed_micros

    Placement.objects.update(reward_amount=60)
    watch_one(placement, device, None, 0, now)
    assert told() == (12_000, {}, 12_000)

    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    assert unlock(api, episode(series, 9), headers, quote=quote).json()["outcome"] == "unlocked"

    assert Unlock.objects.get().attribution_micros == 12_000
    assert told() == (12_000, {series.id: 12_000}, 0)


def test_is_of_no_episode_and_no_way_past_a_paywall(
    api: Client, placement: Placement, series: Series, headers: Any
) -> None:
    assert ad_option(api, series, headers) is None
    refused = open_ad(api, headers, episode_id=episode(series, 9))
    assert (refused.status_code, refused.json()["code"]) == (422, "ad_target_wrong")
    assert refused.json()["reward"] == "coins"
    assert open_ad(api, headers).status_code == 201
    assert open_ad(api, headers).status_code == 200
    Placement.objects.update(reward="episodes", reward_amount=1, coins_expire_after_days=None)
    assert open_ad(api, headers).json()["code"] == "ad_target_wrong"
    assert AdSession.objects.count() == 1


def test_what_ads_for_coins_earned_beyond_their_estimate_is_of_their_viewer_and_no_title(
    placement: Placement, device: Device, now: datetime
) -> None:
    session = ad_session(placement, viewer_id=device.viewer_id, episode_id=None, now=now)
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    watch(session, now=now)
    settling.settle_due(now=now + timedelta(hours=1))
    bring_report(
        (now.date(), session.ad_unit_id, "US", "0.05"),
        now=now + timedelta(days=1),
    )
    settling.settle_due(now=now + timedelta(days=1))

    assert earned() == earned(viewer_id=device.viewer_id) == 50_000
    assert set(EarningCorrection.objects.values_list("series_id", flat=True)) == {None}
    # What the coins carry is the estimate, as it was when they were given.
    assert Lot.objects.get().value_micros == 12_000
    assert ledger_rules.broken() == []
