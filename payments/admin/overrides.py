"""Prices of single episodes as operators write them: `12: 80`, or `20-24: 90`, one a line."""

import re
from collections.abc import Mapping

from payments.models.prices import MAXIMUM_PRICE_COINS

MAXIMUM_NUMBER = 10_000
#: Enough sentences to start mending with.
MAXIMUM_COMPLAINTS = 5

_LINE = re.compile(r"(\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?\s*[:=]\s*(\d{1,9})", re.ASCII)


class OverridesInvalid(Exception):
    """Lines that are no prices; `complaints` has a sentence for each of the first few."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(" ".join(complaints))
        self.complaints = complaints


def read(text: str) -> dict[int, int]:
    """Episode number → price in coins. Raises OverridesInvalid."""
    prices: dict[int, int] = {}
    complaints: list[str] = []
    for position, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if complaint := _read_line(line.strip(), prices):
            complaints.append(f"Line {position}: {complaint}")
        if len(complaints) == MAXIMUM_COMPLAINTS:
            break
    if complaints:
        raise OverridesInvalid(complaints)
    return prices


def _read_line(line: str, prices: dict[int, int]) -> str:
    """Adds a line's prices to `prices`; returns what is wrong with it, or nothing."""
    match = _LINE.fullmatch(line)
    if match is None:
        return f"“{line[:40]}” is not an episode and a price. Write “12: 80” or “20-24: 90”."
    first, price = int(match[1]), int(match[3])
    last = int(match[2] or first)
    if not 1 <= first <= last <= MAXIMUM_NUMBER:
        return f"Episodes are counted from 1 to {MAXIMUM_NUMBER:,}, smaller first."
    if price > MAXIMUM_PRICE_COINS:
        return f"{price:,} coins is more than an episode may cost ({MAXIMUM_PRICE_COINS:,})."
    for number in range(first, last + 1):
        if number in prices:
            return f"Episode {number} has a price on an earlier line."
        prices[number] = price
    return ""


def write(prices: Mapping[int, int]) -> str:
    """`prices` as `read` takes them, neighbours of one price on one line."""
    lines: list[tuple[int, int, int]] = []
    for number, price in sorted(prices.items()):
        if lines and lines[-1][1:] == (number - 1, price):
            lines[-1] = (lines[-1][0], number, price)
        else:
            lines.append((number, number, price))
    return "\n".join(
        f"{first}: {price}" if first == last else f"{first}-{last}: {price}"
        for first, last, price in lines
    )
