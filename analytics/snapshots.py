"""Rankings as they were published: bytes that never change, and the feed's table with each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import connection

from analytics import caps, lake, ranking, sources
from analytics.models import RankingSnapshot
from analytics.ranking import VERSION, Floors, Horizon
from analytics.sources import Source
from catalog import feed
from config.problems import Problem

#: What the feed's slots are drawn by; the shorter horizon is for decisions about launches.
FEED_HORIZON = Horizon.WEEK


#: An advisory lock of the database, of no meaning but to be the same in every worker.
LOCK = 7_326_411_905


class RankingUnavailable(Problem):
    code = "ranking_unavailable"
    title = "No ranking has been published yet"


def latest(horizon: Horizon) -> RankingSnapshot:
    """The last one published. Raises RankingUnavailable before the first."""
    found = _published(horizon)
    if found is None:
        raise RankingUnavailable
    return found


def refresh(*, now: datetime) -> Sequence[RankingSnapshot]:
    """Publishes a ranking of each horizon, and the feed's table, if they are due.

    They are once the watermark has moved and the last ones are RANKING_SECONDS old. While another
    worker is at it, nothing is: the sweeper rings more often than a large lake is read.
    """
    watermark = lake.watermark(now=now)
    with _alone() as is_alone:
        if not is_alone or not any(_is_due(horizon, watermark, now) for horizon in Horizon):
            return []
        with sources.opened(now=now) as source:
            source.rows("starts", watermark=source.watermark)
            prices = caps.list_prices(at=source.watermark)
            return [_publish(source, horizon, prices, now) for horizon in Horizon]


def body(source: Source, standing: ranking.Standing) -> bytes:
    """The bytes of a ranking: of the same events and money they are the same."""
    table = ranking.table(
        standing=standing,
        source=source,
        currency=settings.REPORTING_CURRENCY,
        floors=feedback_floors(),
    )
    return msgspec.json.encode(table)


def feedback_floors() -> Floors:
    """What this deployment tells the pipeline of how many people at least."""
    return Floors(
        viewers=settings.FEEDBACK_MINIMUM_VIEWERS, payers=settings.FEEDBACK_MINIMUM_PAYERS
    )


@contextmanager
def _alone() -> Iterator[bool]:
    """True for one worker at a time. The database lets go of it should the worker die."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (is_ours,) = cursor.fetchone()
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _publish(
    source: Source, horizon: Horizon, prices: dict[str, int], now: datetime
) -> RankingSnapshot:
    standing = ranking.stand(source=source, horizon=horizon, list_prices=prices)
    # Another worker may have been quicker: the first to publish for a watermark has it.
    snapshot, _ = RankingSnapshot.objects.get_or_create(
        definition=VERSION,
        horizon_hours=horizon.hours,
        watermark=source.watermark,
        defaults={"body": body(source, standing), "created_at": now},
    )
    if horizon is FEED_HORIZON:
        feed.publish_table(
            probabilities=ranking.probabilities(standing),
            version=f"{VERSION} {horizon} {source.watermark.isoformat()}",
            now=now,
        )
    return snapshot


def _is_due(horizon: Horizon, watermark: datetime, now: datetime) -> bool:
    last = _published(horizon)
    if last is None:
        return True
    age = now - last.created_at
    return watermark > last.watermark and age >= timedelta(seconds=settings.RANKING_SECONDS)


def _published(horizon: Horizon) -> RankingSnapshot | None:
    return (
        RankingSnapshot.objects.filter(definition=VERSION, horizon_hours=horizon.hours)
        .order_by("-watermark")
        .first()
    )
