"""What may be told to the pipeline without telling of a single viewer."""

from collections.abc import Collection, Sequence


def untold(sizes: Sequence[int], *, too_small: Collection[int]) -> frozenset[int]:
    """Which rows of a printed total stay untold, of rows with so many people each: those too small.

    If it is a single one with anybody in it, the total less the others would tell it: so the next
    smallest goes, too. Nobody's data hides behind a 0.
    """
    if len(too_small) != 1 or not any(sizes[place] for place in too_small):
        return frozenset(too_small)
    others = [place for place in range(len(sizes)) if place not in too_small]
    return frozenset([*too_small, *sorted(others, key=sizes.__getitem__)[:1]])


def tells(rows: int, hidden: Collection[int]) -> bool:
    """True when a total would tell the one row that it is made of, and so stays untold itself."""
    return rows == len(hidden) == 1
