"""A push costs a fixed number of queries, however many episodes, locales and beats it carries."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Beat, EpisodeText
from tests.factories.catalog import episode_push, series_push, stored_video

CEILING = 30
LOCALES = ("en", "zh-Hans", "pt-BR")


def _body(episodes: int, *, version: str = "v1") -> dict[str, Any]:
    video = stored_video()
    beats = [{"start_ms": start, "end_ms": start + 2000} for start in range(0, 8000, 2000)]
    texts = {locale: {"title": f"In {locale}", "synopsis": "…"} for locale in LOCALES}
    return series_push(
        texts=texts,
        episodes=[
            episode_push(n, video=video, beats=beats, external_id=version) | {"texts": texts}
            for n in range(1, episodes + 1)
        ],
    )


def _queries(pipeline: Any, body: dict[str, Any], *, external_id: str = "helen") -> int:
    with CaptureQueriesContext(connection) as captured:
        assert pipeline.push(external_id, body).status_code in {200, 201}
    return len(captured)


@pytest.mark.parametrize("episodes", [1, 100])
def test_creates_within_the_ceiling(pipeline, episodes):
    assert _queries(pipeline, _body(episodes)) <= CEILING
    assert (Beat.objects.count(), EpisodeText.objects.count()) == (4 * episodes, 3 * episodes)


def test_costs_no_more_for_more_episodes(pipeline):
    pipeline.push("first", _body(1))  # the first call also notes that the key was used

    few = _queries(pipeline, _body(2), external_id="few")

    assert _queries(pipeline, _body(100), external_id="many") == few


def test_replaces_every_version_within_the_ceiling(pipeline):
    pipeline.push("helen", _body(100))

    assert _queries(pipeline, _body(100, version="v2")) <= CEILING
    assert Beat.objects.count() == 800


def test_notices_an_unchanged_push_by_its_digest_alone(pipeline):
    body = _body(100)
    pipeline.push("helen", body)

    assert _queries(pipeline, body) <= 6
