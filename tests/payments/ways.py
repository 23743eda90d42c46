"""Calls of the other ways to unlock, and a price that offers them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.desk import price_versions
from payments.models import PriceVersion
from payments.prices.terms import Adjustment, Rental
from tests.factories.payments import default_plan

BUNDLE = Adjustment(scale_parts_per_million=700_000)
RENTAL = Rental(Adjustment(price_coins=20), seconds=48 * 3600)
SINGLE_PRICE, BUNDLE_PRICE, RENTAL_PRICE = 60, 42, 20


def sell(now: datetime, **changes: Any) -> PriceVersion:
    """From this moment on the default plan offers bundle and rental too, at 60 coins an episode."""
    terms: dict[str, Any] = {
        "free_count": 8,
        "base_price_coins": SINGLE_PRICE,
        "bundle": BUNDLE,
        "rental": RENTAL,
    }
    return price_versions.add(plan=default_plan(), effective_from=now, now=now, **(terms | changes))


def paywall(api: Client, series: Series, headers: dict[str, str]) -> dict[str, Any]:
    """GET /v1/series/{id}/paywall."""
    body: dict[str, Any] = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    return body


def option(api: Client, series: Series, headers: dict[str, str], kind: str) -> dict[str, Any]:
    """The paywall's option of a kind. Raises KeyError where there is none."""
    shown = paywall(api, series, headers)["options"]
    found: dict[str, Any] = {one["kind"]: one for one in shown}[kind]
    return found


def unlock_rest(api: Client, series: Series, headers: dict[str, str], **body: Any) -> HttpResponse:
    """POST /v1/series/{id}/unlock."""
    return api.post(f"/v1/series/{series.id}/unlock", body, "application/json", headers=headers)


def agree(api: Client, series: Series, headers: dict[str, str], **body: Any) -> HttpResponse:
    """PUT /v1/me/auto-unlock/{series_id}, enabled unless told otherwise."""
    return api.put(
        f"/v1/me/auto-unlock/{series.id}",
        {"enabled": True} | body,
        "application/json",
        headers=headers,
    )


def auto_unlock(
    api: Client, episode_id: UUID, headers: dict[str, str], **body: Any
) -> HttpResponse:
    """POST /v1/episodes/{id}/auto-unlock."""
    return api.post(
        f"/v1/episodes/{episode_id}/auto-unlock",
        {"playback_session_id": None} | body,
        "application/json",
        headers=headers,
    )


def undo(api: Client, unlock_id: UUID | str, headers: dict[str, str]) -> HttpResponse:
    """POST /v1/unlocks/{unlock_id}/undo."""
    return api.post(f"/v1/unlocks/{unlock_id}/undo", headers=headers)


def play(api: Client, episode_id: UUID, headers: dict[str, str]) -> HttpResponse:
    """POST /v1/episodes/{id}/play."""
    return api.post(f"/v1/episodes/{episode_id}/play", headers=headers)
