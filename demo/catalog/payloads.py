"""The body that publishes a serial through `PUT /v1/pipeline/series/{external_id}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.catalog.beats import beats, duration_ms
from demo.catalog.film import HEIGHT, WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.catalog.serial import Chapter, Serial

# The films were made by people. What plays here is a card that a program lettered for them.
FILM_PROVENANCE = {"kind": "human", "model": "", "content_label": ""}
CLIP_PROVENANCE = {
    "kind": "ai_assisted",
    "model": "title-card renderer 1",
    "content_label": "generated title card",
}


def series_payload(
    serial: Serial,
    *,
    poster_sha256: str,
    clip_sha256_by_number: Mapping[int, str],
    state: str = "published",
    publish_at: str | None = None,
) -> dict[str, Any]:
    """Return the serial as a JSON-ready body: texts, episodes, versions and beats.

    `publish_at` is an RFC 3339 moment or None. Raises KeyError when a chapter has no clip.
    """
    return {
        "original_locale": serial.original_locale,
        "genre": serial.genre,
        "tags": list(serial.tags),
        "release_year": serial.release_year,
        "country": serial.country,
        "studio": serial.studio,
        "provenance": dict(FILM_PROVENANCE),
        "state": state,
        "publish_at": publish_at,
        "texts": {
            locale: {"title": text.title, "synopsis": text.synopsis}
            for locale, text in serial.texts.items()
        },
        "poster_sha256": poster_sha256,
        "episodes": [
            _episode(serial, chapter, clip_sha256_by_number[chapter.number])
            for chapter in serial.chapters
        ],
    }


def _episode(serial: Serial, chapter: Chapter, clip_sha256: str) -> dict[str, Any]:
    return {
        "external_id": f"{serial.external_id}:{chapter.number}",
        "number": chapter.number,
        "texts": {
            locale: {"title": title, "synopsis": ""} for locale, title in chapter.titles.items()
        },
        "version": {
            "external_id": "v1",
            "locale": serial.original_locale,
            "provenance": dict(CLIP_PROVENANCE),
            "media_sha256": clip_sha256,
            "duration_ms": duration_ms(serial, chapter),
            "width": WIDTH,
            "height": HEIGHT,
            "beats": [
                {
                    "start_ms": beat.start_ms,
                    "end_ms": beat.end_ms,
                    "kind": beat.kind,
                    "emotion": beat.emotion,
                    "hook": beat.hook,
                    "prompt_ref": beat.prompt_ref,
                }
                for beat in beats(serial, chapter)
            ],
        },
    }
