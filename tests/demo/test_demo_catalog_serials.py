"""The serials themselves: complete, numbered without a gap, in three languages."""

import json
import re
from collections import Counter

import pytest

from demo.catalog import InvalidSerialError, load
from demo.catalog import serial as serial_module
from demo.catalog.motifs import MOTIFS
from demo.catalog.palettes import PALETTES, TINTS

SERIALS = load()
SLUGS = [serial.external_id for serial in SERIALS]

GENRES = {"adventure", "crime", "mystery", "spy", "railway", "science-fiction", "drama"}


def test_holds_at_least_fifteen_serials_and_250_chapters():
    assert len(SERIALS) >= 15
    assert sum(len(serial.chapters) for serial in SERIALS) >= 250


def test_gives_the_same_order_every_time():
    assert [serial.external_id for serial in load()] == SLUGS
    assert len(set(SLUGS)) == len(SLUGS)


@pytest.mark.parametrize("serial", SERIALS, ids=SLUGS)
def test_describes_every_serial_in_full(serial):
    assert serial.external_id.endswith(f"-{serial.release_year}")
    assert 1912 <= serial.release_year <= 1920
    assert serial.genre in GENRES
    assert re.fullmatch("[A-Z]{2}", serial.country)
    assert serial.studio
    assert serial.tags
    assert serial.facts_checked
    assert {"en", "es", "zh", serial.original_locale} == set(serial.texts)
    assert all(text.title and text.synopsis for text in serial.texts.values())
    assert serial.look.motif in MOTIFS
    assert serial.look.palette in PALETTES
    assert serial.look.tint in TINTS


@pytest.mark.parametrize("serial", SERIALS, ids=SLUGS)
def test_numbers_chapters_from_one_without_a_gap(serial):
    assert [chapter.number for chapter in serial.chapters] == [*range(1, len(serial.chapters) + 1)]


@pytest.mark.parametrize("serial", SERIALS, ids=SLUGS)
def test_repeats_no_chapter_title_or_hook_within_a_serial(serial):
    for locale in serial.chapters[0].titles:
        titles = Counter(chapter.titles[locale] for chapter in serial.chapters)
        assert titles.most_common(1)[0][1] == 1, (locale, titles.most_common(1))
    assert len({chapter.hook for chapter in serial.chapters}) == len(serial.chapters)


@pytest.mark.parametrize("serial", SERIALS, ids=SLUGS)
def test_writes_chinese_in_chinese_and_the_rest_in_latin_letters(serial):
    for chapter in serial.chapters:
        for locale, title in chapter.titles.items():
            assert bool(re.search("[\u4e00-\u9fff]", title)) is (locale == "zh"), title
        assert len(chapter.hook) <= 120


def test_keeps_the_french_titles_of_french_serials():
    french = [serial for serial in SERIALS if serial.original_locale == "fr"]

    assert len(french) >= 3
    vampires = next(serial for serial in french if serial.external_id == "les-vampires-1915")
    assert vampires.chapters[4].titles["fr"] == "L'Évasion du mort"
    assert vampires.chapters[4].titles["en"] == "The Dead Man's Escape"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda data: data["chapters"].pop(3), "numbered"),
        (lambda data: data["chapters"][2]["titles"].pop("zh"), "a text is missing"),
        (lambda data: data["texts"].pop("es"), "texts are in"),
        (lambda data: data.update(external_id="another-1914"), "external_id is another-1914"),
    ],
)
def test_refuses_a_file_that_breaks_a_rule(tmp_path, monkeypatch, harm, words):
    source = serial_module.SERIALS_DIR / "exploits-of-elaine-1914.json"
    data = json.loads(source.read_text(encoding="utf-8"))
    harm(data)
    (tmp_path / source.name).write_text(json.dumps(data), encoding="utf-8")
    monkeypatch.setattr(serial_module, "SERIALS_DIR", tmp_path)

    with pytest.raises(InvalidSerialError, match=words):
        load()
