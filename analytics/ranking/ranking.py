"""The ranking of titles: what a start of each is worth, how sure that is, and how often to show it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from analytics.ranking import caps, posterior, privacy, thompson
from analytics.ranking.posterior import Counts, Draws, Prior
from analytics.reports import definitions
from analytics.reports.report import Report, heading
from analytics.reports.sources import Source

#: Names the definition and the arithmetic: another of either is another version.
VERSION = "net_revenue_per_start/4"


class Horizon(StrEnum):
    """How long after its start a viewer's revenue counts."""

    DAY = "24h"
    WEEK = "7d"

    @property
    def hours(self) -> int:
        """In hours."""
        return 24 if self is Horizon.DAY else 168


class Floors(msgspec.Struct, frozen=True, kw_only=True):
    """How many people a figure must be of before anybody outside is told."""

    viewers: int
    payers: int


class RankedTitle(msgspec.Struct, frozen=True, kw_only=True):
    """One title. Figures of too few people are null, and `suppressed` says so.

    The mean, median and 95 % interval are of the posterior of revenue per start, in micros.
    """

    series_id: UUID
    external_id: str
    genre: str
    locale: str
    suppressed: bool
    starts: int | None
    converters: int | None
    mean_micros: int | None
    median_micros: int | None
    low_micros: int | None
    high_micros: int | None
    prior_weight: float | None
    prior_level: str
    revenue_micros: int | None


class Ranking(Report, frozen=True, kw_only=True):
    """Titles by what a start is worth, those that are suppressed last. Revenue is life to date."""

    version: str
    horizon: Horizon
    currency: str
    titles: Sequence[RankedTitle]
    total_starts: int | None
    total_revenue_micros: int | None


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a start of a title is worth: mean, median and 95 % interval, in micros."""

    mean_micros: int
    median_micros: int
    low_micros: int
    high_micros: int


@dataclass(frozen=True, kw_only=True)
class Title:
    """What the lake and the ledger know of a title."""

    series_id: UUID
    external_id: str
    is_published: bool
    counts: Counts
    revenue_micros: int
    payers: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All titles at one watermark: what is believed of each before it is looked at, and after.

    `worth` is what a start is worth, by the title's place, and `shares` how often the feed should
    draw each published title.
    """

    horizon: Horizon
    titles: Sequence[Title]
    prior_of: Callable[[Counts], Prior]
    worth: Sequence[Worth]
    shares: Mapping[UUID, float]


def prepare(*, source: Source) -> None:
    """Finds every title's starts, and reads the money: once for all horizons."""
    source.load("unlocks", "purchases", "titles")
    source.rows("starts", watermark=source.watermark)


def stand(*, source: Source, horizon: Horizon, list_prices: Mapping[str, int]) -> Standing:
    """Counts every title's starts and what they earned, on a source that is prepared."""
    caps.register(source, list_prices)
    rows = source.named_rows(
        "ranking",
        watermark=source.watermark,
        mature_until=source.watermark - timedelta(hours=horizon.hours),
        hours=horizon.hours,
    )
    titles = [_title(row) for row in rows]
    prior_of = posterior.priors([title.counts for title in titles])
    worth: list[Worth] = []

    def candidates() -> Iterator[tuple[UUID, Draws]]:
        """Draws each title once: all that is asked of its draws is asked while they are there."""
        for title in titles:
            seed = _seed(title, horizon, source.watermark)
            draws = posterior.draw(title.counts, prior_of(title.counts), seed=seed)
            worth.append(_worth(draws))
            if title.is_published:
                yield title.series_id, draws

    shares = thompson.probabilities(candidates())
    return Standing(horizon=horizon, titles=titles, prior_of=prior_of, worth=worth, shares=shares)


