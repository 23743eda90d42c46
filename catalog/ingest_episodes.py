"""Episodes, versions and beats as a push wants them. Everything joins the caller's transaction.

Ids are made here and foreign keys are checked at commit, so that an episode can name its version
in the same insert that makes it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db.models import F

from catalog import ingest_texts
from catalog.faults import Fault, refuse_any
from catalog.models import Beat, Episode, EpisodeText, EpisodeVersion, MediaAsset, Series
from catalog.pushes import EpisodePush, VersionPush, digest

ROWS_AT_ONCE = 1000
BEATS_AT_ONCE = 5000


class _State(NamedTuple):
    """What a push may change of an episode."""

    number: int
    state: str
    current_version_id: UUID | None


#: An episode of the push beside its row, which may not be saved yet.
Pairs = Sequence[tuple[EpisodePush, Episode]]


def replace(
    series: Series,
    pushes: Sequence[EpisodePush],
    *,
    media: Mapping[str, MediaAsset],
    now: datetime,
) -> None:
    """Makes the published episodes of the series exactly those pushed; others are withdrawn.

    Raises SeriesInvalid when a version already ingested is pushed with other content.
    """
    existing = {row.external_id: row for row in Episode.objects.filter(series=series)}
    before = {row.id: _state_of(row) for row in existing.values()}
    for row in existing.values():
        row.state = Episode.State.WITHDRAWN
    pairs = [(push, _placed(series, push, existing, now)) for push in pushes]
    versions = _point_at_versions(series, pairs, media=media, now=now)
    _save(existing.values(), [row for _, row in pairs], before, now)
    if any(row.number != before[row.id].number for row in existing.values()):
        Series.objects.filter(id=series.id).update(numbering=F("numbering") + 1)
    EpisodeVersion.objects.bulk_create(
        [version for version, _ in versions], batch_size=ROWS_AT_ONCE
    )
    _create_beats(versions)
    ingest_texts.replace(
        EpisodeText, owner="episode", wanted={row.id: push.texts for push, row in pairs}
    )


def _placed(
    series: Series, push: EpisodePush, existing: Mapping[str, Episode], now: datetime
) -> Episode:
    row = existing.get(push.external_id)
    if row is None:
        row = Episode(series=series, external_id=push.external_id, created_at=now, updated_at=now)
    row.number = push.number
    row.state = Episode.State.PUBLISHED
    return row


def _point_at_versions(
    series: Series, pairs: Pairs, *, media: Mapping[str, MediaAsset], now: datetime
) -> list[tuple[EpisodeVersion, VersionPush]]:
    """Sets each row's current version, and returns the versions that are to be made."""
    known = _known_versions(series, pairs)
    made: list[tuple[EpisodeVersion, VersionPush]] = []
    faults: list[Fault] = []
    for index, (push, row) in enumerate(pairs):
        if push.version is None:
            row.current_version_id = None
            continue
        version_id, content_hash = known.get((row.id, push.version.external_id), (None, b""))
        if version_id is None:
            version = _version(row, push.version, media[push.version.media_sha256], now)
            made.append((version, push.version))
            version_id = version.id
        elif content_hash != digest(push.version):
            faults.append(
                Fault(
                    f"episodes[{index}].version",
                    f"The version {push.version.external_id} was ingested with other content;"
                    " push the new cut under a new external id.",
                )
            )
        row.current_version_id = version_id
    refuse_any(faults)
    return made


def _known_versions(series: Series, pairs: Pairs) -> dict[tuple[UUID, str], tuple[UUID, bytes]]:
    names = {push.version.external_id for push, _ in pairs if push.version}
    rows = EpisodeVersion.objects.filter(episode__series=series, external_id__in=names)
    return {
        (episode_id, external_id): (version_id, bytes(content_hash))
        for version_id, episode_id, external_id, content_hash in rows.values_list(
            "id", "episode_id", "external_id", "content_hash"
        )
    }


def _version(
    episode: Episode, push: VersionPush, media: MediaAsset, now: datetime
) -> EpisodeVersion:
    return EpisodeVersion(
        episode_id=episode.id,
        external_id=push.external_id,
        locale=push.locale,
        provenance_kind=push.provenance.kind,
        provenance_model=push.provenance.model,
        content_label=push.provenance.content_label,
        media=media,
        duration_ms=push.duration_ms,
        width=push.width,
        height=push.height,
        content_hash=digest(push),
        created_at=now,
    )


def _save(
    existing: Iterable[Episode],
    placed: Iterable[Episode],
    before: Mapping[UUID, _State],
    now: datetime,
) -> None:
    """Writes new rows and changed ones alike, in one upsert by id."""
    changed = [row for row in existing if _state_of(row) != before[row.id]]
    for row in changed:
        row.updated_at = now
    Episode.objects.bulk_create(
        [*changed, *(row for row in placed if row.id not in before)],
        batch_size=ROWS_AT_ONCE,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["number", "state", "current_version", "updated_at"],
    )


def _state_of(row: Episode) -> _State:
    return _State(row.number, row.state, row.current_version_id)


def _create_beats(versions: Iterable[tuple[EpisodeVersion, VersionPush]]) -> None:
    """A push may carry hundreds of thousands of beats, so few of them are in memory at a time."""
    beats = _beats(versions)
    while rows := list(islice(beats, BEATS_AT_ONCE)):
        Beat.objects.bulk_create(rows)


def _beats(versions: Iterable[tuple[EpisodeVersion, VersionPush]]) -> Iterator[Beat]:
    for version, push in versions:
        for position, beat in enumerate(push.whole_beats()):
            yield Beat(
                version_id=version.id,
                position=position,
                start_ms=beat.start_ms,
                end_ms=beat.end_ms,
                kind=beat.kind,
                emotion=beat.emotion,
                hook=beat.hook,
                prompt_ref=beat.prompt_ref,
            )
