"""The lettered cards of a silent film: the chapter's name, and the question at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from demo.catalog.lettering import CARD_FACE, ITALIC_FACE, SMALL_FACE, face, fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import ImageFont

    from demo.catalog.serial import Chapter, Serial

# Cards are drawn a little larger than the frame, so the camera can push in without blurring.
CARD_WIDTH = 432
CARD_HEIGHT = 768

_BLACK = 26
_GREY = 150
_WHITE = 236
_WORDS = {
    "en": {"chapter": "Chapter", "next": "To be continued", "end": "The End"},
    "fr": {"chapter": "Épisode", "next": "À suivre", "end": "Fin"},
}
_NUMERALS = ((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def chapter_card(serial: Serial, chapter: Chapter) -> Image.Image:
    """Return the greyscale card that names the chapter, with a translation for French ones."""
    card, pen = _blank()
    words = _WORDS[serial.original_locale]
    _centred(pen, [serial.title], face(SMALL_FACE, 23), 128, _GREY)
    _flourish(pen, 170)
    _centred(pen, [f"{words['chapter']} {roman(chapter.number)}"], face(CARD_FACE, 33), 208, _WHITE)
    font, lines = fitted(
        chapter.titles[serial.original_locale],
        CARD_FACE,
        measure=330,
        sizes=(60, 54, 48, 42, 37),
        lines=4,
    )
    leading = round(font.size * 1.16)
    top = 392 - leading * len(lines) / 2 + leading / 2
    foot = _centred(pen, lines, font, top, _WHITE)
    if serial.original_locale != "en":
        translated = f"({chapter.titles['en']})"
        small, broken = fitted(translated, ITALIC_FACE, measure=320, sizes=(27, 24, 21), lines=2)
        _centred(pen, broken, small, foot + 14, _GREY)
    _flourish(pen, 598)
    _centred(pen, [f"{serial.studio}  ·  {serial.release_year}"], face(SMALL_FACE, 20), 640, _GREY)
    return _vignetted(card)


def cliffhanger_card(serial: Serial, chapter: Chapter) -> Image.Image:
    """Return the greyscale card with the chapter's hook and the promise of another week."""
    card, pen = _blank()
    words = _WORDS[serial.original_locale]
    last = chapter.number == len(serial.chapters)
    font, lines = fitted(
        chapter.hook, ITALIC_FACE, measure=322, sizes=(42, 38, 34, 31, 28), lines=7
    )
    leading = round(font.size * 1.3)
    top = 356 - leading * len(lines) / 2 + leading / 2
    _flourish(pen, 148)
    _centred(pen, lines, font, top, _WHITE, leading=leading)
    _flourish(pen, 566)
    _centred(pen, [words["end"] if last else words["next"]], face(CARD_FACE, 28), 614, _WHITE)
    return _vignetted(card)


def roman(number: int) -> str:
    """Write 1 to 49 as a Roman numeral, as a title card numbers its chapters."""
    numeral = ""
    for value, letters in _NUMERALS:
        while number >= value:
            numeral += letters
            number -= value
    return numeral


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    card = Image.new("L", (CARD_WIDTH, CARD_HEIGHT), _BLACK)
    pen = ImageDraw.Draw(card)
    for inset, width, shade in ((34, 3, _GREY), (42, 1, _GREY)):
        pen.rectangle(
            (inset, inset, CARD_WIDTH - inset, CARD_HEIGHT - inset), outline=shade, width=width
        )
    for x in (42, CARD_WIDTH - 42):
        for y in (42, CARD_HEIGHT - 42):
            pen.regular_polygon((x, y, 25), 4, rotation=45, fill=_BLACK, outline=_GREY, width=2)
            pen.regular_polygon((x, y, 13), 4, rotation=45, fill=_GREY)
    return card, pen


def _centred(
    pen: ImageDraw.ImageDraw,
    lines: Sequence[str],
    font: ImageFont.FreeTypeFont,
    y: float,
    shade: int,
    *,
    leading: int = 0,
) -> float:
    """Set the lines about the card's middle from `y` down; return where the next would go."""
    step = leading or round(font.size * 1.16)
    for line in lines:
        pen.text((CARD_WIDTH / 2, y), line, font=font, fill=shade, anchor="mm")
        y += step
    return y


def _flourish(pen: ImageDraw.ImageDraw, y: int) -> None:
    middle = CARD_WIDTH // 2
    for side in (-1, 1):
        pen.line([(middle + side * 18, y), (middle + side * 122, y)], fill=_GREY, width=2)
        pen.ellipse((middle + side * 126 - 3, y - 3, middle + side * 126 + 3, y + 3), fill=_GREY)
    pen.regular_polygon((middle, y, 9), 4, rotation=45, fill=_GREY)


def _vignetted(card: Image.Image) -> Image.Image:
    # A lens of the time lit the middle of a card better than its corners.
    shade = [255 - max(0, level - 110) * 6 // 10 for level in range(256)]
    lens = Image.radial_gradient("L").point(shade).resize(card.size)
    return ImageChops.multiply(card, lens)
