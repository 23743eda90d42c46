"""Type: the vendored faces, lines fitted to a measure, and a poster's stretched title block."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

FONTS_DIR = Path(__file__).with_name("fonts")
POSTER_FACE = "LeagueGothic-Regular"
SMALL_FACE = "Federo-Regular"
CARD_FACE = "GoudyBookletter1911-Regular"
ITALIC_FACE = "SortsMillGoudy-Italic"


@cache
def face(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a vendored face at a pixel size."""
    # Basic layout draws the same on every machine, whether or not it has a shaping library.
    return ImageFont.truetype(
        str(FONTS_DIR / f"{name}.ttf"), size, layout_engine=ImageFont.Layout.BASIC
    )


def wrapped(text: str, font: ImageFont.FreeTypeFont, measure: float) -> list[str]:
    """Break text into lines no wider than `measure`, evened so no word is left alone."""
    greedy = _greedy(text.split(), font, measure)
    if len(greedy) == 1:
        return greedy
    narrow = measure
    while narrow > measure / 2:
        tighter = _greedy(text.split(), font, narrow * 0.95)
        if len(tighter) > len(greedy):
            break
        narrow, greedy = narrow * 0.95, tighter
    return greedy


def fitted(
    text: str, name: str, *, measure: float, sizes: Sequence[int], lines: int
) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """Return the largest of `sizes` at which the text breaks into at most `lines` lines."""
    for size in sizes:
        font = face(name, size)
        broken = wrapped(text, font, measure)
        if len(broken) <= lines and max(font.getlength(line) for line in broken) <= measure:
            break
    return font, broken


def spaced(text: str, name: str, *, size: int, spacing: float) -> Image.Image:
    """Return a mask of one line of letterspaced type, cropped to its ink."""
    font = face(name, size)
    width = sum(font.getlength(letter) + spacing for letter in text)
    mask = Image.new("L", (round(width) + size, size * 2), 0)
    pen = ImageDraw.Draw(mask)
    x = size / 4
    for letter in text:
        pen.text((x, size * 1.4), letter, font=font, fill=255, anchor="ls")
        x += font.getlength(letter) + spacing
    return mask.crop(mask.getbbox())


def stretched(text: str, *, width: int, least: int, most: int) -> Image.Image:
    """Return a mask of one poster line drawn out to `width`, its height between the two."""
    font = face(POSTER_FACE, 420)
    box = font.getbbox(text)
    mask = Image.new("L", (round(box[2] - box[0]) + 20, round(box[3] - box[1]) + 20), 0)
    ImageDraw.Draw(mask).text((10 - box[0], 10 - box[1]), text, font=font, fill=255)
    mask = mask.crop(mask.getbbox())
    height = max(least, min(most, round(mask.height * width / mask.width)))
    # A short word is set narrower than the measure: pulled wider, its stems turn to slabs.
    broadest = round(mask.width * height / mask.height * 1.35)
    return mask.resize((min(width, broadest), height), Image.Resampling.LANCZOS)


def _greedy(words: list[str], font: ImageFont.FreeTypeFont, measure: float) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if font.getlength(longer) <= measure:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