def table(*, standing: Standing, source: Source, currency: str, floors: Floors) -> Ranking:
    """The ranking as it is published."""
    titles = standing.titles
    few_viewers = {n for n, title in enumerate(titles) if 0 < title.counts.starts < floors.viewers}
    few_payers = {n for n, title in enumerate(titles) if title.payers < floors.payers}
    starters = [title.counts.starts for title in titles]
    # Ads earn of viewers who pay nothing.
    earners = [title.payers or int(title.revenue_micros > 0) for title in titles]
    no_starts = privacy.untold(starters, too_small=few_viewers)
    no_revenue = privacy.untold(earners, too_small=no_starts | few_payers)
    rows = [
        _row(
            standing,
            title,
            tells_starts=place not in no_starts,
            tells_revenue=place not in no_revenue,
            worth=worth
            if place not in no_starts and _is_of_enough(standing, title, floors)
            else None,
        )
        for place, (title, worth) in enumerate(zip(titles, standing.worth, strict=True))
    ]
    return Ranking(
        **heading(
            source=source,
            definition=[definitions.NET_REVENUE_PER_START, definitions.TITLE_REVENUE],
            filters={},
            population=[
                "environment production",
                "starts whose window is over",
                f"rows of at least {floors.viewers} viewers",
                f"revenue of at least {floors.payers} payers",
            ],
        ),
        version=VERSION,
        horizon=standing.horizon,
        currency=currency,
        titles=sorted(rows, key=_order),
        total_starts=None if privacy.tells(starters, no_starts) else sum(starters),
        total_revenue_micros=None
        if privacy.tells(earners, no_revenue)
        else sum(title.revenue_micros for title in titles),
    )


def _title(row: Mapping[str, Any]) -> Title:
    return Title(
        series_id=UUID(row["series_id"]),
        external_id=row["external_id"],
        is_published=row["is_published"],
        counts=Counts(**{field.name: row[field.name] for field in fields(Counts)}),
        revenue_micros=row["revenue_micros"],
        payers=row["payers"],
    )


def _seed(title: Title, horizon: Horizon, watermark: datetime) -> int:
    """The same whenever the title is drawn for that ranking."""
    parts = (VERSION, horizon, watermark.isoformat(), str(title.series_id))
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest())


def _worth(draws: Draws) -> Worth:
    low, median, high = np.quantile(draws, [0.025, 0.5, 0.975])
    return Worth(
        mean_micros=round(float(draws.mean())),
        low_micros=round(float(low)),
        median_micros=round(float(median)),
        high_micros=round(float(high)),
    )


def _is_of_enough(standing: Standing, title: Title, floors: Floors) -> bool:
    """True when what is believed of the title was learned from enough people.

    Nobody has started a title yet: then it is what its prior says, which is of others' starts alone.
    """
    if title.counts.starts:
        return title.counts.converters >= floors.payers
    prior = standing.prior_of(title.counts)
    return prior.starts_seen >= floors.viewers and prior.converters_seen >= floors.payers


def _row(
    standing: Standing,
    title: Title,
    *,
    tells_starts: bool,
    tells_revenue: bool,
    worth: Worth | None,
) -> RankedTitle:
    prior = standing.prior_of(title.counts)
    weight = prior.starts / (prior.starts + title.counts.starts)
    return RankedTitle(
        series_id=title.series_id,
        external_id=title.external_id,
        genre=title.counts.genre,
        locale=title.counts.locale,
        suppressed=not (tells_starts and tells_revenue and worth),
        starts=title.counts.starts if tells_starts else None,
        converters=title.counts.converters if worth else None,
        mean_micros=worth.mean_micros if worth else None,
        median_micros=worth.median_micros if worth else None,
        low_micros=worth.low_micros if worth else None,
        high_micros=worth.high_micros if worth else None,
        prior_weight=round(weight, 6) if tells_starts else None,
        prior_level=prior.level,
        revenue_micros=title.revenue_micros if tells_revenue else None,
    )


def _order(row: RankedTitle) -> tuple[bool, int, str]:
    return row.mean_micros is None, -(row.mean_micros or 0), row.external_id
