"""Rankings as they were published: bytes that never change, and the feed's table with each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from ads.models import EarningCorrection, Reward
from analytics.lake import reading
from analytics.lake.datasets import EVENTS
from analytics.models import LakeFile, RankingSnapshot
from analytics.ranking import caps, ranking
from analytics.ranking.ranking import VERSION, Floors, Horizon
from analytics.reports import sources
from analytics.reports.sources import Source
from catalog import feed
from config import advisory_lock
from config.problems import Problem
from payments.models import Unlock, UnlockCorrection
from viewers.models import Flag

#: What the feed's slots are drawn by; the shorter horizon is for decisions about launches.
FEED_HORIZON = Horizon.WEEK

#: Without new events or money a ranking still moves, as windows come to their end.
UNCHANGED = timedelta(hours=1)

#: Every ranking is kept so long, and of each older day the last.
KEPT = timedelta(days=2)
PRUNED_AT_ONCE = 1000

#: An advisory lock, so that one worker ranks at a time.
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

    They are once the watermark has moved, there are new events or new money, and the last ones are
    RANKING_SECONDS old; without anything new, an hour. While another worker is at it, nothing is
    due: the sweeper rings more often than a large lake is read.
    """
    watermark = reading.watermark(now=now)
    with advisory_lock.tried(LOCK) as is_alone:
        # Noted before anything is read: what comes in between is new to the next ranking.
        basis = _basis()
        if not is_alone or not _is_due(watermark, basis, now):
            return []
        with sources.opened(now=now) as source:
            ranking.prepare(source=source)
            prices = caps.list_prices(at=source.watermark)
            return [_publish(source, horizon, prices, basis, now) for horizon in Horizon]


def prune(*, now: datetime) -> int:
    """Deletes rankings that were followed by another on the same UTC day long ago; returns how many."""
    later = RankingSnapshot.objects.filter(
        definition=OuterRef("definition"),
        horizon_hours=OuterRef("horizon_hours"),
        created_at__gt=OuterRef("created_at"),
        created_at__date=OuterRef("created_at__date"),
    )
    outdated = RankingSnapshot.objects.filter(Exists(later), created_at__lt=now - KEPT)
    ids = list(outdated.values_list("id", flat=True)[:PRUNED_AT_ONCE])
    return RankingSnapshot.objects.filter(id__in=ids).delete()[0]


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


def _publish(
    source: Source, horizon: Horizon, prices: dict[str, int], basis: str, now: datetime
) -> RankingSnapshot:
    standing = ranking.stand(source=source, horizon=horizon, list_prices=prices)
    # Another worker may have been quicker: the first to publish for a watermark has it.
    snapshot, _ = RankingSnapshot.objects.get_or_create(
        definition=VERSION,
        horizon_hours=horizon.hours,
        watermark=source.watermark,
        defaults={"body": body(source, standing), "basis": basis, "created_at": now},
    )
    if horizon is FEED_HORIZON:
        feed.publish_table(
            probabilities=standing.shares,
            version=f"{VERSION} {horizon} {source.watermark.isoformat()}",
            now=now,
        )
    return snapshot


def _is_due(watermark: datetime, basis: str, now: datetime) -> bool:
    """All horizons are published together, so the feed's speaks for them."""
    last = _published(FEED_HORIZON)
    if last is None:
        return True
    wait = UNCHANGED if basis == last.basis else timedelta(seconds=settings.RANKING_SECONDS)
    return watermark > last.watermark and now - last.created_at >= wait


def _basis() -> str:
    """Names the last file of the lake, the last of an unlock by coins and what was corrected of one, the same of
    what ads earned, the last flag and how many stand."""
    events = _newest(LakeFile.objects.filter(dataset=EVENTS.name))
    money = [
        # Ids of money begin with the moment at which they were drawn.
        max(_newest(one.objects.all()), _newest(more.objects.all()))
        for one, more in ((Unlock, UnlockCorrection), (Reward, EarningCorrection))
    ]
    standing = Flag.objects.filter(lifted_at=None).count()
    return " ".join([events, *money, _newest(Flag.objects.all()), str(standing)])


def _newest(rows: QuerySet[Any]) -> str:
    """The last id; before that of any where there is none."""
    newest = rows.order_by("-id").values_list("id", flat=True).first()
    return "-" if newest is None else str(newest)


def _published(horizon: Horizon) -> RankingSnapshot | None:
    return (
        RankingSnapshot.objects.filter(definition=VERSION, horizon_hours=horizon.hours)
        .order_by("-watermark")
        .first()
    )
