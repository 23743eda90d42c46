"""What the feed shows, and what it keeps of having shown it."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import caches
from django.db import Error, connection, transaction
from django.test import Client

from catalog import feed, slots
from catalog.models import FeedDecision, FeedTable, Series
from tests.factories.catalog import EpisodeFactory, SeriesFactory, SeriesTextFactory
from tests.factories.viewers import DeviceFactory, viewer_headers


@pytest.fixture
def device(db):
    return DeviceFactory()


@pytest.fixture
def ask(api: Client, device, now):
    """GET /v1/feed as a viewer."""

    def ask(*, by: Any = device, **query: Any) -> Any:
        return api.get("/v1/feed", query, headers=viewer_headers(by, now=now))

    return ask


def _ids(page: Any) -> list[str]:
    return [slot["series"]["id"] for slot in page["slots"]]


def _catalog(count: int) -> Sequence[Series]:
    return SeriesFactory.create_batch(count)


def test_shows_each_series_as_anyone_may_see_it(api, ask, now):
    series = SeriesFactory(title="Helen")
    SeriesTextFactory(series=series, locale="es", title="Elena")
    EpisodeFactory(series=series)

    response = ask(locale="es")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    (slot,) = response.json()["slots"]
    assert (slot["slot"], slot["propensity"]) == (0, 1.0)
    assert slot["series"] == api.get(f"/v1/series/{series.id}?locale=es").json()
    assert slot["series"]["title"] == "Elena"


def test_shows_nothing_of_what_is_not_published(ask):
    for state in (Series.State.DRAFT, Series.State.WITHDRAWN):
        SeriesFactory(state=state)

    body = ask().json()

    assert (body["slots"], body["has_more"]) == ([], False)
    assert ask(after=body["decision_id"]).json()["slots"] == []


def test_goes_on_without_repeating_what_was_shown(ask):
    everything = {str(series.id) for series in _catalog(7)}
    pages = [ask(limit=3).json()]
    while pages[-1]["has_more"]:
        pages.append(ask(limit=3, after=pages[-1]["decision_id"]).json())

    shown = [series_id for page in pages for series_id in _ids(page)]
    assert [len(page["slots"]) for page in pages] == [3, 3, 1]
    assert sorted(shown) == sorted(everything)
    assert [slot["slot"] for page in pages for slot in page["slots"]] == list(range(7))


def test_decides_nothing_when_all_was_shown(ask):
    _catalog(2)
    last = ask().json()
    before = FeedDecision.objects.count()

    again = ask(after=last["decision_id"]).json()

    assert again == {"decision_id": last["decision_id"], "slots": [], "has_more": False}
    assert FeedDecision.objects.count() == before


def test_ends_a_feed_that_is_long_enough(ask, monkeypatch):
    monkeypatch.setattr(feed, "LONGEST_FEED_SLOTS", 4)
    _catalog(6)

    first = ask(limit=3).json()
    second = ask(limit=3, after=first["decision_id"]).json()

    assert (first["has_more"], second["has_more"]) == (True, False)
    assert len(second["slots"]) == 1


def test_keeps_every_decision_as_it_was_answered(ask, device, now):
    rows = _catalog(5)
    probabilities = {
        row.id: share for row, share in zip(rows, (0.4, 0.3, 0.2, 0.05, 0.05), strict=True)
    }
    feed.publish_table(probabilities=probabilities, version="t1", now=now)
    first = ask(limit=2).json()
    second = ask(limit=3, after=first["decision_id"]).json()

    for page, predecessor, shown in ((first, None, set()), (second, first, set(_ids(first)))):
        kept = FeedDecision.objects.get(id=page["decision_id"])
        left = sorted(row.id for row in rows if str(row.id) not in shown)
        assert (kept.viewer_id, kept.environment, kept.at) == (device.viewer_id, "production", now)
        assert kept.table_version == "t1"
        assert kept.predecessor_id == (predecessor and UUID(predecessor["decision_id"]))
        assert kept.first_slot == len(shown)
        assert [str(one) for one in kept.series_ids] == _ids(page)
        assert kept.propensities == [slot["propensity"] for slot in page["slots"]]
        assert kept.candidate_count == len(left)
        digest = hashlib.sha256(b"".join(one.bytes for one in left)).digest()
        assert bytes(kept.candidates_sha256) == digest

    left_share = 1.0
    for slot in first["slots"] + second["slots"]:
        own = probabilities[UUID(slot["series"]["id"])]
        assert slot["propensity"] == pytest.approx(own / left_share, abs=1e-9)
        left_share -= own


def test_the_same_source_draws_the_same(device, now):
    _catalog(9)

    def shown(seed: int) -> list[UUID]:
        page = feed.decide(
            viewer_id=device.viewer_id,
            environment="production",
            limit=9,
            after=None,
            asked=(),
            now=now,
            source=Random(seed),  # noqa: S311
        )
        return [slot.series.id for slot in page.slots]

    assert shown(1) == shown(1) != shown(2)


def test_shows_what_the_latest_table_prefers(ask, now):
    rows = _catalog(4)
    for number, favored in enumerate(rows):
        shares = {
            row.id: 1 - 0.75 * slots.EXPLORATION if row is favored else slots.EXPLORATION / 4
            for row in rows
        }
        feed.publish_table(probabilities=shares, version=f"t{number}", now=now)
        shown = [_ids(ask(limit=1).json())[0] for _ in range(12)]
        assert shown.count(str(favored.id)) >= 6


def test_leaves_out_what_was_withdrawn_a_moment_ago(ask):
    rows = _catalog(4)
    ask(limit=1)
    Series.objects.filter(id=rows[0].id).update(state=Series.State.WITHDRAWN)

    page = ask(limit=4).json()

    assert sorted(_ids(page)) == sorted(str(row.id) for row in rows[1:])
    assert [slot["slot"] for slot in page["slots"]] == [0, 1, 2]
    assert len(FeedDecision.objects.get(id=page["decision_id"]).propensities) == 3


def test_continues_only_ones_own_decision(ask):
    _catalog(3)
    decision = ask(limit=1).json()["decision_id"]
    before = FeedDecision.objects.count()

    for after, by in ((decision, DeviceFactory()), (str(uuid4()), None)):
        response = ask(after=after, **({"by": by} if by else {}))
        assert (response.status_code, response.json()["code"]) == (404, "decision_unknown")
    assert FeedDecision.objects.count() == before


def test_continues_only_a_decision_of_the_same_environment(device, now):
    _catalog(3)

    def decide(environment: str, after: UUID | None = None) -> UUID:
        page = feed.decide(
            viewer_id=device.viewer_id,
            environment=environment,
            limit=1,
            after=after,
            asked=(),
            now=now,
        )
        return page.decision_id

    sandboxed = decide("sandbox")
    with pytest.raises(feed.DecisionUnknown):
        decide("production", sandboxed)
    assert FeedDecision.objects.count() == 1
    assert decide("sandbox", sandboxed) != sandboxed


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalog_feeddecision SET propensities = propensities",
        "DELETE FROM catalog_feeddecision",
    ],
)
def test_the_application_cannot_change_what_was_logged(ask, statement):
    _catalog(1)
    ask()

    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert FeedDecision.objects.count() == 1


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "21"},
        {"limit": "x"},
        {"after": "x"},
        {"after": "null"},
        {"seed": "1"},
    ],
    ids=str,
)
def test_refuses_other_parameters(ask, query):
    _catalog(1)

    response = ask(**query)

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")
    assert not FeedDecision.objects.exists()


def test_costs_the_same_number_of_queries_for_any_page(ask, django_assert_num_queries):
    for series in _catalog(25):
        SeriesTextFactory(series=series, locale="es")
    caches["local"].clear()
    # Whether anything changed, candidates, table, series, their texts, the decision.
    with django_assert_num_queries(6):
        first = ask(limit=1).json()
    caches["local"].clear()
    with django_assert_num_queries(4):
        ask(limit=20)
    with django_assert_num_queries(3):
        ask(limit=20)
    with django_assert_num_queries(4):
        ask(limit=20, after=first["decision_id"])


def test_a_version_names_what_is_in_its_table(now, db):
    one, two = uuid4(), uuid4()
    first = feed.publish_table(probabilities={one: 1.0}, version="v", now=now)

    again = feed.publish_table(probabilities={two: 1.0}, version="v", now=now + timedelta(hours=1))

    assert (again.id, again.series_ids) == (first.id, [one])
    assert FeedTable.objects.count() == 1


def test_keeps_the_newest_tables(now, db, monkeypatch):
    monkeypatch.setattr(feed, "KEPT_TABLES", 3)
    for number in range(5):
        feed.publish_table(probabilities={uuid4(): 1.0}, version=f"v{number}", now=now)

    kept = FeedTable.objects.order_by("id").values_list("version", flat=True)
    assert list(kept) == ["v2", "v3", "v4"]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_takes_only_probabilities(now, db, share):
    with pytest.raises(ValueError, match="probability"):
        feed.publish_table(probabilities={uuid4(): share}, version="v", now=now)
    assert not FeedTable.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_decision_is_committed_before_it_is_answered(device, now):
    _catalog(3)
    headers = viewer_headers(device, now=now)

    def kept(decision_id: str) -> bool:
        try:
            return FeedDecision.objects.filter(id=decision_id).exists()
        finally:
            connection.close()

    answer = Client().get("/v1/feed", headers=headers).json()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(kept, answer["decision_id"]).result()
