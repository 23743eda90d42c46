"""Posters built on one looming figure: the masked men, the avenger, the ghost, the bat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.catalog.curves import limb, mirrored, points, smooth
from demo.catalog.motifs.scenery import LEFT, RIGHT, eyes, rooftops, tower

if TYPE_CHECKING:
    from demo.catalog.stage import Stage


def giant_in_mask(stage: Stage) -> None:
    """A man in evening dress, masked, as tall as the night, with Paris at his elbows."""
    inks = stage.palette
    stage.fade(start_y=900, end_y=300, fill=inks.ink, strength=0.7)
    stage.glow((360, 520), 620, inks.mid)
    stage.glow((360, 470), 420, inks.glow, 0.75)
    coat = mirrored(points("360,600 412,628 470,668 590,716 652,800 700,1200 360,1200"))
    stage.polygon(coat, inks.ink)
    stage.model(coat, inks.mid, light=(60, 760), radius=260, strength=0.5)
    stage.polygon(mirrored([(360, 690), (398, 640), (418, 668), (360, 820)]), inks.paper)
    stage.polygon(mirrored([(360, 694), (392, 668), (396, 726)]), inks.ink)
    stage.polygon(
        mirrored([(360, 690), (420, 640), (446, 690), (392, 800), (360, 880)])[:5], inks.deep
    )
    face = smooth(
        mirrored([(360, 370), (420, 376), (440, 440), (436, 520), (408, 596), (360, 628)])
    )
    stage.polygon(face, inks.paper)
    stage.model(face, inks.deep, light=(280, 560), radius=170, strength=0.9)
    mask = smooth(
        mirrored([(360, 452), (400, 436), (452, 440), (448, 492), (410, 520), (374, 500)])
    )
    stage.polygon(mask, inks.ink)
    eyes(stage, (360, 478), gap=78, size=17, iris=inks.accent)
    stage.line([(338, 572), (362, 566), (388, 572)], inks.deep, 5)
    crown = mirrored([(360, 150), (436, 150), (446, 168), (430, 372), (360, 380)])
    stage.polygon(crown, inks.ink)
    stage.model(crown, inks.mid, light=(300, 200), radius=170, strength=0.8)
    stage.polygon(mirrored([(360, 336), (433, 332), (432, 368), (360, 372)]), inks.deep)
    stage.polygon(
        smooth(mirrored([(360, 362), (470, 352), (520, 366), (470, 392), (360, 398)])), inks.ink
    )
    tower(stage, (640, 960), 250, inks.ink)
    rooftops(stage, base=1300, top=930, roof=inks.ink, window=inks.ink)


def caped_avenger(stage: Stage) -> None:
    """A broad hat and a great cape on the castle stair, with the moon behind."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=200, fill=inks.ink, strength=0.75)
    stage.glow((390, 470), 560, inks.mid)
    stage.disc((390, 430), 218, inks.glow)
    stage.glow((450, 380), 260, inks.paper, 0.7)
    for x, height in ((60, 700), (150, 610), (610, 560), (690, 640)):
        stage.box(x - 48, height, x + 48, 1180, inks.ink)
        for notch in (-48, -8, 32):
            stage.box(x + notch, height - 26, x + notch + 18, height, inks.ink)
    cape = smooth(
        points(
            "352,430 440,452 476,560 560,700 660,800 596,836 520,830 470,900 380,880 "
            "300,920 230,860 206,800 262,660 284,520"
        ),
        steps=14,
    )
    stage.polygon(cape, inks.ink)
    stage.model(cape, inks.mid, light=(560, 640), radius=230, strength=0.85)
    for fold in (
        [(392, 500), (420, 660), (470, 860)],
        [(336, 520), (330, 680), (300, 880)],
        [(420, 480), (500, 660), (590, 800)],
    ):
        stage.polygon(limb(fold, [1, 7, 2]), inks.deep)
    stage.polygon(
        smooth(points("318,330 372,312 420,340 424,420 384,470 330,458 308,400")),
        inks.paper,
    )
    stage.polygon(
        smooth([(304, 330), (372, 322), (428, 338), (428, 404), (368, 416), (306, 404)]), inks.ink
    )
    stage.polygon(smooth([(318, 420), (362, 440), (420, 424), (392, 476), (330, 466)]), inks.ink)
    stage.polygon(
        smooth(
            points(
                "200,372 270,330 312,300 330,232 400,224 436,290 480,318 540,350 470,370 "
                "360,356 270,378"
            )
        ),
        inks.ink,
    )
    stage.line([(314, 312), (372, 300), (436, 304)], inks.mid, 9)
    eyes(stage, (366, 386), gap=52, size=12, iris=inks.mid)
    for x, y in ((560, 250), (628, 310), (150, 300)):
        stage.polygon(
            smooth(
                [
                    (x, y),
                    (x + 26, y - 26),
                    (x + 16, y + 2),
                    (x + 34, y + 12),
                    (x, y + 14),
                    (x - 36, y - 12),
                ]
            ),
            inks.paper,
        )
    stage.polygon([(LEFT, 910), (RIGHT, 850), (RIGHT, 1400), (LEFT, 1400)], inks.ink)


