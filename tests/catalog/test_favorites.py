"""What a viewer wants to find again."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from catalog import favorites
from catalog.models import Favorite, Series
from tests.factories.catalog import SeriesFactory
from tests.factories.viewers import DeviceFactory, viewer_headers


@pytest.fixture
def device(db):
    return DeviceFactory()


@pytest.fixture
def put(api: Client, device, now):
    """PUT /v1/me/favorites as a viewer."""

    def put(series_id: UUID, *, is_favorite: bool = True, at: Any = now) -> Any:
        body = {"series_id": str(series_id), "is_favorite": is_favorite}
        headers = viewer_headers(device, now=at)
        return api.put("/v1/me/favorites", body, "application/json", headers=headers)

    return put


@pytest.fixture
def listed(api: Client, device, now):
    """GET /v1/me/favorites as a viewer."""

    def listed(*, by: Any = device, **query: Any) -> Any:
        return api.get("/v1/me/favorites", query, headers=viewer_headers(by, now=now)).json()

    return listed


def test_adds_and_removes(api, put, listed):
    series = SeriesFactory()

    added = put(series.id)
    found = listed()
    removed = put(series.id, is_favorite=False)

    assert added.json() == {"series_id": str(series.id), "is_favorite": True}
    shown = api.get(f"/v1/series/{series.id}").json()
    assert found["favorites"] == [{"series": shown, "added_at": "2026-03-14T12:00:00Z"}]
    assert removed.json() == {"series_id": str(series.id), "is_favorite": False}
    assert listed() == {"favorites": [], "next_cursor": None}


def test_the_same_again_changes_nothing(put, listed, now):
    first, second = SeriesFactory.create_batch(2)
    put(first.id)
    put(second.id, at=now + timedelta(minutes=1))

    put(first.id, at=now + timedelta(minutes=2))
    put(uuid4(), is_favorite=False)

    shown = [row["series"]["id"] for row in listed()["favorites"]]
    assert shown == [str(second.id), str(first.id)]


def test_lists_latest_first_in_pages(put, listed, now):
    rows = SeriesFactory.create_batch(5)
    for minutes, series in enumerate(rows):
        put(series.id, at=now + timedelta(minutes=minutes))
    first = listed(limit=3)
    second = listed(limit=3, cursor=first["next_cursor"])

    shown = [row["series"]["id"] for row in first["favorites"] + second["favorites"]]
    assert shown == [str(series.id) for series in reversed(rows)]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("state", ["draft", "withdrawn", None])
def test_adds_only_what_is_published(put, state):
    series_id = SeriesFactory(state=state).id if state else uuid4()

    response = put(series_id)

    assert (response.status_code, response.json()["code"]) == (404, "series_unavailable")
    assert not Favorite.objects.exists()


def test_removes_what_was_withdrawn(put, listed):
    series = SeriesFactory()
    put(series.id)
    Series.objects.filter(id=series.id).update(state=Series.State.WITHDRAWN)

    assert listed()["favorites"] == []
    assert put(series.id, is_favorite=False).status_code == 200
    assert not Favorite.objects.exists()


def test_says_when_there_are_too_many(put, monkeypatch):
    monkeypatch.setattr(favorites, "MOST_FAVORITES", 2)
    first, *rest = SeriesFactory.create_batch(3)
    for series in rest:
        put(series.id)

    refused = put(first.id)

    assert (refused.status_code, refused.json()["code"]) == (409, "favorites_full")
    assert refused.json()["limit"] == 2
    assert put(rest[0].id).status_code == 200
    assert Favorite.objects.count() == 2


def test_shows_nothing_of_another_viewer(put, listed):
    put(SeriesFactory().id)

    assert listed(by=DeviceFactory())["favorites"] == []
