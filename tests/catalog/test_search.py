"""GET /v1/series?q=: words in any locale, without case or accents, in any script."""

import pytest
from django.db import connection

from catalog import search
from catalog.models import Series
from tests.factories.catalog import SeriesFactory, SeriesTextFactory


def _found(api, q, **more):
    response = api.get("/v1/series", {"q": q} | more)
    assert response.status_code == 200
    return [item["title"] for item in response.json()["series"]]


def _series(title, *, locale="en", synopsis="", **fields):
    series = SeriesFactory(title=title, original_locale="en", **fields)
    series.texts.update(synopsis=synopsis)
    if locale != "en":
        SeriesTextFactory(series=series, locale=locale, title=title, synopsis=synopsis)
    search.index(series.id)
    return series


@pytest.mark.parametrize(
    ("title", "q"),
    [
        ("The Hazards of Helen", "hazards"),
        ("The Hazards of Helen", "HELEN hazards"),
        ("Les Vampires: La tête coupée", "tete coupee"),
        ("Die weiße Hölle", "weisse holle"),
        ("Cô gái đến từ hôm qua", "co gai den"),
        ("Ночь перед Рождеством", "ночь ПЕРЕД"),
        ("霸道总裁爱上我", "总裁"),
        ("霸道总裁爱上我", "爱上我"),
        ("霸道总裁爱上我", "霸道 我"),
        ("夜の東京ドラマ", "東京"),
        ("Boss霸道 2024", "boss霸道"),
        ("사랑의 불시착", "불시착"),
        ("เมียหลวง", "หลวง"),
        ("प्रेम कहानी", "कहानी"),
        ("\uff26\uff35\uff2c\uff2c width", "full"),
        ("Rock'n'roll", "rock'n'roll"),
    ],
)
def test_finds_a_title(db, api, title, q):
    _series(title)
    _series("Something else altogether")

    assert _found(api, q) == [title]


@pytest.mark.parametrize(
    "q", ["总爱", "裁总", "helen vampires", "haz", "!!!", "' & !(x) | :*", "\\"]
)
def test_finds_nothing_that_does_not_hold_every_word(db, api, q):
    _series("霸道总裁爱上我")
    _series("The Hazards of Helen")
    _series("Les Vampires")

    assert _found(api, q) == []


def test_finds_a_title_of_another_locale(db, api):
    series = _series("The Overbearing Boss")
    SeriesTextFactory(series=series, locale="zh-Hans", title="霸道总裁")
    search.index(series.id)

    assert _found(api, "霸道") == ["The Overbearing Boss"]
    assert _found(api, "霸道", locale="zh-Hans") == ["霸道总裁"]


def test_puts_titles_before_tags_and_tags_before_synopses(db, api):
    _series("In a synopsis", synopsis="a railway")
    _series("In a tag", tags=["railway"])
    _series("Railway", synopsis="of the north")
    _series("Elsewhere")

    assert _found(api, "railway") == ["Railway", "In a tag", "In a synopsis"]


def test_pages_through_matches_of_equal_rank_without_loss(db, api):
    for n in range(7):
        _series(f"Railway {n}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        body = api.get("/v1/series", {"q": "railway", "limit": 3, "cursor": cursor}).json()
        seen += [item["title"] for item in body["series"]]
        cursor = body["next_cursor"]

    assert sorted(seen) == [f"Railway {n}" for n in range(7)]
    assert len(seen) == 7


def test_combines_with_genre_and_leaves_out_what_is_not_published(db, api):
    _series("Railway one", genre="western")
    _series("Railway two", genre="romance")
    _series("Railway three", genre="western", state=Series.State.WITHDRAWN)

    assert _found(api, "railway", genre="western") == ["Railway one"]


@pytest.mark.parametrize("text", ["ﷺ " * 1000, "𠀀𠀁" * 1000, "x" * 2000, "\u0301" * 2000])
def test_indexes_texts_made_to_grow(db, text):
    series = SeriesFactory()
    for n in range(40):
        locale = f"a{chr(97 + n % 26)}{chr(97 + n // 26)}"
        SeriesTextFactory(series=series, locale=locale, title=text[:200], synopsis=text[:2000])

    search.index(series.id)


def test_indexes_as_many_different_words_as_texts_can_hold(db):
    series = SeriesFactory()
    characters = [chr(point) for point in range(0x20000, 0x2A6D0)] + [
        chr(point) for point in range(0x4E00, 0x9FFF)
    ]
    for n in range(32):
        text = "".join(characters[n * 1900 : (n + 1) * 1900])
        locale = f"a{chr(97 + n % 26)}{chr(97 + n // 26)}"
        SeriesTextFactory(series=series, locale=locale, synopsis=text)

    search.index(series.id)

    with connection.cursor() as cursor:
        cursor.execute("SELECT length(search) FROM catalog_series WHERE id = %s", [series.id])
        assert cursor.fetchone()[0] > 20_000
