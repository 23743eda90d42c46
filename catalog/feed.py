"""The feed: series drawn for one viewer by a published table, with every draw written down.

Analytics publishes a table of probabilities; each request draws from it, so that the logged
propensity is exact and never 0, and what was shown can be weighed later for what was not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random, SystemRandom
from uuid import UUID

from django.db import connection

from catalog import browsing, candidates, slots
from catalog.models import FeedDecision, FeedTable, Series
from config.problems import Problem

#: A feed ends here: nobody scrolls further, and every page must know what the pages before it had.
LONGEST_FEED_SLOTS = 1000
KEPT_TABLES = 100

_CHAIN = """
    WITH RECURSIVE chain AS (
        SELECT id, predecessor_id, series_ids FROM catalog_feeddecision
        WHERE id = %(last)s AND viewer_id = %(viewer)s AND environment = %(environment)s
      UNION ALL
        SELECT earlier.id, earlier.predecessor_id, earlier.series_ids
        FROM catalog_feeddecision AS earlier JOIN chain ON earlier.id = chain.predecessor_id
    )
    SELECT series_ids FROM chain
"""


class DecisionUnknown(Problem):
    code = "decision_unknown"
    title = "There is no such decision of this viewer to continue; start the feed anew"


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place in the feed, the series in it, and the probability with which it was drawn."""

    number: int
    series: Series
    propensity: float


@dataclass(frozen=True, kw_only=True)
class Page:
    """One decision. `has_more` when continuing it would show something."""

    decision_id: UUID
    slots: Sequence[Slot]
    has_more: bool


def publish_table(*, probabilities: Mapping[UUID, float], version: str, now: datetime) -> FeedTable:
    """Makes this the table that feeds are drawn from, within seconds everywhere.

    A version names what is in it: published again it changes nothing. Only the newest KEPT_TABLES
    stay. Raises ValueError for what is no probability.
    """
    if not all(math.isfinite(share) and 0 <= share <= 1 for share in probabilities.values()):
        raise ValueError("a probability is a number from 0 to 1")
    table, _ = FeedTable.objects.get_or_create(
        version=version,
        defaults={
            "series_ids": list(probabilities),
            "probabilities": list(probabilities.values()),
            "created_at": now,
        },
    )
    kept = FeedTable.objects.order_by("-id").values("id")[:KEPT_TABLES]
    FeedTable.objects.exclude(id__in=kept).delete()
    candidates.look_again()
    return table


def decide(
    *,
    viewer_id: UUID,
    environment: str,
    limit: int,
    after: UUID | None,
    asked: Sequence[str],
    now: datetime,
    source: Random | None = None,
) -> Page:
    """Draws up to `limit` series and writes the decision down before it is answered.

    `after` goes on from an own decision of the same environment: what it and those before it showed
    is not shown again. Texts are those that may serve `asked`. Raises DecisionUnknown.
    """
    shown = _shown_until(after, viewer_id, environment) if after else frozenset[UUID]()
    pool = candidates.current()
    gone = pool.odds.places(shown)
    room = min(len(pool.odds) - len(gone), max(LONGEST_FEED_SLOTS - len(shown), 0))
    if after and not room:
        # Nothing was decided, so there is nothing to write down: a feed's decisions are bounded.
        return Page(decision_id=after, slots=[], has_more=False)
    drawn = slots.draw(
        pool.odds, count=min(limit, room), source=source or SystemRandom(), without=gone
    )
    rows = browsing.by_id([slot.series_id for slot in drawn], asked=asked)
    # One that was withdrawn since the candidates were read is not shown, and so not logged.
    placed = [slot for slot in drawn if slot.series_id in rows]
    decision = FeedDecision.objects.create(
        viewer_id=viewer_id,
        environment=environment,
        at=now,
        table_version=pool.version,
        predecessor_id=after,
        first_slot=len(shown),
        candidate_count=len(pool.odds) - len(gone),
        candidates_sha256=pool.digest_without(gone),
        series_ids=[slot.series_id for slot in placed],
        propensities=[slot.propensity for slot in placed],
    )
    return Page(
        decision_id=decision.id,
        slots=[
            Slot(number=number, series=rows[slot.series_id], propensity=slot.propensity)
            for number, slot in enumerate(placed, len(shown))
        ],
        has_more=room > len(drawn),
    )


def _shown_until(decision_id: UUID, viewer_id: UUID, environment: str) -> frozenset[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _CHAIN, {"last": decision_id, "viewer": viewer_id, "environment": environment}
        )
        decisions = cursor.fetchall()
    if not decisions:
        raise DecisionUnknown
    return frozenset(series_id for (series_ids,) in decisions for series_id in series_ids)
