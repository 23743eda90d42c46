"""Posters built on a machine: the locomotive, the balloon, the ship."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.catalog.curves import arc, limb, mirrored, points, smooth
from demo.catalog.motifs.scenery import LEFT, RIGHT, cloud, waves

if TYPE_CHECKING:
    from demo.catalog.stage import Stage


def locomotive(stage: Stage) -> None:
    """An express comes straight on, its lamp lit."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=100, fill=inks.ink, strength=0.8)
    stage.glow((360, 700), 560, inks.mid)
    for x, y, size in (
        (300, 470, 74),
        (210, 410, 96),
        (420, 430, 80),
        (110, 370, 90),
        (520, 390, 100),
        (640, 350, 96),
    ):
        cloud(stage, (x, y), size, inks.deep)
    for x, y, size in ((330, 500, 46), (250, 446, 52), (440, 470, 44), (560, 430, 50)):
        cloud(stage, (x, y), size, inks.mid)
    stage.polygon([(-200, 1200), (330, 900), (390, 900), (920, 1200)], inks.ink)
    for step in range(7):
        y = 930 + step * step * 6 + step * 8
        half = 90 + step * 62
        stage.box(360 - half, y, 360 + half, y + 6 + step * 3, inks.deep)
    for side in (1, -1):
        stage.polygon(
            [
                (360 + side * 62, 900),
                (360 + side * 70, 900),
                (360 + side * 330, 1190),
                (360 + side * 296, 1190),
            ],
            inks.glow,
        )
    stage.polygon(
        mirrored([(360, 480), (402, 480), (420, 500), (398, 560), (404, 610), (360, 616)]), inks.ink
    )
    stage.polygon(mirrored([(360, 600), (540, 640), (556, 860), (360, 880)]), inks.ink)
    stage.disc((360, 720), 190, inks.ink)
    stage.ring((360, 720), 178, 9, inks.mid)
    rim = arc((360, 720), 164, 0, 360)
    stage.polygon(rim, inks.deep)
    stage.model(rim, inks.mid, light=(300, 620), radius=220, strength=1)
    for index in range(16):
        bolt = arc((360, 720), 148, index * 22.5, index * 22.5 + 1)[0]
        stage.disc(bolt, 6, inks.ink)
    stage.glow((360, 700), 250, inks.glow, 1.1)
    beams = [(-380, 380), (-560, 560), (380, 380), (560, 560)]
    for dx, dy in beams:
        stage.polygon(
            [(360, 696), (360 + dx, dy), (360 + dx * 1.02, dy + 26), (360, 704)], inks.glow
        )
    stage.disc((360, 700), 72, inks.ink)
    stage.disc((360, 700), 60, inks.glow)
    stage.disc((360, 700), 42, inks.paper)
    stage.polygon(mirrored([(360, 880), (560, 880), (574, 930), (360, 936)]), inks.mid)
    stage.polygon(mirrored([(360, 900), (566, 900), (574, 930), (360, 936)]), inks.deep)
    stage.polygon(mirrored([(360, 936), (500, 936), (588, 1086), (360, 1100)]), inks.ink)
    for index in range(-5, 6):
        stage.line([(360 + index * 25, 940), (360 + index * 41, 1090)], inks.mid, 6)
    for side in (1, -1):
        stage.disc((360 + side * 176, 868), 22, inks.ink)
        stage.disc((360 + side * 176, 868), 14, inks.accent)
    stage.box(344, 860, 376, 900, inks.ink)


def balloon(stage: Stage) -> None:
    """A striped balloon breaks loose over the cliffs with a girl on its rope."""
    inks = stage.palette
    stage.rays((330, 330), count=24, fill=inks.mid, strength=0.85)
    stage.glow((330, 330), 520, inks.glow, 0.85)
    for x, y, size in ((120, 560, 60), (600, 470, 70), (590, 160, 46)):
        cloud(stage, (x, y), size, inks.paper)
    envelope = smooth(
        mirrored(
            points("330,84 440,100 536,190 552,310 500,430 410,530 364,588 330,590"),
            axis_x=330,
        ),
        steps=14,
    )
    stage.polygon(envelope, inks.deep)
    for half, fill in ((170, inks.paper), (116, inks.deep), (62, inks.paper), (20, inks.deep)):
        gore = smooth(
            mirrored(
                [
                    (330, 86),
                    (330 + half * 0.5, 100),
                    (330 + half * 0.9, 190),
                    (330 + half, 310),
                    (330 + half * 0.84, 430),
                    (330 + half * 0.46, 530),
                    (330 + half * 0.2, 586),
                ],
                axis_x=330,
            )
        )
        stage.polygon(gore, fill)
    stage.model(envelope, inks.ink, light=(560, 520), radius=400, strength=0.75)
    stage.model(envelope, inks.glow, light=(230, 180), radius=200, strength=0.8)
    belt = [(112, 318), (180, 352), (330, 372), (480, 352), (548, 318)]
    stage.polygon(limb(belt, [5, 10, 12, 10, 5]), inks.ink)
    for x, y in belt[1:4]:
        stage.disc((x, y), 6, inks.glow)
    for dx in (-34, -12, 12, 34):
        stage.line([(330 + dx, 580), (330 + dx * 0.9, 660)], inks.ink, 3)
    stage.polygon([(292, 656), (368, 656), (360, 716), (300, 716)], inks.ink)
    stage.line([(290, 658), (370, 658)], inks.glow, 6)
    _girl_on_rope(stage)
    _cliffs(stage)
    for x, y in ((500, 300), (560, 250), (160, 250)):
        stage.line([(x - 20, y - 9), (x, y), (x + 20, y - 9)], inks.ink, 4)


