"""A lake and a ledger of everything that reports know, by a seed, and every report asked of them."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from analytics.lake.schema import EVENT_SCHEMA
from analytics.ranking import ranking
from analytics.ranking.ranking import Horizon
from analytics.reports import beats, cuts, fact_tables, heat, library, queries
from analytics.reports.cuts import Cut
from analytics.reports.report import Report
from analytics.reports.sources import Source
from tests.analytics.lakes import DAY, HOUR, Row, utc

FIRST = utc("2026-01-20 00:00")
LAST = utc("2026-04-20 00:00")
VIEWERS, SERIES, EPISODES, EVENTS = 60, 4, 6, 3_000
STEPS = "app_open,start,paywall_shown,unlock,purchase"

#: Reports with what is asked of each, of which `series_id` is filled in.
ASKED: Sequence[tuple[str, Mapping[str, Any]]] = [
    ("retention", {"by": "day", "horizon": 40}),
    ("retention", {"by": "week", "mode": "elapsed", "split": "country"}),
    ("retention", {"mode": "on_or_after", "split": "first_series", "platform": "ios"}),
    ("retention", {"by": "week", "experiment": "price", "split": "arm"}),
    ("ltv", {"by": "week", "split": "channel"}),
    ("ltv", {"by": "day"}),
    ("arpu", {"by": "month"}),
    ("arpu", {"by": "day", "since": "2026-02-01", "until": "2026-03-10"}),
    ("repurchase", {"by": "month"}),
    ("repurchase", {"by": "week", "horizon": 6}),
    ("rhythm", {}),
    ("rhythm", {"since": "2026-02-15", "until": "2026-04-01"}),
    ("steps", {"steps": STEPS, "within_hours": "48"}),
    ("steps", {"steps": "feed_impression,start,ad_shown,unlock_by_ad", "unit": "title"}),
    ("funnel", {}),
    ("funnel", {"series_id": True}),
    ("encounters", {}),
    ("survival", {"series_id": True}),
    ("revenue", {}),
    ("revenue", {"by": "locale", "since": "2026-03-01", "until": "2026-04-01"}),
    ("money", {"since": "2026-02-01", "until": "2026-04-10"}),
    ("ads", {}),
    ("charts", {"by": "revenue", "since": "2026-02-01", "until": "2026-04-01"}),
    ("charts", {"by": "watched", "since": "2026-03-01", "until": "2026-03-20"}),
    ("quality", {}),
    ("quality", {"split": "app_version"}),
]


class Seeded:
    """Events and facts of one seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311  no secret
        self._numbers = itertools.count(1)
        self.viewers = [self._id() for _ in range(VIEWERS)]
        self.cuts = [cut for _ in range(SERIES) for cut in self._series(self._id())]
        self.series = sorted({str(cut.series_id) for cut in self.cuts})
        self.watermark = LAST - HOUR
        self.events = [self._event() for _ in range(EVENTS)]
        self.facts = {name: self._facts(name) for name in fact_tables.SCHEMAS}

    def read_facts(self, name: str, *, series_id: UUID | None = None) -> Sequence[pa.Table]:
        """As `analytics.reports.facts.read`, in two pieces."""
        rows = [
            row
            for row in self.facts[name]
            if series_id is None or row["series_id"] == str(series_id)
        ]
        return [
            table(rows[: len(rows) // 2], fact_tables.SCHEMAS[name]),
            table(rows[len(rows) // 2 :], fact_tables.SCHEMAS[name]),
        ]

    def reports(self) -> Mapping[str, Callable[[Source], Any]]:
        """Every report by a name of its own, and both rankings."""
        asked: dict[str, Callable[[Source], Any]] = {
            f"{number} {name}": self._report(name, given)
            for number, (name, given) in enumerate(ASKED)
        }
        mine = [cut for cut in self.cuts if str(cut.series_id) == self.series[0]]
        return asked | {
            "beats": lambda source: beats.curves(source=source, of=mine, currency="USD"),
            "heat": lambda source: heat.maps(source=source, of=mine, stretch_ms=2000),
            "ranking": self._ranking,
        }

    def _report(self, name: str, given: Mapping[str, Any]) -> Callable[[Source], Report]:
        entry = library.REPORTS[name]
        filled = {
            member: self.series[0] if value is True else value for member, value in given.items()
        }
        query = queries_of(entry.query, filled)
        return lambda source: entry.make(source, query)

    def _ranking(self, source: Source) -> Any:
        ranking.prepare(source=source)
        prices = dict.fromkeys(self.series, 500)
        return [
            ranking.stand(source=source, horizon=horizon, list_prices=prices).titles
            for horizon in Horizon
        ]

    def _id(self) -> str:
        return str(UUID(int=self._draw.getrandbits(128), version=4))

    def _at(self) -> datetime:
        # Many at the ends of days and at the same moments, where engines could part.
        at = FIRST + timedelta(
            microseconds=self._draw.randrange((LAST - FIRST) // timedelta(microseconds=1))
        )
        return at.replace(minute=0, second=0, microsecond=0) if self._draw.random() < 0.3 else at

    def _series(self, series_id: str) -> Sequence[Cut]:
        return [
            Cut(
                series_id=UUID(series_id),
                version_id=UUID(self._id()),
                external_id=f"v{number}",
                episode_id=UUID(self._id()),
                number=number,
                duration_ms=60_000,
                beats=cuts.grid(60_000, beat_ms=15_000),
            )
            for number in range(1, EPISODES + 1)
        ]

    def _event(self) -> Row:
        draw, at = self._draw, self._at()
        cut, viewer = draw.choice(self.cuts), draw.choice(self.viewers)
        from_ms = draw.randrange(0, 50_000)
        late = timedelta(seconds=draw.choice([0, 1, 90_000]))
        row = dict.fromkeys(EVENT_SCHEMA.names) | {
            "event_id": self._id(),
            "type": draw.choice(_TYPES),
            "viewer_id": viewer,
            "environment": draw.choices(["production", "sandbox"], [20, 1])[0],
            "occurred_at": at,
            "created_at": at,
            "sent_at": at + late,
            "received_at": at + late,
            "platform": draw.choice(["ios", "android"]),
            "app_version": draw.choice(["1.0", "1.1", ""]),
            "locale": "en",
            "country": draw.choice(["US", "DE", ""]),
            "channel": draw.choice(["organic", "ads"]),
            "batch_id": self._id(),
            "series_id": str(cut.series_id),
            "episode_id": str(cut.episode_id),
            "version_id": str(cut.version_id),
            "playback_session_id": f"{viewer}/{cut.version_id}/{at:%j}",
            "ad_session_id": self._id() if draw.random() < 0.5 else self.viewers[0],
            "placement": draw.choice(["unlock", "tasks"]),
            "position_ms": from_ms,
            "from_ms": from_ms,
            "to_ms": from_ms + draw.randrange(0, 10_000),
            "actual_ms": draw.randrange(0, 10_000),
            "visible_ms": draw.randrange(0, 3000),
            "first_frame_ms": draw.choice([None, 200, 900]),
        }
        row["reason"] = draw.choice(_REASONS.get(row["type"], [None]))
        return row

    def _facts(self, name: str) -> Sequence[Row]:
        if name == "titles":
            return [
                {
                    "series_id": series,
                    "external_id": f"title-{number}",
                    "genre": ["adventure", "romance"][number % 2],
                    "locale": ["en", "zh"][number % 2],
                    "provenance": ["human", "ai"][number % 2],
                    "is_published": number < 3,
                }
                for number, series in enumerate(self.series)
            ]
        if name == "episodes":
            return [
                {
                    "series_id": str(cut.series_id),
                    "episode_id": str(cut.episode_id),
                    "number": cut.number,
                    "is_published": cut.number < EPISODES,
                }
                for cut in self.cuts
            ]
        return [self._fact(fact_tables.SCHEMAS[name]) for _ in range(300)]

    def _fact(self, schema: pa.Schema) -> Row:
        """A row of money: amounts of either sign, moments in their order, ids of what there is."""
        draw, cut, at = self._draw, self._draw.choice(self.cuts), self._at()
        known = {
            "viewer_id": draw.choice(self.viewers),
            "series_id": str(cut.series_id),
            "episode_id": str(cut.episode_id),
            "purchase_id": draw.choice(self.viewers),
            "playback_session_id": draw.choice([None, self.events[0]["playback_session_id"]]),
            "means": draw.choice(["coins", "ad"]),
            "way": draw.choice(["single", "bundle", "auto", None]),
            "source": draw.choice(["coins", "passes", "imported"]),
            "unlocks": draw.choice([1, 1, 0, -1]),
            "experiment": "price",
            "arm": draw.choice(["a", "b", "holdout"]),
            "network": draw.choice(["one", "two"]),
            "placement": draw.choice(["unlock", "tasks"]),
            "position_ms": draw.choice([None, 1000, 59_000]),
            "unlocked_at": at,
            "sold_at": at,
            "opened_at": at,
            "starts_at": at,
            "created_at": at + draw.choice([timedelta(0), HOUR]),
            "exposed_at": at,
            "ends_at": at + 7 * DAY,
            "rewarded_at": draw.choice([None, at + HOUR]),
            "settled_at": at + HOUR,
            "viewed_at": at,
            "booked_at": at + HOUR,
            "decided_at": at,
            "day": (at.date() - date(1970, 1, 1)).days,
            "cell": draw.choice(["one", "two", "three"]),
            # What is told of a cell anew has a number of its own.
            "number": next(self._numbers),
            "impressions": draw.choice([0, 1]),
            "rule_place": draw.choice([None, 1, 2]),
            "ad_propensity": draw.choice([0, 250_000_000, 500_000_000, 1_000_000_000]),
            "kind": draw.choice(["install", "block"]),
            "origin": draw.choice(["here", "there"]),
        }
        return {field.name: known.get(field.name, self._plain(field)) for field in schema}

    def _plain(self, field: pa.Field) -> Any:
        if pa.types.is_integer(field.type):
            return self._draw.randrange(-500_000, 9_000_000)
        return self._draw.choice([True, False]) if pa.types.is_boolean(field.type) else self._id()


_TYPES = [
    *("app_open", "feed_impression", "playback_start", *["playback_progress"] * 6, "playback_seek"),
    *("playback_end", "playback_stall", "playback_failed", "paywall_shown", "offer_shown"),
    *("ad_requested", "ad_shown"),
]
_REASONS: Mapping[str, Sequence[str | None]] = {
    "playback_end": ["completed", "next", "exit", "error"],
    "playback_failed": ["network", "abandoned"],
    "ad_requested": ["filled", "no_fill"],
}


def queries_of(shape: type[Any], given: Mapping[str, Any]) -> Any:
    """A question as the command reads it."""
    return msgspec.convert(dict(given), shape, strict=False)


def table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows with the moments as the lake keeps them."""
    plain = [
        {
            name: queries.naive(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=schema)
