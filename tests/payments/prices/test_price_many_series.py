"""Whoever prices a whole catalog at once finds the prices that each series has by itself."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from statistics import median
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import publishing
from payments.desk import plans, price_versions
from payments.models import PricePlan, PriceVersion
from payments.prices import pricing, usual_price
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import PAST, default_plan

pytestmark = pytest.mark.django_db
HOUR, HOURS = timedelta(hours=1), 40


def _version(plan: PricePlan, hour: int) -> None:
    price_versions.add(
        plan=plan,
        effective_from=PAST + hour * HOUR,
        free_count=1,
        base_price_coins=60 + hour,
        overrides={},
        now=PAST,
    )


def _median_of(version_ids: Iterable[UUID]) -> Fraction | None:
    asked = [PriceVersion.objects.get(id=one).base_price_coins for one in version_ids]
    return Fraction(median(asked)) if asked else None


@pytest.mark.matrix(4)
@pytest.mark.parametrize("seed", range(4))
def test_finds_the_version_of_each_that_is_in_force(seed: int) -> None:
    source = Random(seed)  # noqa: S311
    own = [PricePlan.objects.create(name=f"plan {n}", created_at=PAST) for n in range(4)]
    for plan in (default_plan(), *own):
        for hour in source.sample(range(1, HOURS), source.randint(0, 3)):
            _version(plan, hour)
    series = [SeriesFactory(state="published") for _ in range(8)]
    for one in series[2:]:
        plans.assign(
            plan=source.choice([default_plan(), *own]),
            series_ids=[one.id],
            effective_from=PAST + source.randrange(HOURS) * HOUR,
            now=PAST,
        )

    moments = [datetime(1999, 12, 31, tzinfo=UTC), *(PAST + n * HOUR for n in range(HOURS))]
    for at in moments:
        expected = {}
        for one in series:
            try:
                expected[one.id] = pricing.version_in_force(series_id=one.id, at=at).id
            except PriceVersion.DoesNotExist:
                continue
        assert pricing.versions_in_force([one.id for one in series], at=at) == expected
        assert usual_price.counted_coins(at=at) == _median_of(expected.values())


def test_asks_the_database_once() -> None:
    series = [SeriesFactory().id for _ in range(5)]

    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = pricing.versions_in_force([*series, uuid4()], at=PAST)

    assert len(queries) == 1
    assert found.keys() == set(series)


def test_tells_the_usual_price_of_a_catalog_in_one_pass_over_it() -> None:
    """Looking titles up one by one took longer than a statement may, from 100,000 titles on."""
    for number in range(3):
        plan = PricePlan.objects.create(name=f"plan {number}", created_at=PAST)
        _version(plan, number)
        titles = [SeriesFactory(state="published").id for _ in range(number + 1)]
        plans.assign(plan=plan, series_ids=titles, effective_from=PAST, now=PAST)

    with CaptureQueriesContext(connection) as queries:
        usual = usual_price.counted_coins(at=PAST + HOURS * HOUR)

    assert usual == Fraction(123, 2)
    assert len(queries) == 3
    for query in queries.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            assert "SubPlan" not in "\n".join(row[0] for row in cursor.fetchall())


def test_a_publication_does_not_count_the_catalog_again_within_the_hour(now: datetime) -> None:
    default_plan()
    for _ in range(2):
        series = SeriesFactory(state="draft", published_at=None)
        episodes_of(series, [1])
        with CaptureQueriesContext(connection) as queries:
            publishing.publish(series_id=series.id, now=now)
    assert not [one for one in queries.captured_queries if "DISTINCT ON" in one["sql"]]

    _version(default_plan(), HOURS)
    assert usual_price.remembered_coins(at=now) == 60
    assert usual_price.remembered_coins(at=now + HOUR) == 60 + HOURS
