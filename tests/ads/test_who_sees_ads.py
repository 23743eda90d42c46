"""For whom a placement's ads are, and for which titles."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ads.models import AdSession, Placement
from catalog.models import Series
from tests.ads.calls import ad_option, open_ad
from tests.factories.ads import ad_session, watch
from tests.factories.catalog import SeriesFactory
from tests.factories.payments import buy_pass, fund, give_cover
from tests.payments.calls import episode
from viewers.models import Device


def listed(api: Client, headers: Any, **query: Any) -> list[str]:
    body = api.get("/v1/ads/placements", query, headers=headers).json()
    return [one["placement"] for one in body["placements"]]


def is_shown(api: Client, series: Series, headers: Any) -> bool:
    """The paywall offers it, the list has it and a session is opened: or none of the three."""
    told = open_ad(api, headers, episode_id=episode(series, 9))
    answers = {
        ad_option(api, series, headers) is not None,
        bool(listed(api, headers, series_id=str(series.id))),
        told.status_code in {200, 201},
    }
    assert len(answers) == 1
    if told.status_code >= 400:
        assert (told.status_code, told.json()["code"]) == (409, "ads_not_here")
    return answers.pop()


@pytest.mark.parametrize(
    ("titles", "is_listed", "shown"),
    [
        ("all", False, True),
        ("listed", True, True),
        ("listed", False, False),
        ("all_but_listed", True, False),
        ("all_but_listed", False, True),
    ],
)
def test_serves_the_titles_that_operators_have_said(
    api: Client,
    placement: Placement,
    series: Series,
    headers: Any,
    titles: str,
    is_listed: bool,
    shown: bool,
) -> None:
    Placement.objects.update(titles=titles)
    other: Series = SeriesFactory()
    placement.listed.set([other, series] if is_listed else [other])

    assert is_shown(api, series, headers) is shown
    assert AdSession.objects.count() == shown


def test_shows_none_to_subscribers_unless_that_is_wanted(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    give_cover(device.viewer_id, starts_at=now, ends_at=now + timedelta(days=7))

    refused = open_ad(api, headers, episode_id=episode(series, 9))
    assert (refused.json()["code"], refused.json()["because"]) == ("ads_not_here", "audience")
    assert listed(api, headers) == []
    Placement.objects.update(audience="everyone")
    assert listed(api, headers) == ["paywall"]
    assert open_ad(api, headers, episode_id=episode(series, 9)).status_code == 201


@pytest.mark.parametrize("bought", ["nothing", "coins", "a pass that is over"])
def test_shows_ads_only_to_those_who_never_paid_if_that_is_wanted(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    headers: Any,
    now: datetime,
    bought: str,
) -> None:
    Placement.objects.update(audience="never_paid")
    if bought == "coins":
        fund(device.viewer_id, now=now)
    if bought == "a pass that is over":
        buy_pass(device.viewer_id, now=now - timedelta(days=9))

    assert is_shown(api, series, headers) is (bought == "nothing")


@pytest.mark.parametrize(("mode", "shown"), [("paid", False), ("ad", True), ("hybrid", True)])
def test_opens_no_title_that_coins_alone_open(
    api: Client, placement: Placement, series: Series, headers: Any, mode: str, shown: bool
) -> None:
    Series.objects.update(access_mode=mode)

    told = open_ad(api, headers, episode_id=episode(series, 9))

    assert (ad_option(api, series, headers) is not None) is shown
    assert told.status_code == (201 if shown else 409)
    assert told.json().get("because") == (None if shown else "access_mode")


def test_an_ad_that_was_playing_when_its_title_became_one_of_coins_opens_all_the_same(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )
    Series.objects.update(access_mode="paid")

    assert watch(session, now=now).verdict == "paid"
