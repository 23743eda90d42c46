"""One ad for several episodes: its own, and the next ones that the viewer cannot open."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from ads.models import Opening, Placement, Reward
from catalog.models import Series
from payments.models import Entitlement
from tests.ads.calls import ad_option, open_ad, session_of, watch_one
from tests.ads.conftest import EPISODES
from tests.factories.ads import PlacementFactory, ad_session
from tests.factories.payments import fund
from tests.payments.calls import episode, unlock
from viewers.models import Device


@pytest.fixture(autouse=True)
def _three_episodes(placement: Placement) -> None:
    Placement.objects.update(reward_amount=3)
    placement.refresh_from_db()


def opened() -> list[int]:
    found = Entitlement.objects.filter(source="ad", ends_at=None)
    return sorted(found.values_list("episode__number", flat=True))


def test_opens_its_episode_and_the_next_locked_ones_in_order(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)
    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    unlock(api, episode(series, 11), headers, quote=quote)
    series.episodes.filter(number=12).update(state="withdrawn")

    session = watch_one(placement, device, series, 10, now)

    assert opened() == [10, 13, 14]  # 11 is theirs, 12 is withdrawn
    assert session_of(api, headers, session)["opened_episode_ids"] == [
        str(episode(series, number)) for number in (10, 13, 14)
    ]
    assert Reward.objects.get().entitlement is not None
    assert Opening.objects.count() == 3
    assert Entitlement.objects.filter(source="coins").count() == 1


def test_opens_what_there_is_where_the_title_ends(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    watch_one(placement, device, series, EPISODES, now)

    assert opened() == [EPISODES]


def test_opens_none_of_those_that_are_free(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )

    assert session.free_numbers == [1, 2, 3, 4, 5, 6, 7, 8]


def test_keeps_a_second_ad_out_whose_episode_the_first_would_open(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    PlacementFactory(code="home")
    ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 10), now=now)

    for code in ("paywall", "home"):
        refused = open_ad(api, headers, placement=code, episode_id=episode(series, 9))
        assert (refused.status_code, refused.json()["code"]) == (409, "ad_session_elsewhere")
        assert refused.json()["placement"] == "paywall"
        assert refused.json()["episode_id"] == str(episode(series, 10))


def test_the_paywall_sends_the_viewer_back_to_the_ad_that_keeps_others_out(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 10), now=now
    )

    option = ad_option(api, series, headers)

    assert option is not None
    assert (option["episode_id"], option["available_at"]) == (str(episode(series, 10)), None)
    again = open_ad(api, headers, episode_id=option["episode_id"])
    assert (again.status_code, again.json()["ad_session_id"]) == (200, str(session.id))