def bat_and_moon(stage: Stage) -> None:
    """A dancer in bat's wings on the ridge of the roofs, against the moon."""
    inks = stage.palette
    stage.fade(start_y=980, end_y=330, fill=inks.ink, strength=0.6)
    stage.glow((360, 690), 520, inks.mid)
    stage.disc((360, 680), 258, inks.glow)
    stage.glow((430, 600), 300, inks.paper, 0.8)
    wing = points(
        "360,590 400,566 470,520 560,452 668,408 640,470 650,540 612,560 606,640 "
        "566,640 544,716 504,700 470,770 436,738 404,800 360,820"
    )
    stage.polygon(mirrored(wing), inks.ink)
    for side in (1, -1):
        for tip in ((612, 560), (566, 640), (504, 700)):
            end = (360 + side * (tip[0] - 360), tip[1])
            stage.line([(360 + side * 60, 560), end], inks.deep, 4)
    body = smooth(
        mirrored(
            points(
                "360,500 382,512 402,560 396,620 384,668 400,730 392,830 378,930 384,1010 366,1012"
            )
        ),
        steps=14,
    )
    stage.polygon(body, inks.ink)
    stage.model(body, inks.mid, light=(420, 640), radius=150, strength=0.9)
    stage.polygon(
        smooth(mirrored([(360, 420), (390, 430), (396, 470), (378, 512), (360, 520)])), inks.ink
    )
    stage.polygon(smooth([(336, 456), (384, 456), (382, 486), (362, 508), (340, 488)]), inks.paper)
    stage.polygon(smooth([(332, 452), (388, 452), (384, 476), (362, 470), (338, 476)]), inks.ink)
    eyes(stage, (360, 464), gap=24, size=5, iris=inks.accent)
    rooftops(stage, base=1400, top=990, roof=inks.ink, window=inks.glow)
    tower(stage, (128, 1000), 210, inks.ink)


def hooded_ghost(stage: Stage) -> None:
    """A pale hood over the columns of a bank."""
    inks = stage.palette
    stage.fade(start_y=1000, end_y=100, fill=inks.ink, strength=0.9)
    stage.rays((360, 330), count=14, fill=inks.mid, reach=900, strength=0.6)
    shroud = smooth(
        mirrored(
            points(
                "360,120 430,140 486,230 500,330 560,430 640,560 664,720 600,800 520,760 "
                "440,830 360,780"
            )
        ),
        steps=14,
    )
    stage.polygon(shroud, inks.mid)
    stage.model(shroud, inks.glow, light=(250, 300), radius=420, strength=1)
    stage.model(shroud, inks.deep, light=(640, 740), radius=330, strength=0.9)
    for side in (1, -1):
        for fold in ([(60, 430), (92, 560), (74, 760)], [(126, 430), (190, 580), (206, 740)]):
            stage.polygon(limb([(360 + side * dx, y) for dx, y in fold], [1, 9, 3]), inks.deep)
    hollow = smooth(mirrored([(360, 196), (412, 222), (430, 300), (412, 390), (360, 430)]))
    stage.polygon(hollow, inks.ink)
    eyes(stage, (360, 308), gap=64, size=13, iris=inks.accent)
    stage.polygon([(90, 790), (360, 690), (630, 790)], inks.ink)
    stage.polygon([(150, 776), (360, 704), (570, 776)], inks.deep)
    stage.box(90, 790, 630, 822, inks.ink)
    for column in range(6):
        x = 116 + column * 94
        stage.box(x, 822, x + 40, 1180, inks.deep)
        stage.box(x + 6, 822, x + 14, 1180, inks.mid)
    stage.fade(start_y=860, end_y=980, fill=inks.ink)


