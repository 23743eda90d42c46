"""Posters built on one object: cards, pearls, a diamond, a mask, eyes in a stain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from demo.catalog.curves import arc, limb, mirrored, points, smooth, star, turned
from demo.catalog.motifs.scenery import LEFT, RIGHT, eyes, heart, rooftops, waves

if TYPE_CHECKING:
    from demo.catalog.stage import Point, Stage


def three_hearts(stage: Stage) -> None:
    """The three of hearts, falling through flames."""
    inks = stage.palette
    stage.rays((360, 480), count=22, fill=inks.mid, strength=0.8)
    stage.glow((360, 500), 460, inks.glow, 0.8)
    centre, tilt = (360.0, 470.0), -11.0
    for inset, fill in ((0, inks.ink), (7, inks.paper), (24, inks.mid), (28, inks.paper)):
        corners = [
            (200 + inset, 180 + inset),
            (520 - inset, 180 + inset),
            (520 - inset, 760 - inset),
            (200 + inset, 760 - inset),
        ]
        stage.polygon(turned(corners, centre, tilt), fill)
    for y in (290, 470, 650):
        pip = turned(heart((360, y), 74), centre, tilt)
        stage.polygon(pip, inks.deep)
        stage.model(pip, inks.mid, light=pip[8], radius=110, strength=1)
    for x, y, flip in ((236, 232, 1), (484, 708, -1)):
        stage.polygon(turned(heart((x, y + 26 * flip), 17 * flip), centre, tilt), inks.deep)
        for bar in (-8, 0, 8):
            stage.line(
                turned([(x - 9, y - 22 * flip + bar), (x + 9, y - 22 * flip + bar)], centre, tilt),
                inks.deep,
                5,
            )
    for fill, tip, shift in (
        (inks.ink, 690, 0),
        (inks.deep, 740, 42),
        (inks.mid, 800, 8),
        (inks.glow, 868, 50),
        (inks.ink, 950, 20),
    ):
        for index in range(13):
            root = LEFT + index * 90 + shift
            top = tip + stage.random.uniform(-34, 60)
            sway = stage.random.uniform(-26, 26)
            stage.polygon(
                limb(
                    [
                        (root, 1240),
                        (root + sway, (top + 1160) / 2),
                        (root - sway, top + 70),
                        (root + sway, top),
                    ],
                    [64, 54, 22, 1],
                ),
                fill,
            )


def seven_pearls(stage: Stage) -> None:
    """Seven pearls on a broken string above the sea."""
    inks = stage.palette
    stage.fade(start_y=900, end_y=100, fill=inks.ink, strength=0.6)
    stage.rays((360, 380), count=20, fill=inks.mid, reach=1000, strength=0.7)
    stage.disc((360, 330), 150, inks.accent)
    stage.disc((402, 300), 136, inks.deep)
    stage.glow((402, 300), 150, inks.mid, 0.7)
    string = points("90,60 110,260 190,470 360,600 530,500 610,330 600,240")
    stage.polygon(limb(string, [2] * 7), inks.paper)
    beads = [
        ((118, 290), 44),
        ((176, 430), 52),
        ((276, 546), 60),
        ((392, 596), 68),
        ((508, 520), 60),
        ((584, 404), 52),
        ((470, 760), 46),
    ]
    for (x, y), radius in beads:
        rim = arc((x, y), radius, 0, 360)
        stage.polygon(rim, inks.mid)
        stage.model(
            rim,
            inks.paper,
            light=(x - radius * 0.3, y - radius * 0.35),
            radius=radius * 1.35,
            strength=1.5,
        )
        stage.model(
            rim, inks.ink, light=(x + radius, y + radius), radius=radius * 1.1, strength=0.8
        )
        stage.ellipse(
            (x - radius * 0.34, y - radius * 0.4), radius * 0.2, radius * 0.13, (255, 255, 255)
        )
    for x, y, size in ((84, 520, 15), (640, 190, 20), (232, 230, 12), (560, 690, 16)):
        stage.polygon(star((x, y), 4, size * 1.6, size * 0.3), inks.paper)
    waves(stage, top=800, rows=5, fill=inks.ink, crest=inks.mid)


def falling_diamond(stage: Stage) -> None:
    """A great cut stone falls out of the stars with its tail behind it."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=350, fill=inks.ink, strength=0.8)
    for _ in range(90):
        spot = (stage.random.uniform(30, 690), stage.random.uniform(30, 900))
        stage.disc(spot, stage.random.uniform(0.8, 2.4), inks.paper)
    for width, fill in ((230, inks.deep), (160, inks.mid), (90, inks.glow), (34, inks.paper)):
        tail = [
            (300, 760),
            (300 - width * 0.3, 700),
            (790, 40),
            (830, 120),
            (300 + width * 0.55, 840),
        ]
        stage.polygon(tail, fill)
    stage.glow((300, 760), 360, inks.glow, 0.9)
    crown = [(150, 700), (222, 632), (300, 612), (380, 632), (452, 700)]
    girdle_y, point = 700.0, (300.0, 912.0)
    facets = [inks.paper, inks.glow, inks.paper, inks.mid]
    for index in range(4):
        stage.polygon(
            [crown[index], crown[index + 1], (188 + index * 75, girdle_y)], facets[(index + 1) % 4]
        )
    table = [150, 226, 300, 376, 452]
    for index, fill in enumerate((inks.glow, inks.paper, inks.mid, inks.accent)):
        stage.polygon([(table[index], girdle_y), (table[index + 1], girdle_y), point], fill)
        stage.polygon(
            [
                (table[index], girdle_y),
                crown[index],
                crown[index + 1],
                (table[index + 1], girdle_y),
            ],
            (inks.accent, inks.glow, inks.paper, inks.mid)[index],
        )
    for start in (*crown, (226, girdle_y), (376, girdle_y)):
        stage.line([start, point if start[1] == girdle_y else (start[0], girdle_y)], inks.ink, 2)
    stage.line([*crown, point, crown[0]], inks.ink, 5)
    stage.line([(150, girdle_y), (452, girdle_y)], inks.ink, 3)
    for x, y, size in ((214, 640, 44), (420, 690, 26), (330, 850, 20)):
        stage.polygon(star((x, y), 4, size, size * 0.12), (255, 255, 255))
    stage.polygon(
        smooth(
            [
                (LEFT, 1010),
                (120, 960),
                (300, 1020),
                (480, 950),
                (650, 1000),
                (RIGHT, 950),
                (RIGHT, 1500),
                (LEFT, 1500),
            ]
        ),
        inks.ink,
    )
    stage.box(470, 930, 610, 1000, inks.ink)
    stage.polygon([(456, 934), (540, 888), (624, 934)], inks.ink)
    for x in (490, 524, 558, 590):
        stage.box(x, 950, x + 10, 972, inks.glow)


