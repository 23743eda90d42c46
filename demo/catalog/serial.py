"""The film serials of 1912 to 1920 that stock the demo shop, read from `serials/*.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SERIALS_DIR = Path(__file__).with_name("serials")
REQUIRED_LOCALES = ("en", "es", "zh")


class InvalidSerialError(ValueError):
    """A serial's file contradicts itself; the message names the serial and the fault."""


@dataclass(frozen=True, slots=True)
class Text:
    """One locale's words for a serial."""

    title: str
    synopsis: str


@dataclass(frozen=True, slots=True)
class Look:
    """How a serial is drawn: palette, motif and film tint by name, and the poster's title lines.

    A title line in capitals is set large across the poster; a line in lower case is a small
    connecting word between two of those.
    """

    palette: str
    motif: str
    tint: str
    lettering: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter: its number from 1, its title by locale, and what hangs at its end."""

    number: int
    titles: Mapping[str, str]
    hook: str


@dataclass(frozen=True, slots=True)
class Serial:
    """A historical film serial with every chapter that the demo shows of it."""

    external_id: str
    original_locale: str
    genre: str
    tags: tuple[str, ...]
    release_year: int
    country: str
    studio: str
    facts_checked: str
    look: Look
    texts: Mapping[str, Text]
    chapters: tuple[Chapter, ...]

    @property
    def title(self) -> str:
        """The title in the language the serial was made in."""
        return self.texts[self.original_locale].title


def load() -> list[Serial]:
    """Return every serial in the catalogue, oldest first; same order on every machine.

    Raises InvalidSerialError when a file breaks a rule the payload relies on.
    """
    serials = [_read(path) for path in sorted(SERIALS_DIR.glob("*.json"))]
    return sorted(serials, key=lambda serial: (serial.release_year, serial.external_id))


def _read(path: Path) -> Serial:
    serial = _from_json(json.loads(path.read_text(encoding="utf-8")))
    if serial.external_id != path.stem:
        raise InvalidSerialError(f"{path.name}: external_id is {serial.external_id}")
    _check(serial)
    return serial


def _from_json(data: dict[str, Any]) -> Serial:
    look = data["look"]
    return Serial(
        external_id=data["external_id"],
        original_locale=data["original_locale"],
        genre=data["genre"],
        tags=tuple(data["tags"]),
        release_year=data["release_year"],
        country=data["country"],
        studio=data["studio"],
        facts_checked=data["facts_checked"],
        look=Look(**{**look, "lettering": tuple(look["lettering"])}),
        texts=MappingProxyType({locale: Text(**text) for locale, text in data["texts"].items()}),
        chapters=tuple(
            Chapter(row["number"], MappingProxyType(row["titles"]), row["hook"])
            for row in data["chapters"]
        ),
    )


def _check(serial: Serial) -> None:
    numbers = [chapter.number for chapter in serial.chapters]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise InvalidSerialError(f"{serial.external_id}: chapters are numbered {numbers}")
    locales = {*REQUIRED_LOCALES, serial.original_locale}
    if set(serial.texts) != locales:
        raise InvalidSerialError(f"{serial.external_id}: texts are in {sorted(serial.texts)}")
    for chapter in serial.chapters:
        if set(chapter.titles) != locales or not all([*chapter.titles.values(), chapter.hook]):
            raise InvalidSerialError(f"{serial.external_id}/{chapter.number}: a text is missing")
