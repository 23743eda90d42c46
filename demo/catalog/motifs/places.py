"""Posters built on a place: the city, the temple, the house on the hill, the Riviera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.catalog.curves import limb, mirrored, points, smooth
from demo.catalog.motifs.scenery import LEFT, RIGHT, cloud, eyes, palm

if TYPE_CHECKING:
    from demo.catalog.stage import Stage


def skyline(stage: Stage) -> None:
    """New York from the ferry, and a girl with one suitcase."""
    inks = stage.palette
    stage.fade(start_y=900, end_y=200, fill=inks.ink, strength=0.6)
    stage.rays((430, 740), count=24, fill=inks.mid, strength=0.7)
    stage.disc((430, 700), 210, inks.glow)
    stage.glow((430, 700), 240, inks.paper, 0.7)
    for fill, base, low, high in ((inks.mid, 900, 640, 800), (inks.deep, 910, 560, 780)):
        x = LEFT
        while x < RIGHT:
            width = stage.random.uniform(36, 74)
            top = stage.random.uniform(low, high)
            stage.box(x, top, x + width, base, fill)
            stage.box(x + width * 0.3, top - 26, x + width * 0.7, top, fill)
            for row in range(int(top) + 24, 880, 26):
                if stage.random.random() < 0.4:
                    left = x + stage.random.uniform(8, width - 14)
                    stage.box(left, row, left + 6, row + 10, inks.glow)
            x += width + stage.random.uniform(0, 8)
    for half, top in ((46, 620), (34, 540), (22, 480), (9, 430)):
        stage.box(250 - half, top, 250 + half, 910, inks.ink)
    stage.polygon([(241, 432), (250, 380), (259, 432)], inks.ink)
    for row in range(640, 890, 30):
        for dx in (-30, -8, 14):
            stage.box(250 + dx, row, 250 + dx + 9, row + 14, inks.accent)
    stage.box(LEFT, 905, RIGHT, 1280, inks.deep)
    for row in range(9):
        half = 190 - row * 12
        middle = 430 + (row % 2 * 2 - 1) * 12
        stage.box(middle - half, 918 + row * 18, middle + half, 923 + row * 18, inks.glow)
    stage.polygon([(LEFT, 1070), (RIGHT, 1000), (RIGHT, 1500), (LEFT, 1500)], inks.ink)
    coat = smooth(
        points(
            "556,800 596,796 616,840 608,920 640,1030 648,1064 520,1066 530,1010 548,920 536,850"
        )
    )
    stage.polygon(coat, inks.ink)
    stage.model(coat, inks.accent, light=(512, 860), radius=76, strength=0.7)
    stage.disc((574, 770), 24, inks.ink)
    stage.polygon(smooth([(526, 766), (552, 738), (598, 730), (628, 752), (580, 762)]), inks.ink)
    stage.line([(548, 756), (574, 746), (606, 744)], inks.accent, 6)
    stage.polygon(limb([(606, 840), (640, 900), (648, 960)], [13, 11, 8]), inks.ink)
    stage.box(616, 964, 690, 1024, inks.ink)
    stage.line([(616, 984), (690, 984)], inks.accent, 4)


def temple(stage: Stage) -> None:
    """Domes before the sun, a stair, and eyes in the leaves."""
    inks = stage.palette
    stage.rays((360, 430), count=28, fill=inks.mid, strength=0.9)
    stage.disc((360, 400), 250, inks.glow)
    stage.glow((360, 400), 290, inks.paper, 0.7)
    for x, width, top in (
        (360, 120, 250),
        (210, 74, 380),
        (510, 74, 380),
        (106, 46, 470),
        (614, 46, 470),
    ):
        dome = smooth(
            [
                (x - width, top + width * 1.1),
                (x - width * 1.06, top + width * 0.6),
                (x - width * 0.5, top + width * 0.1),
                (x, top - width * 0.34),
                (x + width * 0.5, top + width * 0.1),
                (x + width * 1.06, top + width * 0.6),
                (x + width, top + width * 1.1),
            ]
        )
        stage.polygon(dome, inks.deep)
        stage.model(
            dome,
            inks.mid,
            light=(x - width * 0.4, top + width * 0.3),
            radius=width * 1.2,
            strength=1,
        )
        stage.box(x - width * 0.94, top + width, x + width * 0.94, 760, inks.deep)
        stage.line([(x, top - width * 0.3), (x, top - width * 0.8)], inks.deep, 6)
        stage.disc((x, top - width * 0.84), 8, inks.deep)
    arch = smooth(mirrored([(360, 440), (420, 500), (432, 600), (432, 760)]), steps=8)
    stage.polygon(arch, inks.ink)
    stage.glow((360, 660), 130, inks.glow, 0.9)
    for x in (200, 520):
        stage.polygon(
            smooth([(x - 34, 760), (x - 36, 600), (x, 530), (x + 36, 600), (x + 34, 760)], steps=6),
            inks.ink,
        )
    for step in range(6):
        half = 120 + step * 40
        stage.box(
            360 - half,
            756 + step * 24,
            360 + half,
            780 + step * 24,
            inks.deep if step % 2 else inks.ink,
        )
    stage.polygon(
        smooth(points("348,640 374,640 388,680 380,716 402,778 318,778 342,716 334,680")),
        inks.paper,
    )
    stage.disc((361, 618), 17, inks.paper)
    stage.polygon(
        points("346,606 344,590 353,598 361,584 369,598 378,590 376,606"),
        inks.accent,
    )
    _jungle(stage)


def _jungle(stage: Stage) -> None:
    """Palms, tall grass, and what waits in it."""
    inks = stage.palette
    for side in (1, -1):
        for foot, height, lean in (
            ((360 + side * 330, 1100), 560, -side * 60),
            ((360 + side * 250, 1180), 380, -side * 26),
        ):
            palm(stage, foot, height, lean, inks.ink)
    for blade in range(30):
        x = LEFT + blade * 36.0
        bend = stage.random.uniform(-60, 60)
        stage.polygon(
            limb(
                [(x, 1100), (x + bend * 0.5, 960), (x + bend, 850 + stage.random.uniform(0, 60))],
                [20, 17, 1],
            ),
            inks.ink,
        )
    stage.box(LEFT, 960, RIGHT, 1280, inks.ink)
    eyes(stage, (110, 912), gap=58, size=22, iris=inks.glow)
    eyes(stage, (610, 922), gap=46, size=17, iris=inks.glow)


def gothic_house(stage: Stage) -> None:
    """A house with one lit window under a storm, and someone in a hood before it."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=200, fill=inks.ink, strength=0.9)
    stage.glow((400, 640), 520, inks.mid)
    stage.glow((430, 560), 320, inks.glow, 0.6)
    for x, y, size in ((140, 400, 80), (330, 380, 90), (560, 400, 96), (690, 420, 70)):
        cloud(stage, (x, y), size, inks.ink)
    bolt = points(
        "560,430 510,540 552,534 500,660 540,652 486,780 600,622 556,630 610,512 566,520 600,430"
    )
    stage.polygon(bolt, inks.paper)
    stage.model(bolt, inks.glow, light=(560, 440), radius=150, strength=1)
    stage.polygon(
        smooth(
            [
                (LEFT, 1000),
                (120, 920),
                (300, 850),
                (480, 860),
                (640, 930),
                (RIGHT, 1000),
                (RIGHT, 1500),
                (LEFT, 1500),
            ]
        ),
        inks.ink,
    )
    for left, right, eave, peak in (
        (170, 290, 700, 590),
        (270, 420, 660, 520),
        (400, 500, 710, 610),
        (128, 190, 760, 690),
    ):
        stage.polygon(
            [(left, 930), (left, eave), ((left + right) / 2, peak), (right, eave), (right, 930)],
            inks.ink,
        )
    stage.box(330, 450, 362, 560, inks.ink)
    stage.polygon([(322, 456), (346, 396), (370, 456)], inks.ink)
    for x, y in ((210, 740), (246, 740), (330, 720), (330, 800), (440, 760), (150, 800)):
        stage.polygon(
            [(x, y + 34), (x, y + 8), (x + 9, y - 4), (x + 18, y + 8), (x + 18, y + 34)], inks.deep
        )
    stage.polygon([(336, 610), (336, 584), (346, 570), (356, 584), (356, 610)], inks.glow)
    stage.polygon([(366, 754), (366, 726), (376, 714), (386, 726), (386, 754)], inks.glow)
    for foot, tips in (
        ((80, 1010), ((30, 720), (96, 690), (150, 760))),
        ((650, 1000), ((600, 700), (668, 660), (706, 740))),
    ):
        for tip in tips:
            middle = ((foot[0] + tip[0]) / 2 + 16, (foot[1] + tip[1]) / 2)
            stage.polygon(limb([foot, middle, tip], [13, 8, 1]), inks.ink)
            twig = (tip[0] + 34, tip[1] + 20)
            stage.polygon(
                limb([middle, ((middle[0] + twig[0]) / 2, twig[1] + 50), twig], [6, 4, 1]), inks.ink
            )
    hood = smooth(
        points("560,866 604,884 620,950 656,1040 680,1200 448,1200 470,1040 504,950 516,884")
    )
    stage.polygon(hood, inks.ink)
    stage.model(hood, inks.mid, light=(470, 960), radius=150, strength=1)
    stage.polygon(
        smooth([(560, 888), (592, 908), (596, 950), (560, 984), (526, 950), (530, 908)]), inks.ink
    )
    eyes(stage, (561, 936), gap=36, size=11, iris=inks.glow)


