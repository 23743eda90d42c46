"""Several ads for one episode: each counts, the last one opens."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ads.models import Goal, Placement, Reward
from catalog.models import Series
from payments.models import Entitlement
from payments.support import why
from tests.ads.calls import ad_option, session_of, watch_one
from tests.factories.ads import ad_session, report, watch, watched
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import fund
from tests.payments.calls import episode, unlock
from viewers.models import Device

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _three_ads(placement: Placement) -> None:
    Placement.objects.update(ads_needed=3)
    placement.refresh_from_db()


def progress(api: Client, series: Series, headers: Any) -> tuple[int, int]:
    option = ad_option(api, series, headers)
    assert option is not None
    return option["watched"], option["needed"]


def test_the_last_ad_opens_and_everybody_sees_how_far_it_is(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    seen = [progress(api, series, headers)]
    states = []
    for _ in range(3):
        assert not Entitlement.objects.exists()
        session = watch_one(placement, device, series, 9, now)
        states.append(session_of(api, headers, session))
        seen.append(progress(api, series, headers))

    assert seen == [(0, 3), (1, 3), (2, 3), (0, 3)]
    assert [(one["state"], one["watched"], one["needed"]) for one in states] == [
        ("rewarded", 1, 3),
        ("rewarded", 2, 3),
        ("rewarded", 3, 3),
    ]
    opened = Entitlement.objects.get()
    assert (opened.source, opened.episode_id, opened.ends_at) == ("ad", episode(series, 9), None)
    assert [one["entitlement_id"] for one in states] == [None, None, str(opened.id)]
    assert states[2]["opened_episode_ids"] == [str(episode(series, 9))]
    assert list(Reward.objects.order_by("number").values_list("place", "number")) == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]


def test_placements_tell_how_far_it_is_for_the_title_that_is_named(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    watch_one(placement, device, series, 9, now)

    def told(**query: Any) -> Any:
        (found,) = api.get("/v1/ads/placements", query, headers=headers).json()["placements"]
        return found["watched"], found["needed"], found["remaining_today"]

    assert told(series_id=str(series.id)) == (1, 3, 9)
    assert told() == (None, 3, 9)


def test_every_ad_takes_a_place_of_the_cap(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(daily_cap=2)
    for _ in range(2):
        watch_one(placement, device, series, 9, now)

    assert ad_option(api, series, headers) is None
    assert Goal.objects.get().ads_watched == 2


def test_what_was_watched_for_an_episode_that_was_then_bought_counts_for_the_next(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)
    watch_one(placement, device, series, 9, now)
    late = ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)
    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    assert unlock(api, episode(series, 9), headers, quote=quote).json()["outcome"] == "unlocked"

    # The ad that played meanwhile opens nothing and counts for nothing; the one before still does.
    assert watch(late, now=now).verdict == "already_open"
    assert progress(api, series, headers) == (1, 3)
    for _ in range(2):
        watch_one(placement, device, series, 10, now)

    assert Entitlement.objects.get(source="ad").episode_id == episode(series, 10)


def test_terms_stay_as_they_were_when_the_first_ad_was_announced(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    watch_one(placement, device, series, 9, now)
    Placement.objects.update(ads_needed=10, reward_amount=5)
    assert progress(api, series, headers) == (1, 3)
    for _ in range(2):
        watch_one(placement, device, series, 9, now)

    assert Entitlement.objects.count() == 1
    assert progress(api, series, headers) == (0, 10)


@pytest.mark.parametrize("needed", [1, 5])
def test_ads_that_play_at_once_are_announced_on_the_same_terms(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    headers: Any,
    now: datetime,
    needed: int,
) -> None:
    """Whichever is settled first begins the goal that the other counts towards."""
    viewer_id = device.viewer_id
    first = ad_session(placement, viewer_id=viewer_id, episode_id=episode(series, 9), now=now)
    Placement.objects.update(ads_needed=needed)
    assert _needed(api, series, headers) == [3, 3]
    second = ad_session(placement, viewer_id=viewer_id, episode_id=episode(series, 10), now=now)
    assert session_of(api, headers, second)["needed"] == 3

    for session in (second, first):
        assert watch(session, now=now).verdict == "paid"
    assert _needed(api, series, headers) == [3, 3]
    watch_one(placement, device, series, 10, now)

    opened = Entitlement.objects.get()
    assert opened.episode_id == episode(series, 10)
    assert _needed(api, series, headers) == [needed, needed]


def _needed(api: Client, series: Series, headers: Any) -> list[int]:
    """How many ads it takes, as the paywall and the list of placements say."""
    (found,) = api.get("/v1/ads/placements", {"series_id": str(series.id)}, headers=headers).json()[
        "placements"
    ]
    return [progress(api, series, headers)[1], found["needed"]]


def test_ads_that_play_for_something_else_bind_nobody(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    """Nor does one that is over, or one of another title."""
    other = SeriesFactory()
    episodes_of(other, range(1, 10))
    late = now + placement.session_seconds * SECOND
    for of, at in ((series, now), (other, late)):
        ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(of, 9), now=at)
    Placement.objects.update(ads_needed=1)

    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=late
    )

    assert session.ads_needed == 1
    assert watch(session, now=late).verdict == "paid"
    assert Entitlement.objects.get().episode_id == episode(series, 9)


def test_a_kind_of_reward_that_is_no_more_leaves_its_ads_behind(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    watch_one(placement, device, series, 9, now)
    Placement.objects.update(reward="minutes", reward_amount=30, ads_needed=1)
    watch_one(placement, device, series, 9, now)

    assert sorted(Goal.objects.values_list("reward", "ads_watched", "ads_needed")) == [
        ("episodes", 1, 3),
        ("minutes", 1, 1),
    ]


def test_a_hundred_repetitions_of_each_callback_count_once(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    for _ in range(2):
        session = ad_session(
            placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
        )
        query = watched(session, now=now)
        answers = [report(query, now=now) for _ in range(50)]
        assert [one.verdict for one in answers] == ["paid"] + ["replayed"] * 49

    assert Goal.objects.get().ads_watched == 2
    assert not Entitlement.objects.exists()


def test_an_explanation_names_every_ad_that_counted(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    for _ in range(3):
        watch_one(placement, device, series, 9, now)

    told = why.why(
        viewer_id=device.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        at=now,
    )

    cause: Any = told.entitlement and told.entitlement.cause
    assert (cause.reward, cause.needed, cause.number) == ("episodes", 3, 3)
    earlier = Reward.objects.filter(place__lt=3).order_by("place").values_list("id", flat=True)
    assert [one.reward_id for one in cause.earlier_ads] == list(earlier)
