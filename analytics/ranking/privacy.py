"""What may be told to the pipeline without telling of a single viewer."""

from collections.abc import Collection, Sequence


def untold(sizes: Sequence[int], *, too_small: Collection[int]) -> frozenset[int]:
    """Which rows of a printed total stay untold, of rows with so many people each: those too small.

    If a single one of them has anybody in it, the total less the others would tell it: so the
    smallest other with anybody in it goes, too. Nobody's data hides behind a 0.
    """
    hidden = frozenset(too_small)
    if not tells(sizes, hidden):
        return hidden
    others = [place for place, size in enumerate(sizes) if size and place not in hidden]
    return hidden.union(sorted(others, key=sizes.__getitem__)[:1])


def tells(sizes: Sequence[int], hidden: Collection[int]) -> bool:
    """True when the total less what is told would be a single row of people."""
    return sum(sizes[place] > 0 for place in hidden) == 1
