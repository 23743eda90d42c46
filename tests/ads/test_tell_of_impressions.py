"""Apps and networks tell of ads that were shown: kept if plausible, once, and never a reason to grant."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from ads.models import AdSession, Impression, Placement, RevenueDay, Reward
from catalog.models import Series
from payments.models import Entitlement
from tests.ads.networks.test_impression_postbacks import query
from tests.factories.ads import PlacementFactory, ad_session, tell, told
from tests.factories.payments import as_owner
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.calls import episode
from viewers.models import Device

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
URL = "/v1/ads/impressions"
SECRET = "an-address-that-nobody-knows"

pytestmark = pytest.mark.usefixtures("_the_ledger_holds")


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


def _body(session: AdSession, now: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "impression_id": "imp-1",
        "network": session.network,
        "ad_unit_id": session.ad_unit_id,
        "format": "rewarded",
        "revenue_micros": 12_345,
        "currency": "USD",
        "precision": "precise",
        "country": "US",
        "occurred_at": now.isoformat(),
        "ad_session_id": str(session.id),
    } | changes


def _post(client: Client, headers: Mapping[str, str], *items: Mapping[str, Any]) -> HttpResponse:
    content = msgspec.json.encode({"impressions": items})
    return client.post(URL, content, content_type="application/json", headers=headers)


def _verdicts(response: HttpResponse) -> list[str]:
    assert response.status_code == 200, response.content
    return [one["verdict"] for one in msgspec.json.decode(response.content)["verdicts"]]


def test_an_impression_is_kept_once_with_its_session_and_opens_nothing(
    client: Client, session: AdSession, headers: dict[str, str], now: datetime
) -> None:
    item = _body(session, now)
    assert _verdicts(_post(client, headers, item, item)) == ["kept", "repeated"]
    assert _verdicts(_post(client, headers, item | {"revenue_micros": 1})) == ["repeated"]

    kept = Impression.objects.get()
    assert (kept.session, kept.placement, kept.source) == (session, session.placement, "client")
    assert (kept.revenue_micros, kept.told_micros) == (12_345, 12_345)
    assert (kept.exchange_rate, kept.exchange_source) == (Decimal(1), "reporting currency")
    assert RevenueDay.objects.get().day == now.date()
    assert not Reward.objects.exists()
    assert not Entitlement.objects.exists()


def test_each_impression_is_judged_by_itself(
    client: Client, session: AdSession, headers: dict[str, str], settings: Settings, now: datetime
) -> None:
    settings.AD_IMPRESSION_CAP_MICROS = 50_000
    of_another = ad_session(
        session.placement,
        viewer_id=DeviceFactory().viewer_id,
        episode_id=session.episode_id,
        now=now,
    )
    changes: list[dict[str, Any]] = [
        {"revenue_micros": 50_000},
        {"revenue_micros": 50_001},
        {"ad_session_id": str(uuid4())},
        {"ad_session_id": str(of_another.id)},
        {"ad_unit_id": "another/unit"},
        {"network": "admob"},
        {"occurred_at": (now - 3 * DAY - MINUTE).isoformat()},
        {"occurred_at": (now + 6 * MINUTE).isoformat()},
        {"currency": "XAU"},
        {"ad_session_id": None, "placement": session.placement.code, "format": "banner"},
    ]
    items = [
        _body(session, now, impression_id=f"imp-{number}", **change)
        for number, change in enumerate(changes)
    ]

    assert _verdicts(_post(client, headers, *items)) == [
        "kept",
        "implausible",
        *["unattributed"] * 4,
        *["bad_moment"] * 2,
        "no_rate",
        "kept",
    ]
    parked = Impression.objects.filter(session=None)
    assert parked.count() == 5
    assert [row.placement for row in parked if row.placement] == [session.placement]


def test_a_session_has_few_impressions_and_a_viewer_a_days_worth(
    session: AdSession,
    device: Device,
    client: Client,
    headers: dict[str, str],
    settings: Settings,
    now: datetime,
) -> None:
    whose: dict[str, Any] = {"viewer_id": device.viewer_id, "now": now}
    assert tell(*(told(session, at=now) for _ in range(4)), **whose) == [
        *["kept"] * 3,
        "implausible",
    ]
    settings.AD_IMPRESSIONS_DAILY = 4
    assert tell(told(at=now), **whose) == ["kept"]

    answer = _post(client, headers, _body(session, now))

    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_impressions")
    assert Impression.objects.count() == 4
    assert tell(told(at=now + DAY), viewer_id=device.viewer_id, now=now + DAY) == ["kept"]


@pytest.fixture
def _applovin_tells(settings: Settings) -> None:
    settings.APPLOVIN_EVENT_KEYS, settings.AD_CALLBACK_SECRET = "old,new", SECRET


@pytest.mark.usefixtures("_applovin_tells")
def test_a_networks_server_tells_of_an_impression_in_the_viewers_session(
    client: Client, series: Series, device: Device, now: datetime
) -> None:
    placement = PlacementFactory(network="applovin", ad_unit_id="9ad0816ac071552a")
    session = AdSession(
        viewer_id=device.viewer_id,
        environment="production",
        placement=placement,
        network="applovin",
        ad_unit_id=placement.ad_unit_id,
        series=series,
        episode_id=episode(series, 9),
        opened_at=now - MINUTE,
        expires_at=now + DAY,
    )
    with as_owner():
        session.save(force_insert=True)
    said = {"user_id": device.viewer_id.hex, "ts": str(int(now.timestamp()))}
    url = f"/v1/ads/postbacks/applovin/{SECRET}"
    clock = clock_headers(now)

    def send(text: str, to: str = url) -> tuple[int, str]:
        answer = client.get(f"{to}?{text}", headers=clock)
        return answer.status_code, answer.json().get("verdict") or answer.json()["code"]

    assert send(query(**said)) == (200, "kept")
    assert send(query(**said)) == (200, "repeated")
    assert send(query(event_id="b" * 40, **said | {"user_id": uuid4().hex})) == (
        200,
        "unattributed",
    )
    assert send(query(event_id="c" * 40, **said, revenue="99")) == (200, "implausible")
    assert send(query(event_id="d" * 40, **said | {"ts": "1573489600"})) == (200, "bad_moment")
    assert send(query(event_id="e" * 40, key="theirs", **said)) == (403, "callback_forged")
    assert send("x=1") == (400, "callback_malformed")
    assert send(query(**said), url[:-1]) == (404, "network_unknown")
    assert send(query(**said), url.replace("applovin", "admob")) == (404, "network_unknown")

    kept = Impression.objects.get(viewer_id=device.viewer_id)
    assert (kept.session, kept.source, kept.revenue_micros) == (session, "postback", 12_346)
    assert Impression.objects.count() == 2
