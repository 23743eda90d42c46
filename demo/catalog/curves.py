"""Outlines for poster shapes: smooth curves, tapering limbs, mirrored halves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]


def points(path: str) -> list[Point]:
    """Read an outline written as `x,y x,y ...`."""
    pairs = (pair.split(",") for pair in path.split())
    return [(float(x), float(y)) for x, y in pairs]


def smooth(corners: Sequence[Point], steps: int = 10) -> list[Point]:
    """Close a Catmull-Rom curve through the points; corners become bends."""
    count = len(corners)
    outline: list[Point] = []
    for index in range(count):
        knots = [corners[(index + shift) % count] for shift in (-1, 0, 1, 2)]
        outline.extend(_between(knots, step / steps) for step in range(steps))
    return outline


def mirrored(half: Sequence[Point], axis_x: float = 360) -> list[Point]:
    """Complete an outline drawn down its right side with the same points on the left."""
    return [*half, *[(2 * axis_x - x, y) for x, y in reversed(half)]]


def limb(spine: Sequence[Point], widths: Sequence[float], steps: int = 12) -> list[Point]:
    """Thicken a curved spine into a limb, horn or finger; `widths` are half-widths along it."""
    path, girth = [], []
    for index in range(len(spine) - 1):
        knots = [spine[max(0, min(len(spine) - 1, index + shift))] for shift in (-1, 0, 1, 2)]
        for step in range(steps):
            share = step / steps
            path.append(_between(knots, share))
            girth.append(widths[index] * (1 - share) + widths[index + 1] * share)
    path.append(spine[-1])
    girth.append(widths[-1])
    left, right = [], []
    for index, (x, y) in enumerate(path):
        before, after = path[max(0, index - 1)], path[min(len(path) - 1, index + 1)]
        angle = math.atan2(after[1] - before[1], after[0] - before[0]) + math.pi / 2
        dx, dy = math.cos(angle) * girth[index], math.sin(angle) * girth[index]
        left.append((x + dx, y + dy))
        right.append((x - dx, y - dy))
    return [*left, *reversed(right)]


def turned(outline: Sequence[Point], centre: Point, degrees: float) -> list[Point]:
    """Turn the outline clockwise about the centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    (cx, cy) = centre
    return [
        (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos)
        for x, y in outline
    ]


def star(centre: Point, arms: int, outer: float, inner: float, turn: float = 0) -> list[Point]:
    """A star or burst; `turn` in degrees, zero has one point straight up."""
    outline = []
    for index in range(arms * 2):
        radius = inner if index % 2 else outer
        angle = math.radians(turn - 90) + math.pi * index / arms
        outline.append((centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)))
    return outline


def arc(centre: Point, radius: float, start: float, stop: float, steps: int = 24) -> list[Point]:
    """Points along a circle between two angles in degrees, clockwise from three o'clock."""
    angles = [math.radians(start + (stop - start) * step / steps) for step in range(steps + 1)]
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles]


def _between(knots: Sequence[Point], share: float) -> Point:
    return _blend([x for x, _ in knots], share), _blend([y for _, y in knots], share)


def _blend(values: Sequence[float], share: float) -> float:
    before, start, stop, after = values
    return 0.5 * (
        2 * start
        + (stop - before) * share
        + (2 * before - 5 * start + 4 * stop - after) * share**2
        + (3 * start - before - 3 * stop + after) * share**3
    )
