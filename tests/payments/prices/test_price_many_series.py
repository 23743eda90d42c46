"""Whoever prices a whole catalog at once finds the prices that each series has by itself."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.desk import plans, price_versions
from payments.models import PricePlan, PriceVersion
from payments.prices import pricing
from tests.factories.catalog import SeriesFactory
from tests.factories.payments import PAST, default_plan

pytestmark = pytest.mark.django_db
HOUR, HOURS = timedelta(hours=1), 40


def _version(plan: PricePlan, hour: int) -> None:
    price_versions.add(
        plan=plan,
        effective_from=PAST + hour * HOUR,
        free_count=1,
        base_price_coins=60,
        overrides={},
        now=PAST,
    )


@pytest.mark.parametrize("seed", range(4))
def test_finds_the_version_of_each_that_is_in_force(seed: int) -> None:
    source = Random(seed)  # noqa: S311
    own = [PricePlan.objects.create(name=f"plan {n}", created_at=PAST) for n in range(4)]
    for plan in (default_plan(), *own):
        for hour in source.sample(range(1, HOURS), source.randint(0, 3)):
            _version(plan, hour)
    series = [SeriesFactory() for _ in range(8)]
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


def test_asks_the_database_once() -> None:
    series = [SeriesFactory().id for _ in range(5)]

    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = pricing.versions_in_force([*series, uuid4()], at=PAST)

    assert len(queries) == 1
    assert found.keys() == set(series)
