"""Things that several posters share: eyes, roofs, a tower, waves, palms, clouds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from demo.catalog.curves import arc, limb, smooth

if TYPE_CHECKING:
    from demo.catalog.palettes import Colour
    from demo.catalog.stage import Point, Stage


# A drawing may be reduced to make room for its title, so ground and sea run past the paper.
LEFT = -180.0
RIGHT = 900.0


def eyes(stage: Stage, centre: Point, *, gap: float, size: float, iris: Colour) -> None:
    """Two lit eyes, narrowed, `gap` apart."""
    inks = stage.palette
    for side in (-1, 1):
        (x, y) = centre[0] + side * gap / 2, centre[1]
        almond = smooth(
            [
                (x - size * side, y - size * 0.1),
                (x, y - size * 0.45),
                (x + size * side, y - size * 0.5),
                (x + size * 0.2 * side, y + size * 0.42),
            ]
        )
        stage.polygon(almond, inks.paper)
        stage.disc((x, y - size * 0.06), size * 0.36, iris)
        stage.disc((x, y - size * 0.06), size * 0.17, inks.ink)


def rooftops(stage: Stage, *, base: float, top: float, roof: Colour, window: Colour) -> None:
    """A ragged line of mansards and chimneys with a few lamps still lit."""
    x = LEFT
    while x < RIGHT:
        width = stage.random.uniform(64, 118)
        peak = top + stage.random.uniform(0, 90)
        stage.polygon(
            [
                (x, base),
                (x, peak + 46),
                (x + 16, peak),
                (x + width - 16, peak),
                (x + width, peak + 46),
                (x + width, base),
            ],
            roof,
        )
        for chimney in (0.28, 0.7):
            left = x + width * chimney
            stage.box(left, peak - stage.random.uniform(16, 44), left + 11, peak + 4, roof)
        if stage.random.random() < 0.75:
            left = x + width * stage.random.uniform(0.3, 0.6)
            stage.box(left, peak + 62, left + 10, peak + 84, window)
        x += width


def tower(stage: Stage, foot: Point, height: float, fill: Colour) -> None:
    """The iron tower of Paris, its feet at `foot`."""
    (x, y) = foot
    for side in (-1, 1):
        stage.polygon(
            limb(
                [
                    (x + side * height * 0.2, y),
                    (x + side * height * 0.1, y - height * 0.3),
                    (x + side * height * 0.035, y - height * 0.62),
                    (x, y - height),
                ],
                [height * 0.05, height * 0.035, height * 0.02, 1.5],
            ),
            fill,
        )
    for share, half in ((0.28, 0.13), (0.55, 0.07)):
        stage.box(
            x - height * half,
            y - height * share - 5,
            x + height * half,
            y - height * share + 4,
            fill,
        )


def waves(stage: Stage, *, top: float, rows: int, fill: Colour, crest: Colour) -> None:
    """Rows of scalloped waves, each lapping over the one behind."""
    for row in range(rows):
        y = top + row * 46
        radius = 46 + row * 7
        shift = (row % 2) * radius
        for index in range(math.ceil((RIGHT - LEFT) / (radius * 2)) + 1):
            centre = (LEFT + index * radius * 2 + shift, y + radius)
            stage.disc(centre, radius, fill)
            stage.line(arc(centre, radius - 6, 195, 345), crest, 3)
        stage.box(LEFT, y + radius, RIGHT, y + radius + 60, fill)


def palm(stage: Stage, foot: Point, height: float, lean: float, fill: Colour) -> None:
    """A palm tree bent by the wind."""
    (x, y) = foot
    head = (x + lean, y - height)
    stage.polygon(
        limb(
            [foot, (x + lean * 0.3, y - height * 0.5), head],
            [height * 0.035, height * 0.024, height * 0.018],
        ),
        fill,
    )
    for degrees in (-160, -130, -95, -60, -25, 8, 172):
        angle = math.radians(degrees)
        reach = height * 0.42
        middle = (
            head[0] + reach * 0.6 * math.cos(angle),
            head[1] + reach * 0.6 * math.sin(angle) - height * 0.05,
        )
        tip = (head[0] + reach * math.cos(angle), head[1] + reach * math.sin(angle) + height * 0.13)
        stage.polygon(limb([head, middle, tip], [3, height * 0.036, 1]), fill)


def cloud(stage: Stage, centre: Point, size: float, fill: Colour) -> None:
    """A flat-bottomed heap of round puffs."""
    (x, y) = centre
    for dx, dy, share in (
        (-0.9, 0.1, 0.42),
        (-0.4, -0.2, 0.6),
        (0.15, -0.34, 0.7),
        (0.66, -0.1, 0.5),
        (1.05, 0.14, 0.32),
    ):
        stage.disc((x + dx * size, y + dy * size), share * size, fill)


def heart(centre: Point, size: float) -> list[Point]:
    """A playing card's heart."""
    (x, y) = centre
    outline = []
    for step in range(80):
        turn = 2 * math.pi * step / 80
        dx = 16 * math.sin(turn) ** 3
        dy = -(
            13 * math.cos(turn)
            - 5 * math.cos(2 * turn)
            - 2 * math.cos(3 * turn)
            - math.cos(4 * turn)
        )
        outline.append((x + dx * size / 16, y + dy * size / 16))
    return outline
