"""Operators who change the same prices at the same moment: what one does, the other sees."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction

from payments.desk.price_changes import approval
from payments.desk.price_changes.contents import NewVersion, TermsContent
from payments.models import PriceChange
from payments.prices import pricing
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator
from tests.factories.payments import default_plan
from tests.races.crowd import connections

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_operator() -> Iterator[None]:
    with connections(2):
        yield


def test_a_change_that_is_just_being_made_is_not_rolled_back_with_another(now: datetime) -> None:
    plan, series = default_plan(), SeriesFactory(state="published")
    episodes_of(series, range(1, 13))
    dana, erin = operator("dana"), operator("erin")

    def drafted(price_coins: int) -> PriceChange:
        terms = TermsContent(free_count=8, base_price_coins=price_coins)
        return approval.draft(
            name="A change",
            content=NewVersion(plan_id=plan.id, terms=terms),
            series_ids=[],
            effective_from=None,
            operator_id=dana.id,
            now=now,
        )

    first, second = drafted(70), drafted(75)
    approval.propose(change_id=first.id, operator_id=dana.id, now=now)

    def roll_back(change_id: UUID) -> None:
        try:
            approval.end(change_id=change_id, operator_id=erin.id, now=now + 2 * MINUTE)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            approval.propose(change_id=second.id, operator_id=dana.id, now=now + MINUTE)
            rolling_back = pool.submit(roll_back, first.id)
            wait_until_somebody_waits(rolling_back.done)
        rolling_back.result()

    price = pricing.prices_of([series.id], at=now + 3 * MINUTE)[series.id]
    assert price.ladder.price_of(9) == 75


def wait_until_somebody_waits(is_over: Callable[[], bool]) -> None:
    """For the lock under which prices are changed."""
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone() or is_over():
                return
        time.sleep(0.01)
