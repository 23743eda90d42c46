"""Posters built on a hand: the one that clutches, the one that is marked, the one of iron."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from demo.catalog.curves import limb, mirrored, points, smooth
from demo.catalog.motifs.scenery import LEFT, RIGHT, rooftops

if TYPE_CHECKING:
    from demo.catalog.stage import Point, Stage


def clutching_hand(stage: Stage) -> None:
    """A clawed hand comes down out of the dark over a lit window."""
    inks = stage.palette
    stage.fade(start_y=760, end_y=60, fill=inks.ink, strength=0.9)
    stage.rays((360, 720), count=16, fill=inks.mid, reach=800, strength=0.6)
    stage.glow((360, 720), 330, inks.glow, 0.9)
    arm = limb([(600, -360), (500, 60), (410, 260)], [170, 118, 98])
    stage.polygon(arm, inks.ink)
    cuff = limb([(610, -360), (526, 20), (496, 110)], [190, 146, 136])
    stage.polygon(cuff, inks.deep)
    palm = smooth(points("300,220 430,190 510,260 526,360 480,440 360,450 262,400 240,300"))
    stage.polygon(palm, inks.ink)
    stage.model(palm, inks.mid, light=(270, 270), radius=170, strength=0.5)
    digits: list[tuple[list[Point], list[float]]] = [
        ([(270, 300), (170, 360), (130, 470), (170, 590)], [44, 36, 28, 5]),
        ([(300, 390), (240, 500), (236, 610), (282, 716)], [42, 35, 27, 5]),
        ([(370, 410), (346, 540), (350, 660), (384, 764)], [43, 36, 28, 5]),
        ([(440, 410), (460, 530), (462, 640), (450, 740)], [41, 34, 26, 5]),
        ([(490, 340), (580, 430), (600, 540), (560, 640)], [38, 31, 24, 4]),
    ]
    for spine, widths in digits:
        _iron(stage, spine, widths)
    rooftops(stage, base=1300, top=850, roof=inks.ink, window=inks.ink)
    stage.box(330, 826, 402, 930, inks.ink)
    stage.polygon([(312, 832), (366, 780), (420, 832)], inks.ink)
    stage.box(350, 846, 382, 886, inks.accent)
    stage.line([(366, 846), (366, 886)], inks.ink, 4)


def red_ring(stage: Stage) -> None:
    """An open hand held up, and the mark burning on the back of it."""
    inks = stage.palette
    stage.rays((360, 790), count=24, fill=inks.glow, strength=0.9)
    stage.glow((360, 800), 470, inks.paper, 0.9)
    shapes = [
        limb(spine, widths)
        for spine, widths in (
            ([(268, 720), (226, 610), (206, 500)], [44, 37, 20]),
            ([(330, 690), (312, 550), (304, 424)], [45, 38, 21]),
            ([(396, 690), (404, 548), (410, 412)], [45, 38, 21]),
            ([(458, 716), (486, 596), (504, 486)], [43, 35, 19]),
            ([(486, 880), (566, 800), (606, 706)], [48, 38, 21]),
        )
    ]
    palm = smooth(
        points("232,700 300,664 400,656 492,690 520,800 486,930 440,1010 290,1010 244,910 222,800")
    )
    wrist: list[Point] = [(288, 960), (444, 960), (470, 1200), (262, 1200)]
    for shape in (*shapes, palm, wrist):
        stage.polygon(shape, inks.ink)
    for shape in shapes:
        stage.model(shape, inks.deep, light=(180, 560), radius=260, strength=0.5)
    stage.model(palm, inks.deep, light=(220, 760), radius=200, strength=0.5)
    stage.polygon([(214, 1040), (506, 1040), (560, 1280), (160, 1280)], inks.accent)
    stage.line([(214, 1046), (506, 1046)], inks.paper, 8)
    for turn in range(5):
        stage.disc((250 + turn * 55, 1092), 9, inks.paper)
    stage.glow((362, 822), 150, inks.accent, 1.3)
    stage.ring((362, 822), 92, 26, inks.accent)
    stage.ring((362, 822), 92, 4, inks.paper)
    stage.ring((362, 822), 66, 4, inks.paper)


def iron_claw(stage: Stage) -> None:
    """Three prongs of iron close on the moon."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=250, fill=inks.ink, strength=0.6)
    stage.rays((360, 620), count=20, fill=inks.mid, strength=0.6)
    stage.disc((360, 610), 190, inks.glow)
    stage.glow((410, 550), 230, inks.paper, 0.9)
    woman = smooth(
        points("352,520 376,520 392,560 384,610 408,700 420,760 316,760 338,690 346,610 330,566")
    )
    stage.polygon(woman, inks.ink)
    stage.disc((364, 494), 20, inks.ink)
    stage.polygon(limb([(384, 548), (430, 510), (452, 470)], [11, 9, 5]), inks.ink)
    stage.polygon(limb([(342, 548), (300, 520), (286, 474)], [11, 9, 5]), inks.ink)
    cuff = mirrored([(360, 960), (452, 960), (500, 1040), (540, 1280), (360, 1280)])
    stage.polygon(cuff, inks.ink)
    stage.model(cuff, inks.mid, light=(250, 1060), radius=230, strength=0.8)
    prongs: list[tuple[list[Point], list[float]]] = [
        ([(300, 980), (130, 850), (86, 640), (180, 440), (292, 420)], [58, 54, 46, 32, 2]),
        ([(420, 980), (590, 850), (634, 640), (540, 440), (428, 420)], [58, 54, 46, 32, 2]),
        ([(360, 990), (352, 900), (362, 840), (372, 780)], [52, 44, 30, 2]),
    ]
    for spine, widths in prongs:
        _iron(stage, spine, widths)
    stage.polygon(mirrored([(360, 930), (446, 940), (462, 1010), (360, 1030)]), inks.deep)
    for x in (288, 324, 360, 396, 432):
        stage.disc((x, 984), 11, inks.glow)
        stage.disc((x + 2, 986), 7, inks.ink)


