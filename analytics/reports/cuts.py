"""The cuts that a report looks at: versions of episodes, with the beats that each consists of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import pyarrow as pa
from django.db.models import F, QuerySet

from catalog.models import Beat, EpisodeVersion, Series
from config.problems import NotFound

SCHEMA = pa.schema(
    [
        ("version_id", pa.string()),
        ("episode_id", pa.string()),
        ("position", pa.int32()),
        ("start_ms", pa.int32()),
        ("end_ms", pa.int32()),
        ("is_last", pa.bool_()),
    ]
)


LENGTHS = pa.schema([("version_id", pa.string()), ("duration_ms", pa.int32())])

#: How long a beat is where nobody has said where the story's are.
DEFAULT_BEAT_MS = 30_000


@dataclass(frozen=True)
class Cut:
    """One version of an episode and its beats in order: the story's, or a grid's where there are none."""

    series_id: UUID
    version_id: UUID
    external_id: str
    episode_id: UUID
    number: int
    duration_ms: int
    beats: Sequence[Beat]


def of_version(version_id: UUID, *, series_id: UUID) -> Sequence[Cut]:
    """One version of a series, current or not. Raises NotFound."""
    return _found(EpisodeVersion.objects.filter(id=version_id, episode__series_id=series_id))


def of_series(series_id: UUID) -> Sequence[Cut]:
    """The current version of every published episode, by number. Raises NotFound without any."""
    return _found(
        EpisodeVersion.objects.filter(
            episode__series_id=series_id,
            episode__state="published",
            episode__current_version_id=F("id"),
        )
    )


def of_external_id(external_id: str) -> Sequence[Cut]:
    """Those of the series that the pipeline calls so. Raises NotFound."""
    series = Series.objects.filter(external_id=external_id).first()
    if series is None:
        raise NotFound
    return of_series(series.id)


def gridded(cuts: Sequence[Cut], *, beat_ms: int = DEFAULT_BEAT_MS) -> Sequence[Cut]:
    """The same with beats of one length in the place of the story's."""
    return [replace(cut, beats=grid(cut.duration_ms, beat_ms=beat_ms)) for cut in cuts]


def grid(duration_ms: int, *, beat_ms: int = DEFAULT_BEAT_MS) -> Sequence[Beat]:
    """Beats of one length, the last one shorter if it has to be, that say nothing of the story."""
    return [
        Beat(position=n, start_ms=start, end_ms=min(start + beat_ms, duration_ms), kind="grid")
        for n, start in enumerate(range(0, duration_ms, beat_ms))
    ]


def lengths(cuts: Sequence[Cut]) -> pa.Table:
    """How long each version is, as queries join it, under the name `cuts`."""
    rows = [{"version_id": str(cut.version_id), "duration_ms": cut.duration_ms} for cut in cuts]
    return pa.Table.from_pylist(rows, schema=LENGTHS)


def table(cuts: Sequence[Cut]) -> pa.Table:
    """The beats as queries join them, under the name `beats`."""
    rows = [
        {
            "version_id": str(cut.version_id),
            "episode_id": str(cut.episode_id),
            "position": beat.position,
            "start_ms": beat.start_ms,
            "end_ms": beat.end_ms,
            "is_last": beat is cut.beats[-1],
        }
        for cut in cuts
        for beat in cut.beats
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _found(versions: QuerySet[EpisodeVersion]) -> Sequence[Cut]:
    found = [
        Cut(
            series_id=version.episode.series_id,
            version_id=version.id,
            external_id=version.external_id,
            episode_id=version.episode_id,
            number=version.episode.number,
            duration_ms=version.duration_ms,
            beats=list(version.beats.all()) or grid(version.duration_ms),
        )
        for version in versions.select_related("episode")
        .prefetch_related("beats")
        .order_by("episode__number", "episode_id")
    ]
    if not found:
        raise NotFound
    return found
