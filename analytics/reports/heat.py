"""The watch heat map: which seconds of a version are watched, by how many, and how often again."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from analytics.reports import cuts, definitions
from analytics.reports.cuts import Cut
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a version. `heat` is 1 where every viewer played all of it once."""

    start_ms: int
    end_ms: int
    viewers: int
    played_ms: int
    replayed_ms: int
    replayers: int
    share: float | None
    heat: float | None


class VersionHeat(msgspec.Struct, frozen=True, kw_only=True):
    """A version, how many viewers played any of it, and its stretches in order."""

    version_id: UUID
    version_external_id: str
    episode_number: int
    viewers: int
    stretches: Sequence[Stretch]


class HeatReport(Report, frozen=True, kw_only=True):
    """Versions by episode."""

    series_id: UUID
    stretch_ms: int
    versions: Sequence[VersionHeat]


_NOBODY = (0, 0, 0, 0)


def maps(*, source: Source, of: Sequence[Cut], stretch_ms: int) -> HeatReport:
    """The stretches of one or more versions of one series."""
    series_id = of[0].series_id
    source.register("cuts", cuts.lengths(of))
    rows = source.rows(
        "heat_map",
        series_id=str(series_id),
        watermark=source.watermark,
        stretch_ms=stretch_ms,
    )
    counted: dict[tuple[str, int | None], tuple[int, ...]] = {
        (version, stretch): tuple(counts) for version, stretch, *counts in rows
    }
    return HeatReport(
        **heading(
            source=source,
            definition=[definitions.HEAT],
            filters={"series_id": str(series_id)},
            population=["environment production"],
        ),
        series_id=series_id,
        stretch_ms=stretch_ms,
        versions=[_version(cut, stretch_ms, counted) for cut in of],
    )


def _version(
    cut: Cut, stretch_ms: int, counted: Mapping[tuple[str, int | None], tuple[int, ...]]
) -> VersionHeat:
    version = str(cut.version_id)
    viewers = counted.get((version, None), _NOBODY)[0]
    starts = range(0, cut.duration_ms, stretch_ms)
    return VersionHeat(
        version_id=cut.version_id,
        version_external_id=cut.external_id,
        episode_number=cut.number,
        viewers=viewers,
        stretches=[
            _stretch(
                start,
                min(start + stretch_ms, cut.duration_ms),
                viewers,
                *counted.get((version, number), _NOBODY),
            )
            for number, start in enumerate(starts)
        ],
    )


def _stretch(
    start_ms: int,
    end_ms: int,
    everybody: int,
    viewers: int,
    played: int,
    again: int,
    replayers: int,
) -> Stretch:
    return Stretch(
        start_ms=start_ms,
        end_ms=end_ms,
        viewers=viewers,
        played_ms=played,
        replayed_ms=again,
        replayers=replayers,
        share=share(viewers, everybody),
        heat=share(played, everybody * (end_ms - start_ms)),
    )