def boxing_glove(stage: Stage) -> None:
    """A glove bursts out of the ring ropes at the viewer."""
    inks = stage.palette
    stage.rays((360, 470), count=26, fill=inks.glow, strength=0.9)
    burst = []
    for index in range(28):
        reach = (330 if index % 2 else 200) + stage.random.uniform(-30, 40)
        burst.append((reach, index * 360 / 28))
    from_polar = [_from_polar((360, 450), reach, angle) for reach, angle in burst]
    stage.polygon(from_polar, inks.paper)
    stage.polygon(
        [_from_polar((360, 450), reach * 0.86, angle) for reach, angle in burst], inks.accent
    )
    for y in (640, 730, 820):
        stage.line([(LEFT, y + 46), (360, y), (RIGHT, y + 46)], inks.ink, 15)
        stage.line([(LEFT, y + 41), (360, y - 5), (RIGHT, y + 41)], inks.paper, 4)
    sleeve = [(250, 640), (476, 640), (560, 900), (170, 900)]
    stage.polygon(sleeve, inks.ink)
    glove = smooth(
        points(
            "200,420 216,320 300,262 420,256 510,300 546,390 532,500 490,590 460,660 "
            "256,664 226,590 196,510"
        ),
        steps=14,
    )
    stage.polygon(glove, inks.deep)
    stage.model(glove, inks.mid, light=(310, 340), radius=250, strength=1.1)
    stage.model(glove, inks.glow, light=(290, 320), radius=110, strength=0.9)
    thumb = smooth(
        points("186,430 162,500 180,580 250,636 340,630 396,584 388,530 330,528 276,506 240,440")
    )
    stage.polygon(thumb, inks.deep)
    stage.model(thumb, inks.mid, light=(210, 520), radius=150, strength=1.1)
    stage.line([*thumb, thumb[0]], inks.ink, 4)
    for line in (
        [(316, 276), (330, 360), (322, 440)],
        [(404, 270), (414, 360), (404, 440)],
        [(478, 300), (490, 370), (482, 430)],
    ):
        stage.polygon(limb(line, [2, 6, 2]), inks.ink)
    stage.polygon(
        smooth([(244, 640), (360, 626), (474, 638), (484, 716), (360, 732), (234, 718)]), inks.paper
    )
    for x in (300, 345, 390, 430):
        stage.line([(x - 14, 652), (x + 14, 706)], inks.ink, 4)
        stage.line([(x + 14, 652), (x - 14, 706)], inks.ink, 4)
    for x, height in ((90, 150), (196, 110), (548, 120), (640, 170)):
        _derrick(stage, x, 960, height)


def _iron(stage: Stage, spine: list[Point], widths: list[float]) -> None:
    """A dark limb with one clean streak of light down its outer side."""
    inks = stage.palette
    stage.polygon(limb(spine, widths), inks.ink)
    shifted = [
        (x - width * 0.42, y - width * 0.2)
        for (x, y), width in zip(spine[:-1], widths, strict=False)
    ]
    thin = [1.0, *[width * 0.17 for width in widths[1:-2]], 1.0]
    stage.polygon(limb(shifted, thin), inks.mid)


def _derrick(stage: Stage, x: float, y: float, height: float) -> None:
    ink = stage.palette.ink
    half = height * 0.24
    stage.line([(x - half, y), (x, y - height), (x + half, y)], ink, 6)
    for share in (0.2, 0.45, 0.68):
        reach = half * (1 - share)
        stage.line([(x - reach, y - height * share), (x + reach, y - height * share)], ink, 4)
        stage.line(
            [(x - reach, y - height * share), (x + reach * 0.7, y - height * (share + 0.2))], ink, 3
        )


def _from_polar(centre: Point, reach: float, degrees: float) -> Point:
    angle = math.radians(degrees)
    return centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)
