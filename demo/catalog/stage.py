"""The picture plane of a poster: flat inks and stippled crayon shading, as on a litho stone."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from demo.catalog.palettes import Colour, Palette

WIDTH = 720
HEIGHT = 1280
# Everything is drawn twice as large and reduced once, which is what smooths the edges.
SCALE = 2

Point = tuple[float, float]


class Stage:
    """A 720 by 1280 plane to draw on, in those units, with one serial's inks.

    The same seed gives the same grain, so a poster's bytes depend on nothing but its inputs.
    """

    def __init__(self, *, palette: Palette, seed: str) -> None:
        self.palette = palette
        self.random = random.Random(seed)  # noqa: S311 - grain for a drawing, not a secret
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), palette.deep)
        self._pen = ImageDraw.Draw(self.image)
        grain = Image.frombytes("L", (WIDTH, HEIGHT), self.random.randbytes(WIDTH * HEIGHT))
        self._grain = grain.resize(self.image.size, Image.Resampling.BILINEAR)
        self._zoom = 1.0
        self._drop = 0.0

    def place(self, *, zoom: float = 1.0, drop: float = 0.0) -> None:
        """Draw from now on at `zoom` about the middle of the width, moved down by `drop`."""
        self._zoom = zoom
        self._drop = drop

    def polygon(self, points: Iterable[Point], fill: Colour) -> None:
        """Fill the outline."""
        self._pen.polygon(self._scaled(points), fill=fill)

    def disc(self, centre: Point, radius: float, fill: Colour) -> None:
        """Fill a circle."""
        self.ellipse(centre, radius, radius, fill)

    def ellipse(self, centre: Point, rx: float, ry: float, fill: Colour) -> None:
        """Fill an upright ellipse."""
        (x, y) = centre
        box = self._scaled([(x - rx, y - ry), (x + rx, y + ry)])
        self._pen.ellipse([*box[0], *box[1]], fill=fill)

    def ring(self, centre: Point, radius: float, width: float, fill: Colour) -> None:
        """Draw a circle's rim, `width` wide inwards from `radius`."""
        (x, y) = centre
        box = self._scaled([(x - radius, y - radius), (x + radius, y + radius)])
        self._pen.ellipse([*box[0], *box[1]], outline=fill, width=self._length(width))

    def line(self, points: Iterable[Point], fill: Colour, width: float) -> None:
        """Draw a line with round joints."""
        self._pen.line(self._scaled(points), fill=fill, width=self._length(width), joint="curve")

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """Fill an upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill)

    def rays(
        self,
        centre: Point,
        *,
        count: int,
        fill: Colour,
        reach: float = 1500,
        strength: float = 0.8,
        turn: float = 0.0,
    ) -> None:
        """Draw a sunburst: `count` wedges from the centre that stipple away towards `reach`."""
        mask = Image.new("L", self.image.size, 0)
        pen = ImageDraw.Draw(mask)
        half = math.pi / count / 2
        for index in range(count):
            angle = turn + 2 * math.pi * index / count
            far = [_polar(centre, reach * 1.2, angle + side) for side in (-half, half)]
            pen.polygon(self._scaled([centre, *far]), fill=255)
        self._stipple(ImageChops.multiply(mask, self._falloff(centre, reach * 1.2, strength)), fill)

    def glow(self, centre: Point, radius: float, fill: Colour, strength: float = 1.0) -> None:
        """Stipple a round glow that is dense at the centre and gone at 1.35 times `radius`."""
        self._stipple(self._falloff(centre, radius * 1.35, strength), fill)

    def fade(self, *, start_y: float, end_y: float, fill: Colour, strength: float = 1.0) -> None:
        """Stipple a wash: nothing at `start_y`, dense at `end_y` and beyond it."""
        height = self._length(abs(end_y - start_y))
        ramp = Image.linear_gradient("L").resize((self.image.width, height))
        mask = Image.new("L", self.image.size, 0)
        top = round(self._scaled([(0, min(start_y, end_y))])[0][1])
        if end_y < start_y:
            ramp = ramp.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            mask.paste(255, (0, 0, mask.width, max(top, 0)))
        else:
            mask.paste(255, (0, top + ramp.height, *mask.size))
        mask.paste(ramp, (0, top))
        self._stipple(mask.point([round(level * strength) for level in range(256)]), fill)

    def model(
        self,
        points: Sequence[Point],
        fill: Colour,
        *,
        light: Point,
        radius: float,
        strength: float = 1.0,
    ) -> None:
        """Round a flat shape off: crayon inside its outline, densest next to `light`."""
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).polygon(self._scaled(points), fill=255)
        self._stipple(
            ImageChops.multiply(mask, self._falloff(light, radius * 1.35, strength)), fill
        )

    def finish(self) -> Image.Image:
        """Return the plane reduced to 720 by 1280."""
        return self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

    def _scaled(self, points: Iterable[Point]) -> list[Point]:
        middle = WIDTH / 2
        return [
            ((middle + (x - middle) * self._zoom) * SCALE, (y * self._zoom + self._drop) * SCALE)
            for x, y in points
        ]

    def _length(self, units: float) -> int:
        return max(1, round(units * self._zoom * SCALE))

    def _falloff(self, centre: Point, radius: float, strength: float) -> Image.Image:
        size = self._length(radius * 2)
        # Pillow's gradient reaches its full value only in the corners; at the rim it is 181.
        peak = [max(0, round((255 - level * 255 / 181) * strength)) for level in range(256)]
        bump = Image.radial_gradient("L").point(peak).resize((size, size))
        mask = Image.new("L", self.image.size, 0)
        corner = self._scaled([(centre[0] - radius, centre[1] - radius)])[0]
        mask.paste(bump, (round(corner[0]), round(corner[1])))
        return mask

    def _stipple(self, density: Image.Image, fill: Colour) -> None:
        # A soft threshold keeps the dots of the stone without the sparkle of pure noise.
        dots = ImageChops.subtract(density, self._grain)
        mask = dots.point([min(255, level * 6) for level in range(256)])
        self.image.paste(fill, (0, 0), mask)


def _polar(centre: Point, radius: float, angle: float) -> Point:
    return centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)