def domino_mask(stage: Stage) -> None:
    """A silk mask as wide as the sky, over the roofs it robs."""
    inks = stage.palette
    stage.rays((360, 470), count=26, fill=inks.mid, strength=0.75)
    stage.glow((360, 470), 420, inks.glow, 0.7)
    for side in (1, -1):
        ribbon = limb(
            [
                (360 + side * 280, 440),
                (360 + side * 330, 560),
                (360 + side * 250, 660),
                (360 + side * 300, 800),
            ],
            [20, 26, 22, 4],
        )
        stage.polygon(ribbon, inks.deep)
        stage.model(ribbon, inks.mid, light=(360 + side * 320, 560), radius=120, strength=0.9)
    mask = smooth(
        mirrored(
            points(
                "360,428 420,370 520,330 650,350 668,430 630,540 540,600 452,586 390,520 360,500"
            )
        ),
        steps=14,
    )
    stage.polygon(mask, inks.deep)
    stage.model(mask, inks.mid, light=(240, 380), radius=250, strength=1.1)
    stage.model(mask, inks.ink, light=(600, 620), radius=260, strength=0.9)
    for side in (1, -1):
        hole = smooth(
            [
                (360 + side * 70, 470),
                (360 + side * 130, 420),
                (360 + side * 220, 430),
                (360 + side * 246, 466),
                (360 + side * 170, 512),
                (360 + side * 100, 506),
            ]
        )
        stage.polygon(hole, inks.ink)
    eyes(stage, (360, 466), gap=310, size=54, iris=inks.accent)
    trim = mirrored([(360, 436), (424, 382), (520, 344), (636, 362)])
    stage.line(trim[:4], inks.accent, 5)
    stage.line(trim[4:], inks.accent, 5)
    for index in range(13):
        x = 150 + index * 35
        y = 690 + 90 * math.sin(math.pi * index / 12)
        gem = [(x, y - 15), (x + 13, y), (x, y + 17), (x - 13, y)]
        stage.polygon(gem, inks.accent if index % 2 else inks.paper)
        stage.line([*gem, gem[0]], inks.ink, 2)
    rooftops(stage, base=1400, top=850, roof=inks.ink, window=inks.ink)


