"""What tests of ads ask of the API, and whole ads that are watched."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.test import Client

from ads.models import AdSession, Placement
from catalog.models import Series
from tests.factories.ads import ad_session, watch
from tests.payments.calls import episode
from viewers.models import Device


def ad_option(api: Client, series: Series, headers: Any) -> dict[str, Any] | None:
    """The paywall's ad, if it offers one."""
    found = options(api, series, headers)
    return found.get("ad")


def options(api: Client, series: Series, headers: Any) -> dict[str, dict[str, Any]]:
    """The ways past the paywall, by kind."""
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    return {option["kind"]: option for option in shown["options"]}


def open_ad(api: Client, headers: Any, **body: Any) -> Any:
    """POST /v1/ads/sessions."""
    given = {"placement": "paywall"} | {key: str(value) for key, value in body.items()}
    return api.post("/v1/ads/sessions", given, "application/json", headers=headers)


def session_of(api: Client, headers: Any, session: AdSession) -> dict[str, Any]:
    """GET /v1/ads/sessions/{id}."""
    found: dict[str, Any] = api.get(f"/v1/ads/sessions/{session.id}", headers=headers).json()
    return found


def watch_one(
    placement: Placement, device: Device, series: Series | None, number: int, now: datetime
) -> AdSession:
    """An ad for an episode, or where there is no series for coins, that is watched to the end."""
    episode_id: UUID | None = episode(series, number) if series else None
    session = ad_session(placement, viewer_id=device.viewer_id, episode_id=episode_id, now=now)
    assert watch(session, now=now).verdict == "paid"
    return session
