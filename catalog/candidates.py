"""What feeds are drawn from: the latest table over the published series, kept in this process.

Reading it takes long in a large catalog. So it is read anew only when something of it has changed,
and by one thread, while the others draw from what was there before.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

from django.core.cache import caches
from django.db import connection

from catalog import slots
from catalog.models import FeedTable, Series
from catalog.slots import Odds

#: How long a process may go on drawing from what it read without looking for a change.
REMEMBERED_SECONDS = 5

_KEY = "catalog.candidates"
#: What is told apart: another table, or another set of published series.
_MARK = """
    SELECT (SELECT max(id) FROM catalog_feedtable), count(*), sum(uuid_hash_extended(id, 0))
    FROM catalog_series WHERE state = 'published'
"""


@dataclass(frozen=True)
class Candidates:
    """The odds of every candidate by the table of that version."""

    version: str
    odds: Odds

    def digest_without(self, places: Collection[int]) -> bytes:
        """The SHA-256 of the other candidates' ids, in order."""
        return _sha256(self.odds.ids_without(places)) if places else self._digest

    @cached_property
    def _digest(self) -> bytes:
        return _sha256(self.odds.ids)


@dataclass
class _Kept:
    lock: Lock = field(default_factory=Lock)
    candidates: Candidates | None = None
    mark: object = None


_kept = _Kept()


def current() -> Candidates:
    """What to draw from now, at most REMEMBERED_SECONDS and one reading behind."""
    known = _kept.candidates
    if known is not None and _is_fresh():
        return known
    # Only a process that has none yet waits for the thread that reads.
    is_ours = _kept.lock.acquire(blocking=known is None)
    if known is not None and not is_ours:
        return known
    try:
        return _looked_up()
    finally:
        _kept.lock.release()


def look_again() -> None:
    """Has this process look for a change before its next draw."""
    caches["local"].delete(_KEY)


def _looked_up() -> Candidates:
    if _kept.candidates is not None and _is_fresh():
        return _kept.candidates
    # Read before what it stands for: what changes in between is found by the next look.
    mark = _mark()
    if _kept.candidates is None or mark != _kept.mark:
        _kept.candidates, _kept.mark = _read(), mark
    caches["local"].set(_KEY, True, REMEMBERED_SECONDS)
    return _kept.candidates


def _is_fresh() -> bool:
    return caches["local"].get(_KEY) is not None


def _mark() -> object:
    with connection.cursor() as cursor:
        cursor.execute(_MARK)
        return cursor.fetchone()


def _read() -> Candidates:
    published = Series.objects.visible().values_list("id", flat=True)
    table = FeedTable.objects.order_by("-id").first()
    probabilities = dict(zip(table.series_ids, table.probabilities, strict=True)) if table else {}
    return Candidates(table.version if table else "", slots.mixed(published, probabilities))


def _sha256(ids: bytes) -> bytes:
    return hashlib.sha256(ids).digest()
