"""Reading the lake: the manifest's files, through a fresh DuckDB connection for each task.

The manifest says what is in the lake, never the folder. Files are immutable, so one in a bucket is
fetched once, kept under DATA_DIR and read from there.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db.models import Min

from analytics.lake_schema import EVENT_SCHEMA, MOMENT
from analytics.models import EventBatch, LakeFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL_TYPES = {pa.string(): "VARCHAR", pa.int32(): "INTEGER", pa.int64(): "BIGINT"}
_SQL_TYPES[MOMENT] = "TIMESTAMP"

_CHUNK_BYTES = 1024 * 1024


def storage() -> Storage:
    """Where the lake's files are."""
    return storages["lake"]


def files(*, first_day: date | None = None, last_day: date | None = None) -> Sequence[LakeFile]:
    """The lake's files with events of the UTC days from `first_day` to `last_day`, both included."""
    found = LakeFile.objects.order_by("id")
    if first_day is not None:
        found = found.filter(day__gte=first_day)
    if last_day is not None:
        found = found.filter(day__lte=last_day)
    return list(found)


def watermark(*, now: datetime) -> datetime:
    """The moment up to which everything that was acknowledged is in the lake, by received time."""
    waiting = EventBatch.objects.exclude(flush__finished_at__isnull=False)
    earliest: datetime | None = waiting.aggregate(earliest=Min("received_at"))["earliest"]
    return now if earliest is None else min(earliest, now)


@contextmanager
def connection(
    *, first_day: date | None = None, last_day: date | None = None
) -> Iterator["DuckDBPyConnection"]:
    """A DuckDB connection with a view `events`, in which each event is exactly once.

    Given days, the view has only what `files` answers for them. The connection reads the view's
    files and nothing else, and its settings are locked. Moments are TIMESTAMP in UTC.
    """
    # Not at import: a process that has started DuckDB must not fork, and web server and task worker
    # fork after they have imported this.
    import duckdb

    paths = [local_path(file) for file in files(first_day=first_day, last_day=last_day)]
    spill_root = settings.DATA_DIR / "spill"
    spill_root.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=spill_root) as spill,
        duckdb.connect(":memory:", config=_config(spill)) as opened,
    ):
        opened.execute("SET allowed_paths = " + _list(paths))
        opened.execute("SET enable_external_access = false")
        opened.execute(f"CREATE VIEW events AS {_events(paths)}")
        opened.execute("SET lock_configuration = true")
        yield opened


def local_path(file: LakeFile) -> Path:
    """Where the file can be read on this machine; it is fetched first if the lake is elsewhere."""
    try:
        return Path(storage().path(file.path))
    except NotImplementedError:
        kept: Path = settings.DATA_DIR / "lake-cache" / file.path
        if not kept.exists():
            _fetch(file.path, kept)
        return kept


def _fetch(name: str, kept: Path) -> None:
    """Copies a stored file, so that nobody ever sees half of it."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (
        storage().open(name) as source,
        tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".part", delete=False) as target,
    ):
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
    os.replace(target.name, kept)


def _config(spill: str) -> dict[str, Any]:
    return {
        "memory_limit": f"{settings.LAKE_MEMORY_MB}MB",
        "threads": str(settings.LAKE_THREADS),
        "temp_directory": spill,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _events(paths: Sequence[Path]) -> str:
    if not paths:
        columns = ", ".join(
            f"NULL::{_SQL_TYPES[field.type]} AS {field.name}" for field in EVENT_SCHEMA
        )
        return f"SELECT {columns} WHERE false"
    columns = ", ".join(EVENT_SCHEMA.names)
    return (
        f"SELECT {columns} FROM read_parquet({_list(paths)})"  # noqa: S608  our own names
        " QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY received_at, batch_id) = 1"
    )


def _list(paths: Sequence[Path]) -> str:
    quoted = ("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"[{', '.join(quoted)}]"
