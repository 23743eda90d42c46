"""Operators say what opens a title; who did is kept, and no push changes it."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from django.db import Error, connection, transaction
from django.test import Client

from catalog import access, ingest
from catalog.models import AccessChange, Series
from catalog.pushes import SeriesPush
from tests.factories.catalog import SeriesFactory, series_push
from tests.factories.operators import operator, signed_in

ACTIONS = {"open_by_ads_alone": "ad", "open_by_coins_alone": "paid", "open_by_both": "hybrid"}


def act(client: Client, action: str, *chosen: Series) -> Any:
    return client.post(
        "/admin/catalog/series/",
        {"action": action, "_selected_action": [str(one.id) for one in chosen]},
    )


@pytest.mark.django_db
def test_whoever_sets_prices_says_what_opens_titles_and_it_is_kept() -> None:
    first, second = SeriesFactory(), SeriesFactory()
    pricing = signed_in(operator(role="pricing"))
    for action, mode in ACTIONS.items():
        act(pricing, action, first, second)
        act(pricing, action, first)  # once more changes nothing
        assert set(Series.objects.values_list("access_mode", flat=True)) == {mode}

    changes = AccessChange.objects.filter(series=first).order_by("id")
    assert [(one.was, one.mode, one.changed_by.username) for one in changes] == [
        ("hybrid", "ad", "dana"),
        ("ad", "paid", "dana"),
        ("paid", "hybrid", "dana"),
    ]
    page = pricing.get(f"/admin/catalog/accesschange/?q={first.id}")
    assert len(page.context["cl"].result_list) == 3
    assert pricing.get(f"/admin/catalog/accesschange/{changes[0].id}/change/").status_code == 200


@pytest.mark.django_db
def test_others_only_see_it() -> None:
    series = SeriesFactory()
    content = signed_in(operator(role="content"))

    act(content, "open_by_ads_alone", series)

    assert Series.objects.get().access_mode == "hybrid"
    assert content.get("/admin/catalog/accesschange/").status_code == 200
    assert "Ads, and no coins" not in content.get(f"/admin/catalog/series/{series.id}/change/").text


@pytest.mark.django_db
def test_a_push_leaves_it_as_it_is(now: datetime) -> None:
    push = msgspec.convert(series_push(state="draft"), SeriesPush)
    made = ingest.ingest(external_id="x", push=push, now=now).series
    access.set_mode([made.id], mode=Series.AccessMode.AD, operator_id=operator().id, now=now)

    other = msgspec.convert(series_push(state="draft", genre="revenge"), SeriesPush)
    ingest.ingest(external_id="x", push=other, now=now)

    assert Series.objects.values_list("access_mode", "genre").get() == ("ad", "revenge")


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_what_was_changed_stays_on_record(statement: str) -> None:
    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format("catalog_accesschange"))
