"""Spark, in the place of DuckDB where one machine is too few: the same texts over the same files.

What `analytics.reports` asks of an engine is in `analytics.lake.engine.Connection`; here a Spark session does
it. Texts are DuckDB's and are written in Spark's dialect as they come; values are bound as parameters of
Spark's, with their types. Moments are TIMESTAMP_NTZ, as the files have them, and the session's zone is UTC.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from django.conf import settings

from analytics.lake import file_store, left_out, repeats
from analytics.lake.datasets import EVENTS
from analytics.lake.schema import EVENT_SCHEMA, MOMENT
from analytics.models import LakeFile
from viewers.flags import Flagged

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Of every session, whatever the cluster's own defaults are.
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
}
#: As what a value of Python's is bound.
_TYPES: Mapping[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    str: "STRING",
    datetime: "TIMESTAMP_NTZ",
}
_COLUMN_TYPES = {
    pa.string(): "STRING",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    MOMENT: "TIMESTAMP_NTZ",
}
_COLUMNS = ", ".join(EVENT_SCHEMA.names)
_NOTHING = ", ".join(
    f"CAST(NULL AS {_COLUMN_TYPES[field.type]}) AS {field.name}" for field in EVENT_SCHEMA
)
#: A file as the manifest names it.
_PATH = "regexp_extract(_metadata.file_path, '(events/day=[^/]+/[^/]+)$', 1) AS path"

#: As `analytics.lake.repeats` has it: every copy but the first that came, of events that a new file has.
_REPEATED = """
    SELECT path, event_id
    FROM (
        SELECT path, event_id, row_number() OVER (
            PARTITION BY event_id
            ORDER BY arrived_at NULLS FIRST, received_at, batch_id, path) AS place
        FROM rival_event LEFT SEMI JOIN new_event USING (event_id)
    )
    WHERE place > 1
"""


@contextmanager
def opened() -> Iterator["SparkConnection"]:
    """A session on the cluster that the settings name, with nothing in it."""
    session = _session()
    connection = SparkConnection(session)
    try:
        yield connection
    finally:
        connection.close()


def is_configured() -> bool:
    """Whether reports are Spark's to count."""
    return bool(settings.SPARK_REMOTE or settings.SPARK_MASTER)


def _session() -> "SparkSession":
    # Installed where it is used: it is hundreds of megabytes, and Java besides.
    from pyspark.sql import SparkSession

    if settings.SPARK_REMOTE:
        return SparkSession.builder.remote(settings.SPARK_REMOTE).create()
    builder = SparkSession.builder.master(settings.SPARK_MASTER).appName("cliffhanger")
    return builder.getOrCreate().newSession()


