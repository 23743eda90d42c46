"""The body that publishes a serial: every member the pipeline asks for, and honest provenance."""

import json

import pytest

from demo.catalog import duration_ms, load, series_payload

SERIALS = {serial.external_id: serial for serial in load()}


def payload_of(name, **changes):
    serial = SERIALS[name]
    clips = {chapter.number: f"{chapter.number:064x}" for chapter in serial.chapters}
    return series_payload(serial, poster_sha256="a" * 64, clip_sha256_by_number=clips, **changes)


def test_states_the_whole_series():
    payload = payload_of("hazards-of-helen-1914")

    episodes = payload.pop("episodes")
    assert len(episodes) == 48
    assert payload.pop("texts")["es"]["title"] == "Los azares de Helen"
    assert payload == {
        "original_locale": "en",
        "genre": "railway",
        "tags": ["railway", "telegraph", "stunts", "long-running"],
        "release_year": 1914,
        "country": "US",
        "studio": "Kalem",
        "provenance": {"kind": "human", "model": "", "content_label": ""},
        "state": "published",
        "publish_at": None,
        "poster_sha256": "a" * 64,
    }


def test_states_each_episode_with_its_clip_and_beats():
    serial = SERIALS["hazards-of-helen-1914"]

    episode = payload_of("hazards-of-helen-1914")["episodes"][12]

    version = episode.pop("version")
    assert episode == {
        "external_id": "hazards-of-helen-1914:13",
        "number": 13,
        "texts": {
            "en": {"title": "Escape on the Fast Freight", "synopsis": ""},
            "es": {"title": "Huida en el mercancías rápido", "synopsis": ""},
            "zh": {"title": "快速货车大逃亡", "synopsis": ""},
        },
    }
    plan = version.pop("beats")
    assert plan[0]["start_ms"] == 0
    assert plan[-1]["end_ms"] == duration_ms(serial, serial.chapters[12])
    assert plan[-1]["hook"] == serial.chapters[12].hook
    assert version == {
        "external_id": "v1",
        "locale": "en",
        "provenance": {
            "kind": "ai_assisted",
            "model": "title-card renderer 1",
            "content_label": "generated title card",
        },
        "media_sha256": f"{13:064x}",
        "duration_ms": plan[-1]["end_ms"],
        "width": 360,
        "height": 640,
    }


def test_sends_french_serials_in_french_with_translations_beside():
    payload = payload_of("les-vampires-1915", state="scheduled", publish_at="2026-01-01T00:00:00Z")

    assert payload["original_locale"] == "fr"
    assert set(payload["texts"]) == {"fr", "en", "es", "zh"}
    assert payload["episodes"][0]["version"]["locale"] == "fr"
    assert payload["episodes"][0]["texts"]["fr"]["title"] == "La Tête coupée"
    assert (payload["state"], payload["publish_at"]) == ("scheduled", "2026-01-01T00:00:00Z")


def test_is_plain_json_for_every_serial():
    for name in SERIALS:
        payload = payload_of(name)
        assert json.loads(json.dumps(payload)) == payload


def test_refuses_a_serial_with_a_clip_missing():
    with pytest.raises(KeyError):
        series_payload(
            SERIALS["judex-1917"], poster_sha256="a" * 64, clip_sha256_by_number={1: "b" * 64}
        )
