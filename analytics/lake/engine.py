"""DuckDB, opened anew for each task: bounded, and with no reach beyond the files it is given."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from django.conf import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Connection(Protocol):
    """What reports ask of an engine: DuckDB's connection offers it, and Spark's in analytics.lake.spark."""

    @property
    def description(self) -> Any:
        """The columns of what was asked last, each with its name first."""

    def execute(self, statement: str, parameters: Any = None) -> "Connection":
        """Runs one statement of DuckDB's dialect with its named values."""

    def fetchall(self) -> list[Any]:
        """The rows of what was asked last."""

    def register(self, name: str, table: pa.Table) -> Any:
        """Lets queries read a table of this process."""

    def unregister(self, name: str) -> Any:
        """Takes that name away."""

    def query_progress(self) -> float:
        """How many percent of what is asked are done, or less than nothing."""


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator["DuckDBPyConnection"]:
    """A connection to nothing but memory, which may read `paths` and spill to a folder of its own."""
    # Not at import: a process that has started DuckDB must not fork, and web server and task worker
    # fork after they have imported this.
    import duckdb

    spill_root = settings.DATA_DIR / "spill"
    spill_root.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=spill_root) as spill,
        duckdb.connect(":memory:", config=_config(spill)) as connection,
    ):
        connection.execute(f"SET allowed_paths = {path_list(paths)}")
        connection.execute("SET enable_external_access = false")
        # Nothing is printed: whoever waits can ask how far a query has come.
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def path_list(paths: Sequence[Path]) -> str:
    """The paths as a list in SQL, which a view's definition needs in place of a parameter."""
    quoted = ("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"[{', '.join(quoted)}]"


def repeats_table(repeated: Iterable[tuple[str, str]]) -> pa.Table:
    """Path and id of copies that do not count, to be joined with what `filename = true` reads."""
    rows = [{"filename": filename, "event_id": event_id} for filename, event_id in repeated]
    schema = pa.schema([("filename", pa.string()), ("event_id", pa.string())])
    return pa.Table.from_pylist(rows, schema=schema)


def _config(spill: str) -> dict[str, Any]:
    return {
        "memory_limit": f"{settings.LAKE_MEMORY_MB}MB",
        "threads": str(settings.LAKE_THREADS),
        "temp_directory": spill,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
