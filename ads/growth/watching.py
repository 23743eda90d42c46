"""Verified watching: the seconds of the wall clock in which a viewer watched, each once.

Analytics writes them as it moves events into the lake, in the same transaction. A stretch counts if its
playback session was issued here to this viewer, and only between the session's beginning and the moment
its report arrived, both by our own clock; so whatever an app reports, nobody has watched longer than time
has passed. A union is kept, not a sum: the same again, or a second device beside the first, adds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

_RECORD = (
    "SELECT ads_record_watching(%s::uuid[], %s::text[], %s::date[], %s::bigint[], %s::bigint[])"
)
#: Longer than any stretch, so that those of two viewers never touch.
_APART = np.int64(1) << 40


@dataclass(frozen=True)
class Stretches:
    """What was watched: columns of one length. Moments are whole Unix seconds, half-open.

    `viewers` and `environments` name whose row i is; a stretch may be in several rows, overlap others and
    end before it begins.
    """

    viewers: Sequence[str] = ()
    environments: Sequence[str] = ()
    starts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    ends: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


def record(stretches: Stretches) -> None:
    """Adds what was watched, in the caller's transaction. Safe to repeat."""
    rows = _by_day(_united(stretches))
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [list(column) for column in zip(*rows, strict=True)])


def _united(stretches: Stretches) -> list[tuple[str, str, int, int]]:
    """Each viewer's stretches without overlaps: few, where players report every ten seconds."""
    is_some = stretches.ends > stretches.starts
    if not is_some.any():
        return []
    numbers: dict[tuple[str, str], int] = {}
    owners = zip(stretches.viewers, stretches.environments, strict=True)
    places = np.fromiter((numbers.setdefault(each, len(numbers)) for each in owners), np.int64)
    offsets = places[is_some] * _APART
    order = np.argsort(offsets + stretches.starts[is_some], kind="stable")
    starts = (offsets + stretches.starts[is_some])[order]
    ends = np.maximum.accumulate((offsets + stretches.ends[is_some])[order])
    begins = np.flatnonzero(np.append(True, starts[1:] > ends[:-1]))
    stops = np.append(begins[1:], len(starts)) - 1
    whose = starts[begins] // _APART
    bases, names = whose * _APART, list(numbers)
    first, last = (starts[begins] - bases).tolist(), (ends[stops] - bases).tolist()
    return [
        (*names[number], start, end)
        for number, start, end in zip(whose.tolist(), first, last, strict=True)
    ]


def _by_day(
    united: Sequence[tuple[str, str, int, int]],
) -> list[tuple[str, str, date, int, int]]:
    """Cut at the midnights of the reporting zone."""
    rows = []
    for viewer, environment, start, end in united:
        while start < end:
            day = datetime.fromtimestamp(start, settings.REPORTING_ZONE).date()
            cut = min(end, _midnight_after(day))
            rows.append((viewer, environment, day, start, cut))
            start = cut
    return rows


def _midnight_after(day: date) -> int:
    midnight = datetime.combine(day + timedelta(days=1), time.min, settings.REPORTING_ZONE)
    return int(midnight.timestamp())
