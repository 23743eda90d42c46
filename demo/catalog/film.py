"""Frames as a hand-cranked projector shows them: iris, push-in, weave, flicker and scratches."""

from __future__ import annotations

import hashlib
import math
import random
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageChops, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 360
HEIGHT = 640
FRAMES_PER_SECOND = 12

_IRIS_FRAMES = 9
_DISSOLVE_FRAMES = 5
_PUSH_IN = 0.05


class Shot(NamedTuple):
    """A greyscale still and how many frames the camera stays on it."""

    still: Image.Image
    frames: int


def project(shots: Sequence[Shot], *, seed: str) -> Iterator[Image.Image]:
    """Yield the film's frames: iris in, each shot dissolving into the next, iris out.

    The same seed yields the same frames.
    """
    dice = random.Random(hashlib.sha256(seed.encode()).digest())  # noqa: S311 - wear of a print
    total = sum(shot.frames for shot in shots)
    index = 0
    for number, shot in enumerate(shots):
        following = shots[number + 1] if number + 1 < len(shots) else None
        for step in range(shot.frames):
            # The picture moves on every second frame, as drawn films do; the iris on each.
            if step % 2 == 0:
                frame = _scratched(_exposed(shot, following, step, dice), dice)
            yield _irised(frame, index, total)
            index += 1


def _exposed(shot: Shot, following: Shot | None, step: int, dice: random.Random) -> Image.Image:
    frame = _framed(shot, step, dice)
    left = shot.frames - step
    if following and left <= _DISSOLVE_FRAMES:
        share = 1 - left / (_DISSOLVE_FRAMES + 1)
        frame = Image.blend(frame, _framed(following, 0, dice), share)
    gain = 1 + dice.uniform(-0.07, 0.04)
    return frame.point([min(255, round(level * gain)) for level in range(256)])


def _framed(shot: Shot, step: int, dice: random.Random) -> Image.Image:
    still = shot.still
    reach = still.width / WIDTH / (1 + _PUSH_IN * step / max(1, shot.frames))
    left = (still.width - WIDTH * reach) / 2 + dice.uniform(-0.4, 0.4)
    top = (still.height - HEIGHT * reach) / 2 + dice.uniform(-0.5, 0.5)
    # The gate's weave may not reach past the still's edge.
    left = min(max(left, 0.0), still.width - WIDTH * reach)
    top = min(max(top, 0.0), still.height - HEIGHT * reach)
    window = (left, top, left + WIDTH * reach, top + HEIGHT * reach)
    return still.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=window)


def _irised(frame: Image.Image, index: int, total: int) -> Image.Image:
    open_share = min(index + 1, total - index) / _IRIS_FRAMES
    if open_share >= 1:
        return frame
    radius = max(4.0, math.hypot(WIDTH, HEIGHT) / 2 * open_share**1.6)
    size = round(radius * 2 * 1.08)
    # Pillow's gradient is 181 at the rim of the inscribed circle; the last of it is soft.
    edge = [255 if level < 158 else max(0, 255 - (level - 158) * 11) for level in range(256)]
    hole = Image.radial_gradient("L").point(edge).resize((size, size))
    mask = Image.new("L", frame.size, 0)
    mask.paste(hole, ((WIDTH - size) // 2, (HEIGHT - size) // 2))
    return ImageChops.multiply(frame, mask)


def _scratched(frame: Image.Image, dice: random.Random) -> Image.Image:
    pen = ImageDraw.Draw(frame)
    if dice.random() < 0.2:
        x = dice.uniform(0, WIDTH)
        pen.line([(x, 0), (x + dice.uniform(-3, 3), HEIGHT)], fill=dice.randint(70, 130), width=1)
    for _ in range(dice.randint(0, 2)):
        x, y, size = dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT), dice.uniform(0.6, 2.2)
        pen.ellipse((x - size, y - size, x + size, y + size * 1.4), fill=dice.randint(90, 190))
    return frame