def stranger_and_crosses(stage: Stage) -> None:
    """A masked head under a soft hat, and the double cross as a brand behind it."""
    inks = stage.palette
    stage.rays((360, 640), count=22, fill=inks.mid, strength=0.6)
    stage.glow((360, 640), 430, inks.glow, 0.9)
    for shift in (-150, 150):
        for lean in (1, -1):
            stage.line(
                [(360 + shift - 130 * lean, 450), (360 + shift + 130 * lean, 800)], inks.accent, 34
            )
            stage.line(
                [(360 + shift - 130 * lean, 450), (360 + shift + 130 * lean, 800)], inks.deep, 8
            )
    coat = smooth(
        mirrored([(360, 830), (430, 850), (540, 920), (640, 1010), (720, 1280), (360, 1300)])
    )
    stage.polygon(coat, inks.ink)
    stage.model(coat, inks.mid, light=(120, 980), radius=240, strength=0.6)
    face = smooth(mirrored([(360, 560), (452, 590), (468, 700), (436, 820), (360, 884)]))
    stage.polygon(face, inks.paper)
    stage.model(face, inks.deep, light=(500, 800), radius=230, strength=1)
    stage.polygon(
        smooth(mirrored([(360, 690), (420, 664), (480, 672), (474, 746), (420, 772), (376, 742)])),
        inks.ink,
    )
    eyes(stage, (360, 716), gap=104, size=20, iris=inks.accent)
    stage.line([(330, 836), (360, 830), (392, 836)], inks.deep, 6)
    stage.polygon(
        smooth(
            points(
                "150,668 250,606 262,520 300,452 400,440 450,500 464,600 580,650 470,664 "
                "360,640 250,670"
            )
        ),
        inks.ink,
    )
    stage.polygon(
        smooth([(252, 606), (360, 578), (466, 598), (470, 628), (360, 612), (248, 638)]),
        inks.accent,
    )
    stage.polygon(mirrored([(360, 930), (440, 868), (560, 960), (400, 1100)]), inks.ink)


def long_shadow(stage: Stage) -> None:
    """A small woman in a lit doorway and the huge shadow that guards her."""
    inks = stage.palette
    stage.fade(start_y=700, end_y=60, fill=inks.ink, strength=0.8)
    stage.polygon([(200, 360), (690, 300), (690, 1180), (120, 1180)], inks.mid)
    wall = [(200, 360), (690, 300), (690, 1180), (120, 1180)]
    stage.model(wall, inks.glow, light=(400, 1010), radius=620, strength=1)
    shadow = smooth(
        points(
            "420,420 478,404 520,452 528,520 600,570 660,700 690,880 640,960 560,900 "
            "520,1010 430,960 330,1040 300,900 230,900 300,690 360,570 400,520"
        ),
        steps=14,
    )
    stage.polygon(shadow, inks.ink)
    stage.model(shadow, inks.deep, light=(560, 760), radius=220, strength=0.9)
    eyes(stage, (468, 476), gap=54, size=13, iris=inks.accent)
    for x, lean in ((236, -1), (640, 1)):
        for finger in range(4):
            tip = (x + lean * (18 + finger * 10), 880 + finger * 22 - 40)
            stage.polygon(
                limb([(x, 900), (x + lean * 10, 880 + finger * 10), tip], [13, 9, 3]), inks.ink
            )
    floor = [(LEFT, 1090), (RIGHT, 1000), (RIGHT, 1500), (LEFT, 1500)]
    stage.polygon(floor, inks.ink)
    stage.polygon([(300, 1040), (430, 1030), (640, 1180), (120, 1180)], inks.glow)
    stage.polygon(
        smooth(
            points(
                "352,960 380,952 398,976 396,1020 428,1104 440,1144 310,1150 330,1092 "
                "346,1020 338,984"
            )
        ),
        inks.paper,
    )
    stage.disc((367, 936), 20, inks.paper)
    stage.polygon(smooth([(330, 930), (352, 908), (390, 904), (412, 926), (372, 930)]), inks.mid)
