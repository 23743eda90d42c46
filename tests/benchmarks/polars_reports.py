"""The lake's reports written by hand with Polars over the same files: the peer that they run beside.

Each function answers the very figures of ours, which the benchmark compares before it believes a time.
Like ours they read only what was received before the watermark, and days of the reporting zone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

EPOCH = date(1970, 1, 1)
WEEK_LEAD_DAYS = 3


@dataclass(frozen=True)
class Lake:
    """The lake's files, how far and in which zone they are read, and the facts of money as tables."""

    paths: Sequence[Path]
    watermark: datetime
    zone: str
    facts: Callable[[str], pa.Table]

    def events(self) -> pl.LazyFrame:
        """What counts: production, before the watermark by both clocks."""
        return pl.scan_parquet([str(path) for path in self.paths]).filter(
            pl.col("environment") == "production",
            pl.col("occurred_at") < self.watermark,
            pl.col("received_at") < self.watermark,
        )

    def fact(self, name: str) -> pl.LazyFrame:
        """A table of facts."""
        frame = pl.from_arrow(self.facts(name))
        assert isinstance(frame, pl.DataFrame)
        return frame.lazy()

    def day_of(self, column: str) -> pl.Expr:
        """The number of the local day of a moment."""
        local = pl.col(column).dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
        return (local.dt.date() - EPOCH).dt.total_days()

    def members(self) -> pl.LazyFrame:
        """Each viewer with their first open, its local day and its week."""
        first = (
            self.events()
            .filter(pl.col("type") == "app_open")
            .group_by("viewer_id")
            .agg(pl.col("occurred_at").min().alias("opened_at"))
        )
        day = self.day_of("opened_at").alias("opened_day")
        return first.with_columns(day).with_columns(
            ((pl.col("opened_day") + WEEK_LEAD_DAYS) // 7).alias("cohort")
        )

    def starts(self) -> pl.LazyFrame:
        """Each viewer's first session of a series with a second played."""
        sessions = (
            self.events()
            .filter(pl.col("type").is_in(["playback_start", "playback_progress"]))
            .with_columns(_began_at())
            .group_by("viewer_id", "series_id", "playback_session_id")
            .agg(pl.col("began_at").min(), pl.col("actual_ms").sum())
        )
        played = sessions.filter(pl.col("actual_ms") >= 1000)
        return played.group_by("viewer_id", "series_id").agg(
            pl.col("began_at").min().alias("started_at")
        )


def retention(lake: Lake, *, horizon: int) -> Mapping[tuple[int, int], int]:
    """How many of each weekly cohort were active in each week after."""
    active = (pl.col("type") == "app_open") | (
        (pl.col("type") == "playback_progress") & (pl.col("actual_ms") >= 1000)
    )
    week = (lake.day_of("occurred_at") + WEEK_LEAD_DAYS) // 7
    counted = (
        lake.events()
        .filter(active)
        .select("viewer_id", "occurred_at", week.alias("week"))
        .join(lake.members(), on="viewer_id")
        .filter(pl.col("occurred_at") >= pl.col("opened_at"))
        .select("viewer_id", "cohort", (pl.col("week") - pl.col("cohort")).alias("distance"))
        .filter(pl.col("distance") <= horizon)
        .unique()
        .group_by("cohort", "distance")
        .len()
        .collect(engine="streaming")
    )
    return {(cohort, distance): count for cohort, distance, count in counted.rows()}


def ltv(lake: Lake, *, horizons: Sequence[int]) -> Mapping[tuple[int, int], tuple[int, int]]:
    """Net of each weekly cohort up to each horizon in days, and its payers."""
    dated = (
        lake.fact("billings")
        .filter(pl.col("created_at") < lake.watermark)
        .join(lake.members(), on="viewer_id")
        .with_columns(
            (lake.day_of("created_at") - pl.col("opened_day")).clip(lower_bound=0).alias("distance")
        )
    )
    earned = (
        dated.join(pl.LazyFrame({"horizon": list(horizons)}), how="cross")
        .filter(pl.col("distance") <= pl.col("horizon"))
        .group_by("cohort", "horizon", "viewer_id")
        .agg(pl.col("net_micros").sum(), pl.col("paid_micros").sum())
        .group_by("cohort", "horizon")
        .agg(pl.col("net_micros").sum(), (pl.col("paid_micros") > 0).sum().alias("payers"))
        .collect(engine="streaming")
    )
    return {(cohort, horizon): (net, payers) for cohort, horizon, net, payers in earned.rows()}


def funnel(lake: Lake, *, within: Sequence[timedelta]) -> Sequence[int]:
    """How many viewers open the app, start a title, meet a paywall and unlock, each in its window."""
    mature_until = lake.watermark - sum(within, timedelta())
    opened = lake.events().filter(pl.col("type") == "app_open").select("viewer_id", "occurred_at")
    reached = (
        opened.group_by("viewer_id")
        .agg(pl.col("occurred_at").min().alias("reached_at"))
        .filter(pl.col("reached_at") <= mature_until)
    )
    shown = lake.events().filter(pl.col("type") == "paywall_shown")
    steps = [
        lake.starts().select("viewer_id", pl.col("started_at").alias("happened_at")),
        shown.select("viewer_id", pl.col("occurred_at").alias("happened_at")),
        lake.fact("unlocks")
        .filter(pl.col("unlocks") == 1, pl.col("created_at") < lake.watermark)
        .select("viewer_id", pl.col("created_at").alias("happened_at")),
    ]
    counts = [reached.select(pl.len())]
    for step, window in zip(steps, within, strict=True):
        reached = (
            reached.join(step, on="viewer_id")
            .filter(
                pl.col("happened_at") >= pl.col("reached_at"),
                pl.col("happened_at") < pl.col("reached_at") + window,
            )
            .group_by("viewer_id")
            .agg(pl.col("happened_at").min().alias("reached_at"))
        )
        counts.append(reached.select(pl.len()))
    return [frame.item() for frame in pl.collect_all(counts, engine="streaming")]


def charts(lake: Lake, *, first_day: int, last_day: int) -> Mapping[str, tuple[int, int, int, int]]:
    """What each title had on a range of local days: starts, viewers, time watched and revenue."""
    started = (
        lake.starts()
        .filter(lake.day_of("started_at").is_between(first_day, last_day))
        .group_by("series_id")
        .agg(pl.len().alias("starts"))
    )
    long_enough = pl.col("viewer_id").filter(pl.col("actual_ms") >= 1000)
    watched = (
        lake.events()
        .filter(
            pl.col("type") == "playback_progress",
            lake.day_of("occurred_at").is_between(first_day, last_day),
        )
        .group_by("series_id")
        .agg(long_enough.n_unique().alias("viewers"), pl.col("actual_ms").sum().alias("watched_ms"))
    )
    earned = (
        lake.fact("unlocks")
        .filter(lake.day_of("created_at").is_between(first_day, last_day))
        .group_by("series_id")
        .agg(pl.col("value_micros").sum())
    )
    found = (
        lake.fact("titles")
        .select("series_id")
        .join(started, on="series_id", how="left")
        .join(watched, on="series_id", how="left")
        .join(earned, on="series_id", how="left")
        .fill_null(0)
        .collect(engine="streaming")
    )
    return {name: (starts, seen, ms, micros) for name, starts, seen, ms, micros in found.rows()}


def beats(lake: Lake, *, grid: pa.Table, series_id: str) -> Mapping[tuple[str, int], Sequence[int]]:
    """How many viewers each beat of a series had at risk in their first pass, and how they left it."""
    return _Beats(lake, grid, series_id).outcomes()


class _Beats:
    """The steps of the beat curve, each as a frame (metrics.md, 2.1)."""

    def __init__(self, lake: Lake, grid: pa.Table, series_id: str) -> None:
        self.watermark = lake.watermark
        frame = pl.from_arrow(grid)
        assert isinstance(frame, pl.DataFrame)
        self.beats = frame.lazy().with_columns(pl.col("position").cast(pl.Int64))
        told = ["playback_start", "playback_seek", "playback_end", "playback_progress"]
        self.playing = (
            lake.events()
            .filter(pl.col("series_id") == series_id, pl.col("type").is_in(told))
            .filter((pl.col("type") != "playback_progress") | (pl.col("to_ms") > pl.col("from_ms")))
            .select(
                "viewer_id",
                "type",
                "episode_id",
                "version_id",
                "from_ms",
                "to_ms",
                "reason",
                "occurred_at",
                _began_at(),
            )
            .collect(engine="streaming")
            .lazy()
        )
        self.extent = self.beats.group_by("version_id").agg(
            pl.col("episode_id").max(), pl.col("end_ms").max()
        )
        self.progress = pl.col("type") == "playback_progress"

    def outcomes(self) -> Mapping[tuple[str, int], Sequence[int]]:
        first_pass = self._first_pass().collect(engine="streaming").lazy()
        touched = self._touched(first_pass).collect(engine="streaming").lazy()
        stop = (
            first_pass.filter(self.progress)
            .group_by("viewer_id", "version_id")
            .agg(
                pl.col("occurred_at").max().alias("last_at"),
                pl.col("finished_at").is_not_null().any().alias("is_finished"),
            )
            .collect(engine="streaming")
            .lazy()
        )
        reach = (
            touched.sort("first_at", "position")
            .group_by("viewer_id", "version_id")
            .agg(
                pl.col("position").first().alias("entry"),
                pl.col("position").max().alias("furthest"),
            )
        )
        whose, which = ["viewer_id", "version_id"], ["viewer_id", "version_id", "position"]
        left = (
            touched.join(reach, on=whose)
            .join(stop, on=whose)
            .join(self._after(stop), on=whose, how="left")
            .join(self._seeks(first_pass), on=which, how="left")
            .filter(pl.col("played_ms") >= 500, pl.col("position") >= pl.col("entry"))
            .with_columns(
                pl.col("is_skip").fill_null(value=False), pl.col("replays").fill_null(value=0)
            )
            .with_columns(self._outcome())
        )
        counted = left.group_by("version_id", "position").agg(
            pl.len(),
            *((pl.col("outcome") == door).sum().alias(door) for door in _DOORS),
            pl.col("is_skip").sum().alias("seeks_forward"),
            pl.col("replays").sum(),
        )
        rows = counted.collect(engine="streaming").rows()
        return {(version, position): counts for version, position, *counts in rows}

    def _first_pass(self) -> pl.LazyFrame:
        opening = (
            self.playing.join(self.extent, on="version_id", how="semi")
            .filter(self.progress)
            .group_by("viewer_id", "version_id")
            .agg(pl.col("began_at").min().alias("opening_at"))
        )
        ours = self.playing.join(opening, on=["viewer_id", "version_id"]).filter(
            pl.col("occurred_at") >= pl.col("opening_at"),
            pl.col("occurred_at") < pl.col("opening_at") + timedelta(hours=24),
        )
        is_end = ((pl.col("type") == "playback_end") & (pl.col("reason") == "completed")) | (
            self.progress & (pl.col("to_ms") >= pl.col("end_ms"))
        )
        ending = (
            ours.join(self.extent.select("version_id", "end_ms"), on="version_id")
            .filter(is_end)
            .group_by("viewer_id", "version_id")
            .agg(pl.col("occurred_at").min().alias("finished_at"))
        )
        return ours.join(ending, on=["viewer_id", "version_id"], how="left").filter(
            pl.col("finished_at").is_null() | (pl.col("occurred_at") <= pl.col("finished_at"))
        )

    def _touched(self, first_pass: pl.LazyFrame) -> pl.LazyFrame:
        beats = self.beats.select("version_id", "position", "start_ms", "end_ms")
        played = pl.min_horizontal("to_ms", "end_ms") - pl.max_horizontal("from_ms", "start_ms")
        return (
            first_pass.filter(self.progress)
            .join(beats, on="version_id")
            .filter(
                pl.col("from_ms") < pl.col("end_ms"),
                pl.col("to_ms") > pl.col("start_ms"),
            )
            .group_by("viewer_id", "version_id", "position")
            .agg(
                pl.col("occurred_at").min().alias("first_at"),
                played.sum().alias("played_ms"),
            )
        )

    def _after(self, stop: pl.LazyFrame) -> pl.LazyFrame:
        last, at = pl.col("last_at"), pl.col("occurred_at")
        is_other = pl.col("episode_id") != pl.col("own_episode_id")
        is_end = (pl.col("type") == "playback_end") & (
            pl.col("played_version_id") == pl.col("version_id")
        )
        begins = pl.col("type").is_in(["playback_start", "playback_progress"])
        goes_next = (
            pl.when(is_other)
            .then(begins & (at >= last))
            .otherwise(is_end & (pl.col("reason") == "next") & (at >= last))
        )
        is_error = is_end & (pl.col("reason") == "error") & (at <= last + timedelta(seconds=5))
        plays_on = ~is_other & self.progress & (at > last)
        own = self.extent.select("version_id", pl.col("episode_id").alias("own_episode_id"))
        return (
            stop.join(own, on="version_id")
            .join(self.playing.rename({"version_id": "played_version_id"}), on="viewer_id")
            .filter(
                at >= last - timedelta(seconds=5),
                pl.col("began_at") < last + timedelta(minutes=30),
            )
            .group_by("viewer_id", "version_id")
            .agg(
                goes_next.any().alias("goes_next"),
                is_error.any().alias("is_error"),
                plays_on.any().alias("plays_on"),
            )
        )

    def _seeks(self, first_pass: pl.LazyFrame) -> pl.LazyFrame:
        beats = self.beats.select("version_id", "position", "start_ms", "end_ms")
        start, end = pl.col("start_ms"), pl.col("end_ms")
        is_skip = (
            (pl.col("to_ms") >= end) & (pl.col("from_ms") >= start) & (pl.col("from_ms") < end)
        )
        is_replay = (
            (pl.col("to_ms") < pl.col("from_ms"))
            & (pl.col("to_ms") >= start)
            & (pl.col("to_ms") < end)
        )
        return (
            first_pass.filter(pl.col("type") == "playback_seek")
            .join(beats, on="version_id")
            .group_by("viewer_id", "version_id", "position")
            .agg(is_skip.any().alias("is_skip"), is_replay.sum().alias("replays"))
        )

    def _outcome(self) -> pl.Expr:
        is_young = pl.col("last_at") + timedelta(minutes=30) > self.watermark
        is_passed = (pl.col("position") < pl.col("furthest")) | pl.col("is_finished")
        named = (
            pl.when(is_passed)
            .then(pl.lit("passed"))
            .when(pl.col("is_skip"))
            .then(pl.lit("skipped"))
            .when(pl.col("goes_next"))
            .then(pl.lit("next"))
            .when(pl.col("is_error") | pl.col("plays_on") | is_young)
            .then(pl.lit("censored"))
            .otherwise(pl.lit("exit"))
        )
        return named.alias("outcome")


_DOORS = ("passed", "skipped", "next", "exit", "censored")


def _began_at() -> pl.Expr:
    played = pl.duration(milliseconds=pl.col("actual_ms").fill_null(0))
    return (pl.col("occurred_at") - played).alias("began_at")