class SparkConnection:
    """A session of its own: tables and views that one report makes are not seen by another."""

    def __init__(self, session: "SparkSession") -> None:
        self._session = session
        self._kept: dict[str, DataFrame] = {}
        self._answer: DataFrame | None = None
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)

    @property
    def description(self) -> Sequence[tuple[str, ...]]:
        """The columns of what was asked last, each by its name."""
        return [] if self._answer is None else [(name,) for name in self._answer.columns]

    def execute(
        self, statement: str, parameters: Mapping[str, Any] | None = None
    ) -> "SparkConnection":
        """Runs one statement of DuckDB's: a query, or one that makes a table of a query or adds to it."""
        given = parameters or {}
        spoken = written(statement, given)
        bound = {name: _bindable(value) for name, value in given.items() if value is not None}
        found = self._session.sql(spoken.query, args=bound)
        if spoken.adds:
            found = self._kept[spoken.table].unionByName(found)
        if spoken.table:
            self._keep(spoken.table, found)
        self._answer = None if spoken.table else found
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of what was asked last."""
        return [] if self._answer is None else [tuple(row) for row in self._answer.collect()]

    def register(self, name: str, table: pa.Table) -> None:
        """Lets queries read a table of this process."""
        self._session.createDataFrame(table).createOrReplaceTempView(name)

    def unregister(self, name: str) -> None:
        """Takes that name away. What was made of it stays."""
        self._session.catalog.dropTempView(name)

    def query_progress(self) -> float:
        """How far a query is cannot be asked."""
        return -1

    def show_events(
        self,
        files: Sequence[LakeFile],
        *,
        new: Sequence[LakeFile],
        hidden: Collection[tuple[str, UUID]],
        flagged: Flagged,
    ) -> None:
        """Makes the view `events` of the files' events, each once, without those of the flagged.

        `hidden` are copies on record that do not count, by path; those of `new` files, which were never
        compared, are found here, as `analytics.lake.repeats` finds them.
        """
        if not files:
            nothing = self._session.sql(f"SELECT {_NOTHING} WHERE false")
            nothing.createOrReplaceTempView("events")
            return
        self._read(files).createOrReplaceTempView("every_event")
        self.register("hidden_event", _hidden(hidden))
        statement = f"SELECT {_COLUMNS} FROM every_event"  # noqa: S608  names of ours
        if hidden:
            statement += " LEFT ANTI JOIN hidden_event USING (path, event_id)"
        if new:
            self._read(new).createOrReplaceTempView("new_event")
            self._read(repeats.rivals(new, files)).createOrReplaceTempView("rival_event")
            statement += f" LEFT ANTI JOIN ({_REPEATED}) AS repeated USING (path, event_id)"
        left_out.register(self, flagged)
        events = left_out.without(statement, flagged)
        self._session.sql(events).createOrReplaceTempView("events")

    def close(self) -> None:
        """Lets go of what the cluster keeps for this session."""
        for kept in self._kept.values():
            kept.unpersist()
        if settings.SPARK_REMOTE:
            self._session.stop()

    def _read(self, files: Sequence[LakeFile]) -> "DataFrame":
        """All columns of the events and the path of each; what a file's version lacks is null."""
        root, by_version = file_store.root_url(), defaultdict[int, list[str]](list)
        for file in files:
            by_version[file.columns_version].append(f"{root}/{file.path}")
        found = [
            self._session.read.parquet(*paths).selectExpr(*_selected(version), _PATH)
            for version, paths in by_version.items()
        ]
        return reduce(lambda one, other: one.unionByName(other), found)

    def _keep(self, name: str, found: "DataFrame") -> None:
        """Under a name, and counted once: a table whose rows are numbered is read more than once."""
        self._kept[name] = found.persist()
        found.createOrReplaceTempView(name)


@dataclass(frozen=True)
class Written:
    """A statement in Spark's dialect: its query, and the table that is made of it or that it adds to."""

    query: str
    table: str = ""
    adds: bool = False


def written(statement: str, parameters: Mapping[str, Any]) -> Written:
    """A statement of DuckDB's, its parameters with the types of what they are given."""
    types = {name: "" if value is None else _type(value) for name, value in parameters.items()}
    return _transpiled(statement, tuple(types.items()))


@cache
def _transpiled(statement: str, types: Sequence[tuple[str, str]]) -> Written:
    """The same, where a parameter without a type is null."""
    import sqlglot
    from sqlglot import exp

    named = dict(types)

    def bound(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Placeholder):
            return node
        kind = named[node.name]
        return exp.cast(node.copy(), kind, dialect="spark") if kind else exp.Null()

    parsed = sqlglot.parse_one(statement, read="duckdb").transform(bound)
    makes, adds = isinstance(parsed, exp.Create), isinstance(parsed, exp.Insert)
    query = parsed.expression if makes or adds else parsed
    text = query.sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    return Written(text, parsed.this.name if makes or adds else "", adds)


def _type(value: Any) -> str:
    """Of a choice it is that of its text; a boolean is no integer."""
    return next(kind for known, kind in _TYPES.items() if isinstance(value, known))


def _bindable(value: Any) -> Any:
    """A moment goes as text, which knows no zone of this machine's, and a choice as its own."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value) if isinstance(value, str) else value


def _selected(version: int) -> Iterator[str]:
    absent = EVENTS.absent(version)
    for column in EVENT_SCHEMA:
        kind = _COLUMN_TYPES[column.type]
        yield f"CAST(NULL AS {kind}) AS {column.name}" if column.name in absent else column.name


def _hidden(hidden: Collection[tuple[str, UUID]]) -> pa.Table:
    rows = [{"path": path, "event_id": str(event_id)} for path, event_id in hidden]
    schema = pa.schema([("path", pa.string()), ("event_id", pa.string())])
    return pa.Table.from_pylist(rows, schema=schema)
