"""The shape of a push: the whole desired state of one series, as the pipeline sends it.

Bounds here are what one request may hold and what columns can store; rules that span fields are in
`catalog.validation`. A pattern ends in `$(?!\\n)` because Python's `$` alone also matches before a
final newline.
"""

import hashlib
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from catalog.models import ProvenanceKind, Series
from config.bodies import RequestShape

MAXIMUM_EPISODES = 2000
MAXIMUM_BEATS = 200
DEFAULT_BEAT_MS = 30_000
#: Long enough for any episode, and short enough that default beats never exceed MAXIMUM_BEATS.
MAXIMUM_DURATION_MS = MAXIMUM_BEATS * DEFAULT_BEAT_MS
DEFAULT_BEAT_KIND = "interval"

ExternalId = Annotated[
    str,
    Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]*$(?!\n)"),
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Locale = Annotated[
    str,
    Meta(
        max_length=20,
        pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$(?!\n)",
        description="A BCP 47 tag in canonical case: `en`, `pt-BR`, `zh-Hans`.",
    ),
]
Country = Annotated[
    str, Meta(pattern=r"^([A-Z]{2})?$(?!\n)", description="ISO 3166-1 alpha-2, or empty.")
]
#: Something to see, in words that every dialect reads alike: `\s` leaves out other letters in Python
#: than in ECMA-262, which readers of the API description speak.
VISIBLE = r"[^\s\x1c-\x1f\x85\ufeff]"
Line = Annotated[str, Meta(max_length=200)]
Name = Annotated[str, Meta(max_length=60)]
Tag = Annotated[str, Meta(min_length=1, max_length=60)]
Year = Annotated[int, Meta(ge=1800, le=2200)]
Pixels = Annotated[int, Meta(ge=1, le=16_384)]
Offset = Annotated[int, Meta(ge=0, le=MAXIMUM_DURATION_MS)]
Moment = Annotated[datetime, Meta(tz=True)]


class ProvenancePush(RequestShape):
    """How a series or a version was made. `content_label` is what viewers are told of it."""

    kind: ProvenanceKind
    model: Line = ""
    content_label: Line = ""

    @property
    def is_unlabelled(self) -> bool:
        """True when AI had a part in it and no label says so."""
        return self.kind is not ProvenanceKind.HUMAN and not self.content_label.strip()


class TextPush(RequestShape):
    title: Annotated[str, Meta(max_length=200, pattern=VISIBLE)]
    synopsis: Annotated[str, Meta(max_length=2000)] = ""


Texts = Annotated[dict[Locale, TextPush], Meta(max_length=40)]


class BeatPush(RequestShape):
    start_ms: Offset
    end_ms: Offset
    kind: Annotated[str, Meta(min_length=1, max_length=40)] = DEFAULT_BEAT_KIND
    emotion: Annotated[str, Meta(max_length=40)] = ""
    hook: Line = ""
    prompt_ref: Line = ""


class VersionPush(RequestShape):
    """One cut of an episode. Without beats it gets default ones of 30 seconds."""

    external_id: ExternalId
    locale: Locale
    provenance: ProvenancePush
    media_sha256: Sha256
    duration_ms: Annotated[int, Meta(ge=1, le=MAXIMUM_DURATION_MS)]
    width: Pixels
    height: Pixels
    beats: Annotated[tuple[BeatPush, ...], Meta(max_length=MAXIMUM_BEATS)] = ()

    def whole_beats(self) -> tuple[BeatPush, ...]:
        """The beats pushed, or default ones over the whole duration."""
        if self.beats:
            return self.beats
        return tuple(
            BeatPush(start_ms=start_ms, end_ms=min(start_ms + DEFAULT_BEAT_MS, self.duration_ms))
            for start_ms in range(0, self.duration_ms, DEFAULT_BEAT_MS)
        )


class EpisodePush(RequestShape):
    external_id: ExternalId
    number: Annotated[int, Meta(ge=1, le=MAXIMUM_EPISODES)]
    texts: Texts = {}
    version: VersionPush | None = None


class SeriesPush(RequestShape):
    """The whole desired state of one series. Episodes left out are withdrawn, never deleted."""

    original_locale: Locale
    provenance: ProvenancePush
    texts: Texts
    state: Series.State = Series.State.DRAFT
    publish_at: Moment | None = None
    genre: Name = ""
    tags: Annotated[tuple[Tag, ...], Meta(max_length=50)] = ()
    release_year: Year | None = None
    country: Country = ""
    studio: Line = ""
    poster_sha256: Sha256 | None = None
    episodes: Annotated[tuple[EpisodePush, ...], Meta(max_length=MAXIMUM_EPISODES)] = ()

    def media_sha256s(self) -> set[str]:
        """The content hash of every file that the push speaks of."""
        videos = {episode.version.media_sha256 for episode in self.episodes if episode.version}
        return videos | ({self.poster_sha256} if self.poster_sha256 else set())


def digest(push: SeriesPush | VersionPush) -> bytes:
    """SHA-256 of what a push says, whatever the order of its JSON members."""
    return hashlib.sha256(msgspec.json.encode(push, order="deterministic")).digest()
