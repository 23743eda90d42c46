"""What operators see of the feed's decisions, and that they change none."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog import feed
from catalog.models import FeedDecision, Series
from tests.factories.catalog import SeriesFactory
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import DeviceFactory

DECISIONS = "/admin/catalog/feeddecision/"


@pytest.fixture
def support(db):
    return signed_in(operator(role="support"))


@pytest.fixture
def decide(db, now):
    """A viewer asks for three series."""

    def decide() -> FeedDecision:
        page = feed.decide(
            viewer_id=DeviceFactory().viewer_id,
            environment="production",
            limit=3,
            after=None,
            asked=(),
            now=now,
        )
        return FeedDecision.objects.get(id=page.decision_id)

    return decide


def test_shows_every_slot_with_its_probability(support, decide, now):
    rows = SeriesFactory.create_batch(2)
    feed.publish_table(
        probabilities={rows[0].id: 0.9, rows[1].id: 0.1}, version="thompson-7", now=now
    )
    decision = decide()
    Series.objects.filter(id=rows[1].id).update(state=Series.State.WITHDRAWN)

    page = support.get(f"{DECISIONS}{decision.id}/change/").content.decode()

    first, second = decision.propensities
    assert rows[0].external_id in page
    assert str(rows[1].id) in page
    assert f"{first:.6f}" in page
    assert "1.000000" in page
    assert second == 1
    assert "thompson-7" in page
    assert bytes(decision.candidates_sha256).hex() in page


def test_finds_decisions_by_whole_ids(support, decide):
    SeriesFactory()
    wanted, other = decide(), decide()

    for term in (wanted.id, wanted.viewer_id):
        page = support.get(DECISIONS, {"q": str(term)}).content.decode()
        assert str(wanted.id) in page
        assert str(other.id) not in page
    for term in (uuid4(), "x", "\x00"):
        assert support.get(DECISIONS, {"q": str(term)}).status_code == 200


def test_lists_cost_the_same_number_of_queries_for_any_length(support, decide):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert support.get(DECISIONS).status_code == 200
        return len(captured)

    decide()
    few = queries()
    for _ in range(5):
        decide()

    assert queries() == few


def test_an_index_answers_for_a_day(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'catalog_feeddecision'")
        assert any(definition.endswith("(at)") for (definition,) in cursor.fetchall())


def test_nobody_writes_them(support, decide):
    decision = decide()
    owner = signed_in(operator("olga", role="owner"))

    for browser in (support, owner):
        assert browser.get(f"{DECISIONS}add/").status_code == 403
        for action in ("change", "delete"):
            assert browser.post(f"{DECISIONS}{decision.id}/{action}/", {}).status_code == 403
    assert FeedDecision.objects.count() == 1


@pytest.mark.parametrize("role", ["content", "pricing"])
def test_who_may_not_see_viewers_does_not_see_their_feeds(role, decide):
    decision = decide()
    browser: Client = signed_in(operator(role=role))

    assert browser.get(DECISIONS).status_code == 403
    assert browser.get(f"{DECISIONS}{decision.id}/change/").status_code == 403
