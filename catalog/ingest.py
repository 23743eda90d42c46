"""The one way into the catalog: a push of the whole desired state of one series, idempotent.

One transaction under the series' row lock, so that pushes of one series happen one after another.
The digest of the last push applied is kept: the same push again changes nothing, whatever an
operator edited meanwhile; the next different one is applied whole.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction

from catalog import ingest_episodes, ingest_texts, publishing, search, validation
from catalog.faults import Fault, refuse_any
from catalog.models import Episode, MediaAsset, Series, SeriesText
from catalog.pushes import SeriesPush, digest
from config.problems import Problem

_FIELDS = (
    "state",
    "publish_at",
    "published_at",
    "original_locale",
    "genre",
    "tags",
    "release_year",
    "country",
    "studio",
    "provenance_kind",
    "provenance_model",
    "content_label",
    "poster",
    "content_hash",
    "updated_at",
)


class MediaMissing(Problem):
    """Its `sha256s` member lists the files to upload before pushing again."""

    code = "media_missing"
    title = "The push names media that was never uploaded"


class IngestedEpisode(msgspec.Struct, frozen=True):
    """The pipeline's name for an episode, and ours for it and its current version."""

    external_id: str
    episode_id: UUID
    version_id: UUID | None


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """What a push did. `episodes` are those pushed, by number."""

    series: Series
    is_created: bool
    is_unchanged: bool
    episodes: list[IngestedEpisode]


def ingest(*, external_id: str, push: SeriesPush, now: datetime) -> Ingested:
    """Makes the series `external_id` what `push` says.

    Raises SeriesInvalid with every fault, or MediaMissing; then nothing was written.
    """
    refuse_any(validation.faults(push))
    pushed = digest(push)
    with transaction.atomic(durable=True):
        series, is_created = _locked(external_id, push, now)
        is_unchanged = bytes(series.content_hash) == pushed
        if not is_unchanged:
            series.content_hash = pushed
            _apply(series, push, now)
        return Ingested(
            series=series,
            is_created=is_created,
            is_unchanged=is_unchanged,
            episodes=_episodes(series),
        )


def _locked(external_id: str, push: SeriesPush, now: datetime) -> tuple[Series, bool]:
    """The series under its row lock, and whether this call made it.

    Of twins that create it at once, the second waits at the unique constraint for the first to
    commit, and then finds the row.
    """
    rows = Series.objects.select_for_update().filter(external_id=external_id)
    series: Series | None = rows.first()
    if series is not None:
        return series, False
    draft = Series(
        external_id=external_id,
        original_locale=push.original_locale,
        provenance_kind=push.provenance.kind,
        created_at=now,
        updated_at=now,
    )
    Series.objects.bulk_create([draft], ignore_conflicts=True)
    series = rows.get()
    return series, series.id == draft.id


def _apply(series: Series, push: SeriesPush, now: datetime) -> None:
    media = _media(push)
    publishing.move(series, to=push.state, publish_at=push.publish_at, now=now)
    for name in ("original_locale", "genre", "release_year", "country", "studio"):
        setattr(series, name, getattr(push, name))
    series.tags = list(push.tags)
    series.provenance_kind = push.provenance.kind
    series.provenance_model = push.provenance.model
    series.content_label = push.provenance.content_label
    series.poster = media[push.poster_sha256] if push.poster_sha256 else None
    series.save(update_fields=_FIELDS)
    ingest_texts.replace(SeriesText, owner="series", wanted={series.id: push.texts})
    ingest_episodes.replace(series, push.episodes, media=media, now=now)
    search.index(series.id)
    publishing.announce([series], now=now)


def _media(push: SeriesPush) -> Mapping[str, MediaAsset]:
    """The files that the push names, by content hash. Raises MediaMissing or SeriesInvalid."""
    named = push.media_sha256s()
    found = {asset.sha256: asset for asset in MediaAsset.objects.filter(sha256__in=named)}
    if missing := sorted(named - found.keys()):
        raise MediaMissing(sha256s=missing)
    faults = []
    if push.poster_sha256 and found[push.poster_sha256].purpose != MediaAsset.Purpose.POSTER:
        faults.append(Fault("poster_sha256", "This file is not an image."))
    for index, episode in enumerate(push.episodes):
        version = episode.version
        if version and found[version.media_sha256].purpose != MediaAsset.Purpose.VIDEO:
            faults.append(
                Fault(f"episodes[{index}].version.media_sha256", "This file is not a video.")
            )
    refuse_any(faults)
    return found


def _episodes(series: Series) -> list[IngestedEpisode]:
    rows = Episode.objects.filter(series=series, state=Episode.State.PUBLISHED).order_by("number")
    return [
        IngestedEpisode(*row) for row in rows.values_list("external_id", "id", "current_version_id")
    ]
