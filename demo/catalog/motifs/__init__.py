"""The picture on each poster, by name, and where the title leaves it room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from demo.catalog.motifs import emblems, figures, hands, machines, places

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.catalog.stage import Stage


class Motif(NamedTuple):
    """A drawing, where the title goes, and the heights between which the drawing matters."""

    draw: Callable[[Stage], None]
    title: Literal["top", "bottom"]
    head: float
    foot: float


MOTIFS = {
    "balloon": Motif(machines.balloon, "bottom", 70, 985),
    "bat-and-moon": Motif(figures.bat_and_moon, "top", 400, 1130),
    "boxing-glove": Motif(hands.boxing_glove, "bottom", 140, 880),
    "burning-eyes": Motif(emblems.burning_eyes, "top", 450, 1170),
    "caped-avenger": Motif(figures.caped_avenger, "bottom", 215, 930),
    "clutching-hand": Motif(hands.clutching_hand, "bottom", 90, 910),
    "domino-mask": Motif(emblems.domino_mask, "bottom", 320, 800),
    "double-cross": Motif(figures.stranger_and_crosses, "top", 430, 1130),
    "falling-diamond": Motif(emblems.falling_diamond, "top", 590, 1060),
    "giant-in-mask": Motif(figures.giant_in_mask, "bottom", 140, 985),
    "gothic-house": Motif(places.gothic_house, "top", 380, 1150),
    "hooded-ghost": Motif(figures.hooded_ghost, "bottom", 110, 960),
    "iron-claw": Motif(hands.iron_claw, "top", 410, 1140),
    "locomotive": Motif(machines.locomotive, "top", 440, 1130),
    "long-shadow": Motif(figures.long_shadow, "top", 390, 1180),
    "red-ring": Motif(hands.red_ring, "top", 410, 1160),
    "riviera": Motif(places.riviera, "bottom", 320, 1010),
    "seven-pearls": Motif(emblems.seven_pearls, "bottom", 60, 880),
    "skyline": Motif(places.skyline, "top", 370, 1110),
    "stars-and-beams": Motif(emblems.stars_and_beams, "bottom", 115, 880),
    "steamship": Motif(machines.steamship, "top", 410, 1150),
    "temple": Motif(places.temple, "bottom", 140, 960),
    "three-hearts": Motif(emblems.three_hearts, "bottom", 140, 900),
}
