"""Series and their media: rows for tests about something else, and the pushes that make them."""

import hashlib
import io
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import factory
from factory.django import DjangoModelFactory

from catalog import media, search
from catalog.models import (
    Beat,
    Episode,
    EpisodeText,
    EpisodeVersion,
    MediaAsset,
    ProvenanceKind,
    Series,
    SeriesText,
)

PAST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MP4_HEAD = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


class MediaAssetFactory(DjangoModelFactory[MediaAsset]):
    """The row alone; `stored_video` and `stored_poster` also put a file behind it."""

    class Meta:
        model = MediaAsset

    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    storage_key = factory.Sequence(lambda n: f"videos/{n:032d}.mp4")
    content_type = "video/mp4"
    size_bytes = 1000
    purpose = MediaAsset.Purpose.VIDEO
    created_at = PAST


class SeriesFactory(DjangoModelFactory[Series]):
    """A published series with a text in English."""

    class Meta:
        model = Series
        skip_postgeneration_save = True

    external_id = factory.Sequence(lambda n: f"series-{n}")
    state = Series.State.PUBLISHED
    published_at = PAST
    original_locale = "en"
    genre = "adventure"
    provenance_kind = ProvenanceKind.HUMAN
    created_at = PAST
    updated_at = PAST

    @factory.post_generation  # type: ignore[untyped-decorator]
    def title(self, create: bool, extracted: str | None, **_: Any) -> None:
        SeriesTextFactory(series=self, title=extracted or f"Title of {self}")
        search.index(self.id)


class SeriesTextFactory(DjangoModelFactory[SeriesText]):
    class Meta:
        model = SeriesText

    locale = "en"
    title = "The Hazards of Helen"
    synopsis = "A telegraph operator and her trains."


class EpisodeFactory(DjangoModelFactory[Episode]):
    """An episode that can be played, next in its series."""

    class Meta:
        model = Episode
        skip_postgeneration_save = True

    series = factory.SubFactory(SeriesFactory)
    external_id = factory.LazyAttribute(lambda episode: f"episode-{episode.number}")
    number = factory.LazyAttribute(lambda episode: episode.series.episodes.count() + 1)
    created_at = PAST
    updated_at = PAST

    @factory.post_generation  # type: ignore[untyped-decorator]
    def version(self, create: bool, extracted: None, **fields: Any) -> None:
        """`version__media=...` and the like reach the current version."""
        self.current_version = EpisodeVersionFactory(episode=self, **fields)
        self.save(update_fields=["current_version"])


def episodes_of(series: Series, numbers: Iterable[int]) -> Sequence[Episode]:
    """Episodes that can be played, as EpisodeFactory makes them, in a handful of statements."""
    rows = Episode.objects.bulk_create(
        Episode(
            series=series,
            external_id=f"episode-{number}",
            number=number,
            created_at=PAST,
            updated_at=PAST,
        )
        for number in numbers
    )
    assets = MediaAsset.objects.bulk_create(MediaAssetFactory.build_batch(len(rows)))
    versions = EpisodeVersion.objects.bulk_create(
        EpisodeVersionFactory.build(episode=row, media=asset)
        for row, asset in zip(rows, assets, strict=True)
    )
    for row, version in zip(rows, versions, strict=True):
        row.current_version = version
    Episode.objects.bulk_update(rows, ["current_version"])
    return rows


class EpisodeTextFactory(DjangoModelFactory[EpisodeText]):
    class Meta:
        model = EpisodeText

    episode = factory.SubFactory(EpisodeFactory)
    locale = "en"
    title = "Leap from the water tower"


class EpisodeVersionFactory(DjangoModelFactory[EpisodeVersion]):
    class Meta:
        model = EpisodeVersion

    episode = factory.SubFactory(EpisodeFactory)
    external_id = factory.Sequence(lambda n: f"v{n}")
    locale = "en"
    provenance_kind = ProvenanceKind.HUMAN
    media = factory.SubFactory(MediaAssetFactory)
    duration_ms = 60_000
    width = 360
    height = 640
    created_at = PAST


class BeatFactory(DjangoModelFactory[Beat]):
    class Meta:
        model = Beat

    version = factory.SubFactory(EpisodeVersionFactory)
    position = 0
    start_ms = 0
    end_ms = 30_000
    kind = "hook"


def mp4(size_bytes: int = 1000, *, seed: int = 1) -> bytes:
    """Bytes that start as an MP4 file does; no two stretches of them are alike."""
    return (MP4_HEAD + random.Random(seed).randbytes(size_bytes))[:size_bytes]  # noqa: S311


def png(fill: bytes = b"poster") -> bytes:
    """Bytes that start as a PNG file does."""
    return PNG_HEAD + fill


def stored_video(content: bytes | None = None) -> MediaAsset:
    """A video in storage, and its asset."""
    return _stored(mp4() if content is None else content, "video/mp4")


def stored_poster(content: bytes | None = None) -> MediaAsset:
    """A poster in storage, and its asset."""
    return _stored(png() if content is None else content, "image/png")


def _stored(content: bytes, content_type: str) -> MediaAsset:
    asset, _ = media.receive(
        sha256=hashlib.sha256(content).hexdigest(),
        content_type=content_type,
        stream=io.BytesIO(content),
        now=PAST,
    )
    return asset


def series_push(*, episodes: Sequence[dict[str, Any]] = (), **fields: Any) -> dict[str, Any]:
    """A push of a published series in English and Chinese, with `fields` put in place."""
    return {
        "original_locale": "en",
        "genre": "adventure",
        "tags": ["railway"],
        "release_year": 1914,
        "country": "US",
        "studio": "Kalem",
        "provenance": {"kind": "human", "model": "", "content_label": ""},
        "state": "published",
        "publish_at": None,
        "texts": {
            "en": {"title": "The Hazards of Helen", "synopsis": "A telegraph operator."},
            "zh-Hans": {"title": "海伦历险记", "synopsis": "电报员的故事。"},
        },
        "poster_sha256": None,
        "episodes": list(episodes),
    } | fields


def episode_push(number: int, *, video: MediaAsset, **version: Any) -> dict[str, Any]:
    """One episode of a push, its version playing `video`, with `version`'s fields put in place."""
    return {
        "external_id": f"episode-{number}",
        "number": number,
        "texts": {"en": {"title": f"Chapter {number}", "synopsis": ""}},
        "version": {
            "external_id": "v1",
            "locale": "en",
            "provenance": {"kind": "human", "model": "", "content_label": ""},
            "media_sha256": video.sha256,
            "duration_ms": 8000,
            "width": 360,
            "height": 640,
            "beats": [
                {
                    "start_ms": 0,
                    "end_ms": 2000,
                    "kind": "hook",
                    "emotion": "curiosity",
                    "hook": "A runaway engine",
                    "prompt_ref": "p-1",
                },
                {"start_ms": 2000, "end_ms": 8000, "kind": "cliffhanger"},
            ],
        }
        | version,
    }