def riviera(stage: Stage) -> None:
    """A villa over the bay at sunset, and a bottle on the balustrade."""
    inks = stage.palette
    stage.rays((290, 600), count=26, fill=inks.mid, strength=0.85)
    stage.disc((290, 570), 190, inks.glow)
    stage.glow((290, 570), 240, inks.paper, 0.8)
    stage.box(LEFT, 640, RIGHT, 1280, inks.deep)
    for row in range(10):
        half = 178 - row * 11
        shift = (row % 3 - 1) * 14
        stage.box(290 - half + shift, 652 + row * 17, 290 + half + shift, 658 + row * 17, inks.glow)
    stage.polygon(smooth([(LEFT, 640), (60, 600), (150, 626), (210, 650), (LEFT, 690)]), inks.ink)
    stage.polygon(
        [(RIGHT, 380), (720, 420), (600, 470), (520, 560), (470, 680), (420, 760), (RIGHT, 840)],
        inks.ink,
    )
    _villa(stage)
    palm(stage, (110, 900), 560, 70, inks.ink)
    palm(stage, (40, 920), 400, 26, inks.ink)
    stage.box(LEFT, 820, RIGHT, 856, inks.paper)
    stage.box(LEFT, 850, RIGHT, 860, inks.ink)
    for x in range(int(LEFT), int(RIGHT), 62):
        stage.polygon(
            smooth(
                [
                    (x, 860),
                    (x + 28, 860),
                    (x + 22, 900),
                    (x + 36, 960),
                    (x + 22, 1010),
                    (x + 6, 1010),
                    (x - 8, 960),
                    (x + 6, 900),
                ]
            ),
            inks.paper,
        )
    stage.box(LEFT, 1006, RIGHT, 1280, inks.ink)
    _flask(stage)


