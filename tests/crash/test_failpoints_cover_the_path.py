"""The named points lie around everything that an unlock and a purchase write."""

from uuid import UUID

import pytest
from django.db import connection

from payments.access import paywall
from payments.idempotency import IdempotencyKey
from payments.unlocking import unlocks
from tests.crash.failpoints import POINTS, WRITES
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import StoreProductFactory, default_plan, hand_in, signed_sale
from tests.factories.viewers import ViewerFactory

pytestmark = pytest.mark.django_db

# Of this transaction alone, which is the test's.
_WRITTEN = """
    SELECT relname, 'INSERT', n_tup_ins FROM pg_stat_xact_user_tables
    UNION ALL SELECT relname, 'UPDATE', n_tup_upd FROM pg_stat_xact_user_tables
"""


def written() -> set[tuple[str, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN)
        return set(cursor.fetchall())


def test_each_table_that_an_unlock_and_a_purchase_write_has_points(now):
    default_plan()
    viewer, product = ViewerFactory(), StoreProductFactory()
    episode = EpisodeFactory(series=SeriesFactory(), number=9)
    shown = paywall.show(
        viewer_id=viewer.id, environment="production", series_id=episode.series_id, now=now
    )
    before = written()
    buy(viewer.id, signed_sale(product, viewer_id=viewer.id, now=now), now=now)
    decision = unlocks.unlock(
        viewer_id=viewer.id,
        environment="production",
        episode_id=episode.id,
        quote=shown.quote.token(),
        now=now,
        key=IdempotencyKey("key", b"fingerprint"),
    )
    assert decision.outcome.outcome is unlocks.Result.UNLOCKED
    assert {(table, event) for table, event, _ in written() - before} == set(WRITES.values())


def buy(viewer_id: UUID, signed: str, *, now) -> None:
    assert hand_in(signed, viewer_id=viewer_id, now=now).is_new


def test_the_points_have_different_names_that_fit_a_sessions_name():
    names = {point.name for point in POINTS}
    assert len(names) == len(POINTS)
    assert max(len(f"web-1234567 {name}") for name in names) < 64
