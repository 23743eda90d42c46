"""Files that nothing names: what was written by who died before the manifest, or was replaced elsewhere.

They are no part of the lake and harm nobody, but for their bytes, and for what they say of people.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from analytics.lake import file_store
from analytics.models import Flush, HistoryImport, LakeFile

EVERY = timedelta(hours=1)
#: A file is written and named within minutes, or never.
OLD = timedelta(days=1)
FOLDERS = ("events", "facts")
_AT_ONCE = 1000


def sweep(*, now: datetime) -> int:
    """Deletes files that no row of the manifest names, that no flush and no import has in hand and that were
    last written more than a day before `now`; and what was fetched of files that are gone. Returns how many.
    """
    storage = file_store.storage()
    in_hand = tuple(_in_hand())
    deleted = 0
    for path in _unnamed(name for folder in FOLDERS for name in _walk(folder)):
        is_in_hand = path.rpartition("/")[2].startswith(in_hand)
        if not is_in_hand and storage.get_modified_time(path) <= now - OLD:
            file_store.delete(path)
            deleted += 1
    return deleted + sweep_cache()


def sweep_cache() -> int:
    """Deletes what this machine has fetched of files that the lake no longer has.

    By the machine's own clock, as files are: one that is being fetched is young.
    """
    cache: Path = settings.DATA_DIR / "lake-cache"
    old = datetime.fromtimestamp(time.time(), UTC) - OLD
    by_name = {
        str(path.relative_to(cache)): path
        for path in cache.rglob("*")
        if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, UTC) <= old
    }
    gone = list(_unnamed(iter(by_name)))
    for name in gone:
        by_name[name].unlink(missing_ok=True)
    return len(gone)


def tend_cache() -> None:
    """The same once an hour, by whoever reads on this machine: the sweep of the lake is another's."""
    cache: Path = settings.DATA_DIR / "lake-cache"
    tended = cache / ".tended"
    is_due = not tended.exists() or tended.stat().st_mtime <= time.time() - EVERY.total_seconds()
    if cache.exists() and is_due:
        tended.touch()
        sweep_cache()


def _in_hand() -> Iterator[str]:
    """How the names of files begin that will be in the manifest, whenever that is."""
    for flush_id in Flush.objects.filter(finished_at=None).values_list("id", flat=True):
        yield str(flush_id)
    for import_id in HistoryImport.objects.filter(finished_at=None).values_list("id", flat=True):
        yield f"history-{import_id}-"


def _walk(folder: str) -> Iterator[str]:
    """Every file below a folder of the lake's storage, whole or not."""
    storage = file_store.storage()
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        yield f"{folder}/{name}"
    for name in folders:
        yield from _walk(f"{folder}/{name}")


def _unnamed(paths: Iterator[str]) -> Iterator[str]:
    """Those that the manifest does not name, as it is after they were listed."""
    while some := [path for _, path in zip(range(_AT_ONCE), paths, strict=False)]:
        named = set(LakeFile.objects.filter(path__in=some).values_list("path", flat=True))
        yield from (path for path in some if path not in named)