def _villa(stage: Stage) -> None:
    """The white house and its cypresses."""
    inks = stage.palette
    stage.box(540, 380, 690, 560, inks.paper)
    stage.model(
        [(540, 380), (690, 380), (690, 560), (540, 560)],
        inks.mid,
        light=(690, 560),
        radius=190,
        strength=1,
    )
    stage.polygon([(526, 384), (614, 336), (704, 384)], inks.accent)
    stage.line([(526, 384), (614, 336), (704, 384)], inks.ink, 5)
    for x in (560, 604, 648):
        for y in (410, 480):
            stage.box(x, y, x + 22, y + 40, inks.ink)
    for x, top in ((500, 400), (474, 470)):
        stage.polygon(
            smooth(
                [
                    (x, top),
                    (x + 15, top + 90),
                    (x + 12, top + 220),
                    (x - 12, top + 220),
                    (x - 15, top + 90),
                ]
            ),
            inks.ink,
        )


def _flask(stage: Stage) -> None:
    """The bottle and the vapour that takes memories away."""
    inks = stage.palette
    flask = points("432,618 460,618 460,690 520,796 508,820 384,820 372,796 432,690")
    stage.polygon(flask, inks.paper)
    stage.line([*flask, flask[0]], inks.ink, 7)
    stage.polygon(
        [(414, 736), (478, 736), (510, 796), (502, 813), (390, 813), (382, 796)], inks.deep
    )
    stage.polygon([(398, 770), (412, 746), (424, 746), (404, 782)], inks.accent)
    stage.box(428, 596, 464, 622, inks.paper)
    for start, bend in ((446, -30), (452, 34)):
        stage.polygon(
            limb(
                [
                    (start, 590),
                    (start + bend, 520),
                    (start - bend * 0.6, 450),
                    (start + bend * 0.8, 380),
                ],
                [3, 9, 7, 1],
            ),
            inks.accent,
        )
