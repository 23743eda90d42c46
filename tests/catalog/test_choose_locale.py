"""Which locale a reader gets."""

import pytest

from catalog import locales
from tests.factories.catalog import (
    EpisodeFactory,
    EpisodeTextFactory,
    SeriesFactory,
    SeriesTextFactory,
)


@pytest.mark.parametrize(
    ("available", "asked", "chosen"),
    [
        (["en", "de"], ["de"], "de"),
        (["en", "de"], ["de-at"], "de"),
        (["en", "de"], [], "en"),
        (["en", "de"], ["fr"], "en"),
        (["en", "de"], ["fr", "de"], "de"),
        (["en", "pt-BR"], ["pt-br"], "pt-BR"),
        (["en", "pt-BR"], ["pt-pt"], "pt-BR"),
        (["en", "pt", "pt-BR"], ["pt-ao"], "pt"),
        (["en", "zh-Hans", "zh-Hant"], ["zh-tw"], "zh-Hant"),
        (["en", "zh-Hans", "zh-Hant"], ["zh-cn"], "zh-Hans"),
        (["en", "zh-Hans", "zh-Hant"], ["zh-hant-hk"], "zh-Hant"),
        (["en", "zh-Hans"], ["zh-hant"], "zh-Hans"),
        (["en", "zh"], ["zh-hk"], "zh"),
        (["en", "es-419"], ["es-mx"], "es-419"),
        (["en", "eng"], ["eng"], "eng"),
        ([], ["de"], "en"),
    ],
)
def test_negotiates(available, asked, chosen):
    assert locales.negotiate(available, asked=asked, original="en") == chosen


@pytest.mark.parametrize(
    ("locale", "header", "asked"),
    [
        ("", "", ()),
        ("", "de", ("de",)),
        ("", "en;q=0.5, zh-Hant-TW, *;q=0.1", ("zh-hant-tw", "en")),
        ("pt-BR", "de", ("pt-br",)),
        ("", "*", ()),
        ("", "complete nonsense;;q=,", ()),
        ("", "de;q=0", ()),
        ("", ",".join(f"a{letter}" for letter in "abcdefgh"), ("aa", "ab", "ac", "ad", "ae", "af")),
        ("", "x" * 100_000, ()),
    ],
)
def test_reads_preferences(locale, header, asked):
    assert locales.preferences(locale=locale, accept_language=header) == asked


@pytest.fixture
def series(db):
    series = SeriesFactory(title="Helen")
    SeriesTextFactory(series=series, locale="zh-Hans", title="海伦历险记")
    SeriesTextFactory(series=series, locale="de", title="Helens Abenteuer")
    return series


@pytest.mark.parametrize(
    ("query", "header", "locale", "title"),
    [
        ("", "", "en", "Helen"),
        ("", "zh-CN,zh;q=0.9", "zh-Hans", "海伦历险记"),
        ("", "fr", "en", "Helen"),
        ("de-AT", "zh", "de", "Helens Abenteuer"),
        ("fr", "zh", "en", "Helen"),
    ],
)
def test_shows_series_in_it(api, series, query, header, locale, title):
    parameters = {"locale": query} if query else {}
    headers = {"Accept-Language": header}
    one = api.get(f"/v1/series/{series.id}", parameters, headers=headers).json()
    page = api.get("/v1/series", parameters, headers=headers).json()

    assert (one["locale"], one["title"], one["original_locale"]) == (locale, title, "en")
    assert page["series"] == [one]


def test_falls_back_to_the_original_for_each_episode_by_itself(api, series):
    for title in ("Ohne Fahrkarte", None):
        episode = EpisodeFactory(series=series)
        EpisodeTextFactory(episode=episode, title=f"Chapter {episode.number}")
        if title:
            EpisodeTextFactory(episode=episode, locale="de", title=title)
    EpisodeFactory(series=series)

    body = api.get(f"/v1/series/{series.id}/episodes", {"locale": "de"}).json()

    assert [(e["title"], e["locale"]) for e in body["episodes"]] == [
        ("Ohne Fahrkarte", "de"),
        ("Chapter 2", "en"),
        ("", "en"),
    ]