def burning_eyes(stage: Stage) -> None:
    """A great stain with two eyes burning in it."""
    inks = stage.palette
    stage.rays((360, 760), count=28, fill=inks.glow, strength=1)
    outline: list[Point] = []
    for index in range(36):
        angle = 2 * math.pi * index / 36
        reach = 236 + stage.random.uniform(-34, 60) + (46 if index % 5 == 0 else 0)
        outline.append((360 + reach * 1.06 * math.cos(angle), 730 + reach * math.sin(angle)))
    blot = smooth(outline)
    stage.polygon(blot, inks.accent)
    stage.model(blot, inks.ink, light=(360, 900), radius=400, strength=0.9)
    for x, top, end, width in (
        (230, 900, 1080, 15),
        (330, 940, 1150, 19),
        (432, 940, 1040, 13),
        (508, 880, 1120, 16),
    ):
        stage.polygon(
            limb([(x, top), (x, (top + end) / 2), (x, end)], [width * 1.8, width * 0.7, width]),
            inks.accent,
        )
        stage.disc((x, end), width, inks.accent)
    for _ in range(26):
        angle, reach = stage.random.uniform(0, 6.28), stage.random.uniform(300, 420)
        spot = (360 + reach * math.cos(angle), 720 + reach * 0.95 * math.sin(angle))
        stage.disc(spot, stage.random.uniform(3, 15), inks.accent)
    head = smooth(
        mirrored([(360, 560), (450, 590), (486, 700), (456, 850), (400, 930), (360, 940)])
    )
    stage.polygon(head, inks.ink)
    stage.model(head, inks.accent, light=(250, 740), radius=190, strength=0.9)
    stage.glow((300, 716), 84, inks.accent, 1.2)
    stage.glow((420, 716), 84, inks.accent, 1.2)
    eyes(stage, (360, 716), gap=124, size=42, iris=inks.accent)
    for side in (1, -1):
        stage.polygon(
            limb(
                [(360 + side * 22, 700), (360 + side * 70, 668), (360 + side * 118, 672)], [4, 9, 2]
            ),
            inks.ink,
        )
    stage.line([(316, 860), (360, 850), (404, 860)], inks.accent, 5)


def stars_and_beams(stage: Stage) -> None:
    """Searchlights cross on a star above the fleet."""
    inks = stage.palette
    stage.fade(start_y=900, end_y=100, fill=inks.ink, strength=0.7)
    for x, tip in ((90, (470, 40)), (250, (600, 60)), (470, (120, 60)), (640, (260, 40))):
        stage.polygon(
            [(x - 8, 800), (x + 8, 800), (tip[0] + 76, tip[1] - 60), (tip[0] - 76, tip[1] - 60)],
            inks.deep,
        )
    stage.rays((360, 400), count=13, fill=inks.mid, reach=900, strength=0.9, turn=0.12)
    stage.glow((360, 400), 330, inks.glow, 0.9)
    for size, fill in ((286, inks.ink), (272, inks.mid), (236, inks.paper)):
        stage.polygon(star((360, 410), 5, size, size * 0.42), fill)
    corners = star((360, 410), 5, 236, 236 * 0.42)
    for index in range(0, 10, 2):
        stage.polygon([corners[index], corners[(index + 1) % 10], (360, 410)], inks.glow)
        stage.model(
            [corners[index], corners[(index + 1) % 10], (360, 410)],
            inks.deep,
            light=corners[(index + 1) % 10],
            radius=150,
            strength=0.8,
        )
    for index, fill in enumerate((inks.paper, inks.mid, inks.paper, inks.mid)):
        y = 660 + index * 34
        band = [
            (LEFT, y),
            (0, y + 24),
            (120, y - 14),
            (300, y + 26),
            (470, y - 10),
            (640, y + 24),
            (760, y),
            (RIGHT, y + 20),
        ]
        stage.polygon(limb(band, [18] * 8), fill)
    _battleship(stage, 180, 842, 1.0)
    _battleship(stage, 540, 830, 0.8)
    stage.box(LEFT, 838, RIGHT, 1280, inks.ink)
    for row in range(4):
        for x in range(int(LEFT) + row * 37, int(RIGHT), 120):
            stage.line([(x, 860 + row * 22), (x + 46, 860 + row * 22)], inks.deep, 3)


def _battleship(stage: Stage, x: float, y: float, size: float) -> None:
    ink = stage.palette.ink
    hull = [(-170, -46), (176, -46), (150, 4), (-150, 4)]
    stage.polygon([(x + dx * size, y + dy * size) for dx, dy in hull], ink)
    for left, top, right in ((-96, -72, 110), (-52, -96, 70), (-34, -166, -6), (22, -166, 50)):
        stage.box(x + left * size, y + top * size, x + right * size, y - 40 * size, ink)
    for mast in (-74, 84):
        stage.line([(x + mast * size, y - 40 * size), (x + mast * size, y - 190 * size)], ink, 5)
    for gun in (-1, 1):
        stage.line(
            [(x + gun * 80 * size, y - 80 * size), (x + gun * 160 * size, y - 98 * size)], ink, 7
        )
