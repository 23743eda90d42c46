"""POST /v1/me/arrivals: a link's prices are for those who came by it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.desk.price_versions import adjustment_row
from payments.models import LinkArrival
from payments.prices.terms import Adjustment
from tests.factories.payments import AcquisitionLinkFactory
from tests.factories.viewers import viewer_headers
from viewers.models import Device

HOUR = timedelta(hours=1)


def arrive(api: Client, code: str, headers: Any) -> Any:
    return api.post(
        "/v1/me/arrivals", {"code": code}, content_type="application/json", headers=headers
    )


def price_of_three(api: Client, series: Series, headers: Any) -> int:
    body = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    price: int = body["episodes"][2]["price_coins"]
    return price


def test_names_the_title_and_gives_its_paywall_the_links_prices(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    adjustment = adjustment_row(Adjustment(free_count=2, price_coins=25), now=now)
    adjustment.save()
    AcquisitionLinkFactory(code="ad-42", series=series, adjustment=adjustment, ends_at=now + HOUR)
    assert price_of_three(api, series, headers) == 0

    answer = arrive(api, "ad-42", headers)

    assert answer.status_code == 200
    assert answer.json() == {
        "series_id": str(series.id),
        "ends_at": (now + HOUR).isoformat().replace("+00:00", "Z"),
    }
    assert price_of_three(api, series, headers) == 25


def test_the_same_again_within_an_hour_is_the_same_arrival(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    AcquisitionLinkFactory(code="a", series=series)
    AcquisitionLinkFactory(code="b", series=series)
    for minutes, code in ((0, "a"), (59, "a"), (60, "a"), (61, "b"), (62, "a")):
        at = now + timedelta(minutes=minutes)
        assert arrive(api, code, viewer_headers(device, now=at)).status_code == 200

    codes = LinkArrival.objects.order_by("arrived_at").values_list("link__code", flat=True)
    assert list(codes) == ["a", "a", "b", "a"]


@pytest.mark.parametrize("code", ["nobody", "early", "over", "stopped", "ad 42", "é" * 64])
def test_a_link_that_is_unknown_or_not_on_is_refused(
    api: Client, series: Series, headers: Any, now: datetime, code: str
) -> None:
    AcquisitionLinkFactory(code="early", starts_at=now + HOUR)
    AcquisitionLinkFactory(code="over", ends_at=now)
    AcquisitionLinkFactory(code="stopped", stopped_at=now - HOUR)

    answer = arrive(api, code, headers)

    assert (answer.status_code, answer.json()["code"]) == (404, "link_unknown")
    assert not LinkArrival.objects.exists()


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": 7}, {"code": "x" * 65}, []])
def test_a_body_without_a_code_is_malformed(api: Client, headers: Any, body: Any, db: None) -> None:
    answer = api.post("/v1/me/arrivals", body, content_type="application/json", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
