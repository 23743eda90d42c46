"""Store posters: one 720 by 1280 theatrical bill per serial, printed in its own five inks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from demo.catalog.lettering import POSTER_FACE, SMALL_FACE, spaced, stretched
from demo.catalog.motifs import MOTIFS
from demo.catalog.palettes import PALETTES
from demo.catalog.render_cache import cached
from demo.catalog.stage import HEIGHT, SCALE, WIDTH, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.catalog.motifs import Motif
    from demo.catalog.palettes import Colour, Palette
    from demo.catalog.serial import Serial

MARGIN = 30
PICTURE_FOOT = 1168
MEASURE = 584
TITLE_HEAD = 60.0
TITLE_FOOT = 1138.0
LEADING = 15
SHADOW = 7
JPEG_QUALITY = 88


def render_poster(serial: Serial, cache_dir: Path) -> Path:
    """Return the serial's poster, a JPEG of 720 by 1280, drawing it if the cache lacks it."""
    look = serial.look
    inputs = {
        "kind": "poster",
        "palette": PALETTES[look.palette],
        "motif": look.motif,
        "lettering": look.lettering,
        "credits": _credits(serial),
    }

    def make(path: Path) -> None:
        draw_poster(serial).save(path, "JPEG", quality=JPEG_QUALITY, optimize=True)

    name = f"posters/{serial.external_id}"
    return cached(cache_dir, name=name, suffix=".jpg", inputs=inputs, make=make)


def draw_poster(serial: Serial) -> Image.Image:
    """Draw the poster: picture, title block, paper border and credit line."""
    look = serial.look
    palette = PALETTES[look.palette]
    motif = MOTIFS[look.motif]
    stage = Stage(palette=palette, seed=serial.external_id)
    lines = _title_lines(look.lettering)
    height = sum(mask.height for mask in lines) / SCALE + LEADING * (len(lines) - 1)
    top = TITLE_HEAD if motif.title == "top" else TITLE_FOOT - height
    _draw_motif(stage, motif, title_top=top, title_foot=top + height)
    _set_title(stage.image, lines, top=top, palette=palette)
    _border(stage, palette)
    _set_credits(stage.image, _credits(serial), palette)
    return stage.finish()


def _draw_motif(stage: Stage, motif: Motif, *, title_top: float, title_foot: float) -> None:
    ink = stage.palette.ink
    if motif.title == "top":
        room_head, room_foot = title_foot + 14, PICTURE_FOOT - 14.0
    else:
        room_head, room_foot = MARGIN + 18.0, title_top - 14
    zoom = min(1.0, max(0.7, (room_foot - room_head) / (motif.foot - motif.head)))
    drop = (room_head + room_foot) / 2 - zoom * (motif.head + motif.foot) / 2
    stage.place(zoom=zoom, drop=drop)
    motif.draw(stage)
    stage.place()
    if _is_light(stage.palette):
        return
    if motif.title == "top":
        stage.fade(start_y=title_foot + 90, end_y=title_foot - 120, fill=ink)
    else:
        stage.fade(start_y=title_top - 80, end_y=title_top + 120, fill=ink)


def _is_light(palette: Palette) -> bool:
    # Bills on a pale ground carry their title on the bare sunburst, in the accent ink.
    return sum(palette.mid) > 540


def _title_lines(lettering: Sequence[str]) -> list[Image.Image]:
    large = [line for line in lettering if line == line.upper()]
    tallest = 208 if len(large) == 1 else 152
    return [
        stretched(line, width=MEASURE * SCALE, least=104 * SCALE, most=tallest * SCALE)
        if line in large
        else spaced(line.upper(), SMALL_FACE, size=30 * SCALE, spacing=9 * SCALE)
        for line in lettering
    ]


def _set_title(
    image: Image.Image, lines: Sequence[Image.Image], *, top: float, palette: Palette
) -> None:
    light = _is_light(palette)
    y = round(top * SCALE)
    for mask in lines:
        x = (image.width - mask.width) // 2
        if mask.height > 60 * SCALE:
            for step in range(SHADOW * SCALE, 0, -1):
                _print(image, mask, (x + step, y + step), palette.ink)
            _print(image, mask, (x, y), palette.accent)
            _print(image, _crayon(mask), (x, y), palette.ink if light else palette.glow)
        else:
            plain = palette.ink if light else palette.paper
            _print(image, mask, (x, y), plain)
            _rules_beside(image, mask, (x, y), plain)
        y += mask.height + LEADING * SCALE


def _crayon(mask: Image.Image) -> Image.Image:
    # The foot of each letter takes a second ink, as a rainbow roller would lay it.
    ramp = Image.linear_gradient("L").resize(mask.size)
    shade = ramp.point([max(0, (level - 110) * 2) if level < 238 else 255 for level in range(256)])
    return Image.composite(shade, Image.new("L", mask.size, 0), mask)


def _rules_beside(
    image: Image.Image, mask: Image.Image, corner: tuple[int, int], fill: Colour
) -> None:
    middle = corner[1] + mask.height // 2
    gap, thick = 22 * SCALE, 3 * SCALE
    left, right = (image.width - MEASURE * SCALE) // 2, (image.width + MEASURE * SCALE) // 2
    for start, stop in ((left, corner[0] - gap), (corner[0] + mask.width + gap, right)):
        image.paste(fill, (start, middle - thick // 2, stop, middle + thick - thick // 2))


def _border(stage: Stage, palette: Palette) -> None:
    paper = palette.paper
    for box in (
        (0, 0, WIDTH, MARGIN),
        (0, PICTURE_FOOT, WIDTH, HEIGHT),
        (0, 0, MARGIN, HEIGHT),
        (WIDTH - MARGIN, 0, WIDTH, HEIGHT),
    ):
        stage.box(*box, paper)
    for inset, width in ((MARGIN - 2, 5.0), (MARGIN - 12, 1.5)):
        foot = PICTURE_FOOT + (MARGIN - inset)
        corners = [(inset, inset), (WIDTH - inset, inset), (WIDTH - inset, foot), (inset, foot)]
        stage.line([*corners, corners[0], corners[1]], palette.ink, width)
    for x in (MARGIN + 26, WIDTH - MARGIN - 26):
        stage.polygon([(x, 1213), (x + 9, 1228), (x, 1243), (x - 9, 1228)], palette.ink)


def _credits(serial: Serial) -> tuple[str, str]:
    count = len(serial.chapters)
    if serial.original_locale == "fr":
        return f"CINÉ-ROMAN EN {count} ÉPISODES", f"{serial.studio}  ·  {serial.release_year}"
    return f"A PHOTOPLAY SERIAL IN {count} CHAPTERS", f"{serial.studio}  ·  {serial.release_year}"


def _set_credits(image: Image.Image, lines: tuple[str, str], palette: Palette) -> None:
    above = spaced(lines[0], SMALL_FACE, size=20 * SCALE, spacing=5 * SCALE)
    below = spaced(lines[1].upper(), POSTER_FACE, size=34 * SCALE, spacing=4 * SCALE)
    for mask, y in ((above, 1196), (below, 1224)):
        _print(image, mask, ((image.width - mask.width) // 2, y * SCALE), palette.ink)


def _print(image: Image.Image, mask: Image.Image, corner: tuple[int, int], fill: Colour) -> None:
    image.paste(fill, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)
