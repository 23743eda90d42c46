"""Finding a series by what its titles, synopses, genre and tags say, in any of its locales.

Words are cut here and not by PostgreSQL's parser, whose idea of a letter depends on the locale the
cluster was made with. Scripts written without spaces become one word a character, so that a query
in them is a phrase and matches anywhere inside a title.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Value

from catalog.models import Series, SeriesText

CONFIG = "simple"
#: PostgreSQL refuses a document past 1 MB; folding can lengthen a text, so each part is cut.
MAXIMUM_CHARACTERS = 80_000

#: Letters that carry no separable accent but are typed without their stroke or joined form.
_PLAIN = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)
_ACCENTS = range(0x0300, 0x0370)
#: Han, kana, bopomofo; Thai, Lao, Burmese, Khmer.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x312F),
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def index(series_id: UUID) -> None:
    """Writes the search document anew from the series' texts. Joins the caller's transaction."""
    series = Series.objects.only("genre", "tags").get(id=series_id)
    texts = SeriesText.objects.filter(series=series).order_by("locale")
    titles, synopses = [], []
    for text in texts:
        titles.append(text.title)
        synopses.append(text.synopsis)
    Series.objects.filter(id=series_id).update(
        search=_part(titles, weight="A")
        + _part([series.genre, *series.tags], weight="C")
        + _part(synopses, weight="D")
    )


def query(text: str) -> SearchQuery | None:
    """Matches documents that hold every word of `text`, unspaced scripts as phrases.

    None when `text` holds no word at all.
    """
    found: SearchQuery | None = None
    for run in text.split():
        words = list(_words(run))
        if not words:
            continue
        phrase = SearchQuery(" ".join(words), config=CONFIG, search_type="phrase")
        found = phrase if found is None else found & phrase
    return found


def _part(texts: Iterable[str], *, weight: str) -> SearchVector:
    words = " ".join(word for text in texts for word in _words(text))
    return SearchVector(Value(words[:MAXIMUM_CHARACTERS]), config=CONFIG, weight=weight)


def _words(text: str) -> Iterator[str]:
    """The words of `text` without case and accents; every unspaced character is its own."""
    word: list[str] = []
    for character in _folded(text):
        if _is_unspaced(character):
            if word:
                yield "".join(word)
                word = []
            yield character
        elif unicodedata.category(character)[0] in "LMN":
            word.append(character)
        elif word:
            yield "".join(word)
            word = []
    if word:
        yield "".join(word)


def _folded(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in spread if ord(character) not in _ACCENTS)
    return unicodedata.normalize("NFC", bare).casefold().translate(_PLAIN)


def _is_unspaced(character: str) -> bool:
    point = ord(character)
    if point < _UNSPACED[0][0] or unicodedata.category(character)[0] not in "LMN":
        return False
    return any(first <= point <= last for first, last in _UNSPACED)
