"""Named queries: one `.sql` file each in the folder sql, in DuckDB's dialect.

A file starts with `-- name:` and a line that says what it answers. Values are bound, never
formatted in.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FOLDER = Path(__file__).parent / "sql"


def run(connection: "DuckDBPyConnection", name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that the query answers. Moments are bound as the lake keeps them: UTC, unzoned."""
    bound = {key: _bindable(value) for key, value in parameters.items()}
    return connection.execute(text(name), bound).fetchall()


def run_named(
    connection: "DuckDBPyConnection", name: str, **parameters: Any
) -> list[dict[str, Any]]:
    """The same, each row by the names of its columns."""
    rows = run(connection, name, **parameters)
    columns = [column[0] for column in connection.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in rows]


@cache
def text(name: str) -> str:
    """The query as it is written. Raises ValueError for a file whose head names another."""
    content = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    if not content.startswith(f"-- name: {name}\n-- "):
        raise ValueError(f"{name}.sql does not start with its name and a description")
    return content


def naive(moment: datetime) -> datetime:
    """A moment as the lake keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _bindable(value: Any) -> Any:
    return naive(value) if isinstance(value, datetime) and value.tzinfo else value