def _girl_on_rope(stage: Stage) -> None:
    """The heroine under the basket, her scarf flying."""
    inks = stage.palette
    rope = [(352, 716), (372, 780), (360, 860), (384, 930)]
    stage.polygon(limb(rope, [2, 2, 2, 2]), inks.ink)
    girl = smooth(
        points("356,806 376,800 390,830 386,862 428,914 438,946 398,930 372,962 360,930 352,866")
    )
    stage.polygon(girl, inks.ink)
    stage.model(girl, inks.paper, light=(344, 850), radius=60, strength=1)
    stage.disc((352, 790), 16, inks.ink)
    stage.polygon(limb([(364, 822), (352, 780), (364, 742)], [7, 6, 5]), inks.ink)
    stage.polygon(limb([(358, 776), (400, 764), (436, 776)], [5, 7, 2]), inks.accent)


def _cliffs(stage: Stage) -> None:
    """The two sides of the gorge."""
    inks = stage.palette
    cliff = [
        (RIGHT, 560),
        (720, 600),
        (640, 640),
        (610, 720),
        (560, 760),
        (556, 850),
        (500, 900),
        (470, 1000),
        (430, 1060),
        (420, 1400),
        (RIGHT, 1400),
    ]
    stage.polygon(cliff, inks.ink)
    stage.model(cliff, inks.deep, light=(560, 780), radius=230, strength=0.9)
    stage.polygon(
        [
            (LEFT, 760),
            (0, 800),
            (70, 830),
            (110, 900),
            (190, 950),
            (230, 1040),
            (300, 1090),
            (340, 1400),
            (LEFT, 1400),
        ],
        inks.ink,
    )


def steamship(stage: Stage) -> None:
    """A liner bears down bow first, with no one on her bridge."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=300, fill=inks.ink, strength=0.6)
    stage.rays((360, 560), count=22, fill=inks.mid, strength=0.6)
    stage.disc((500, 520), 112, inks.glow)
    stage.glow((530, 490), 150, inks.paper, 0.8)
    for x, y, size in ((250, 420, 66), (150, 390, 80), (60, 350, 90)):
        cloud(stage, (x, y), size, inks.ink)
    for dx, top in ((-58, 480), (0, 450), (58, 480)):
        stage.polygon(
            [
                (360 + dx - 26, top),
                (360 + dx + 26, top),
                (360 + dx + 32, 660),
                (360 + dx - 32, 660),
            ],
            inks.ink,
        )
        stage.box(360 + dx - 28, top + 34, 360 + dx + 28, top + 66, inks.accent)
    stage.polygon(mirrored([(360, 610), (474, 616), (486, 690), (360, 700)]), inks.paper)
    for x in range(262, 470, 30):
        stage.box(x, 634, x + 18, 652, inks.ink)
    stage.line([(360, 420), (360, 660)], inks.ink, 6)
    stage.line([(300, 470), (420, 470)], inks.ink, 4)
    hull = smooth(
        mirrored(points("360,676 440,680 540,690 560,720 500,860 424,1010 380,1110 360,1130")),
        steps=8,
    )
    stage.polygon(hull, inks.ink)
    stage.model(hull, inks.mid, light=(190, 740), radius=280, strength=1)
    stage.polygon([(356, 676), (364, 676), (366, 1130), (354, 1130)], inks.glow)
    for side in (1, -1):
        for index in range(5):
            stage.disc((360 + side * (54 + index * 30), 756 + index * 3), 7, inks.glow)
        stage.line([(360 + side * 92, 830), (360 + side * 92, 880)], inks.mid, 9)
        stage.line(arc((360 + side * 92, 866), 26, 20, 160), inks.mid, 9)
    waves(stage, top=960, rows=4, fill=inks.deep, crest=inks.paper)
    for side in (1, -1):
        stage.polygon(
            limb(
                [
                    (360, 1060),
                    (360 + side * 90, 1010),
                    (360 + side * 230, 1000),
                    (360 + side * 360, 1050),
                ],
                [6, 26, 20, 4],
            ),
            inks.paper,
        )
