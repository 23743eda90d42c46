"""Inks of the period: one five-colour lithographer's set per serial, and the film tints."""

from __future__ import annotations

from typing import NamedTuple

Colour = tuple[int, int, int]


class Palette(NamedTuple):
    """A poster's inks, from the key block to the bare paper."""

    ink: Colour
    deep: Colour
    mid: Colour
    glow: Colour
    accent: Colour
    paper: Colour


class Tint(NamedTuple):
    """Constant chroma of a tinted print: what blue-difference and red-difference hold."""

    cb: int
    cr: int


def _palette(inks: str) -> Palette:
    colours = [_colour(code) for code in inks.split()]
    return Palette(*colours)


def _colour(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


# Each row reads ink, deep, mid, glow, accent, paper.
PALETTES = {
    name: _palette(inks)
    for name, inks in {
        "evening-teal": "10222b 17454f 3c8a86 f3c874 f6e3b0 f1e4c6",
        "jungle-gold": "16211a 1f4a35 6d8a36 f4b93f f9d983 f3e6c4",
        "sky-vermilion": "2a1418 b5311f e7773a f8cf7c fbe9bd f4e7cb",
        "card-crimson": "230b12 7c1326 c7332f f3a24b f7dfb2 f5e9d0",
        "signal-red": "190f12 5e1418 b92f22 f5b04a fbe3b1 f2e3c4",
        "ink-emerald": "0c1713 12372b 2c7a55 cfe08a f2ecb4 efe7c8",
        "midnight-gold": "0b1024 16224d 35518f f2cf73 f9ecc0 efe6cb",
        "ivory-scarlet": "2a1513 d9b98a ecd9b0 fbf0d2 b3191c f5ead0",
        "paris-violet": "140d20 2c1c4d 65478f e9c9a0 f3dfc0 ece0cc",
        "fog-cobalt": "0c1420 1b3154 4b6f97 d9d6b8 f4e6b4 ece4cc",
        "chateau-rust": "1d110d 5b2617 ab5324 f1b765 f8e2b4 f2e4c5",
        "rust-brass": "17130f 4a2d1b 8f5a28 e9b751 f6df9f f0e2c0",
        "blood-cream": "260808 d8bd8c ead7ac f7ead0 a30f18 f5ead2",
        "smoke-orange": "181214 3b2b33 8d4a35 f39a3d fbd892 f1e3c6",
        "flag-navy": "0d152b 1b2d58 a5262b f2e3bd f8efd4 f2e7cd",
        "plum-lilac": "1d0f24 4a1f56 8d5298 e6b9c8 f7dfc2 f0e2d0",
        "sand-indigo": "131531 272b66 7a6a86 e9c48b f7e4b8 f3e5c8",
        "sea-pearl": "0c2030 124663 3a8ca3 cfe6dc f6efd8 eef0dd",
        "fog-silver": "14171b 343c44 78848c d5d6cb f0e3b6 eae6d6",
        "deep-teal": "081a20 0f3d47 2f7f80 f0c879 f8e7b7 eee6cb",
        "storm-mustard": "1a150f 4f4222 a58a32 ecd25e f8edb0 f1e8c6",
        "riviera-coral": "241329 8a2f4f e2705a fbc583 fdebbf f6ead0",
        "ring-orange": "20120c 8c3413 d9702a f7c65b fdebb8 f4e6c6",
    }.items()
}

# Hand-tinted stock kept its blacks, so a tint is chroma alone and luma stays the picture.
TINTS = {
    "amber": Tint(cb=104, cr=142),
    "sepia": Tint(cb=114, cr=137),
    "rose": Tint(cb=121, cr=145),
    "violet": Tint(cb=138, cr=135),
    "blue": Tint(cb=144, cr=116),
    "night": Tint(cb=139, cr=121),
    "green": Tint(cb=117, cr=119),
    "slate": Tint(cb=132, cr=122),
}
