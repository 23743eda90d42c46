"""Named queries: one `.sql` file each in the folder sql, in DuckDB's dialect.

A file starts with its name and sentences that say what it answers. Then come the parameters, each with
its type, and the keys of the figures that it counts:

    -- name: dearest_coin
    -- The purchase that brought most a coin.
    -- $watermark: moment
    -- $series_id: text or null
    -- defines: title_revenue

Values are bound, never formatted in. The texts keep to what sqlglot can write in Spark's dialect as well,
where the same lake is read by many machines.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from analytics.lake.engine import Connection

FOLDER = Path(__file__).parent / "sql"

#: What a parameter may be; a moment is bound as the lake keeps it, in UTC and without a zone.
TYPES: Mapping[str, type] = {"moment": datetime, "integer": int, "text": str, "boolean": bool}

_PARAMETER = re.compile(r"-- \$(\w+): (\w+)( or null)?")
_DEFINES = "-- defines: "


@dataclass(frozen=True)
class Parameter:
    """What a query is given under a name."""

    kind: str
    may_be_null: bool

    def takes(self, value: Any) -> bool:
        """True for a value of that type; a boolean is no integer."""
        if value is None:
            return self.may_be_null
        return isinstance(value, TYPES[self.kind]) and isinstance(value, bool) is (
            self.kind == "boolean"
        )


@dataclass(frozen=True)
class Query:
    """A query with what its head says of it, in its first lines.

    `defines` are keys of analytics.reports.definitions.
    """

    name: str
    sentence: str
    parameters: Mapping[str, Parameter]
    defines: Sequence[str]
    text: str
    head_lines: int

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values as DuckDB takes them. Raises TypeError for other names or types than the head's."""
        if given.keys() != self.parameters.keys():
            raise TypeError(f"{self.name} takes {sorted(self.parameters)}, not {sorted(given)}")
        for name, value in given.items():
            if not self.parameters[name].takes(value):
                raise TypeError(f"{self.name}: {name} is {value!r}")
        return {name: _bindable(value) for name, value in given.items()}


def run(connection: Connection, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that the query answers. Raises TypeError for parameters that it does not take."""
    query = named(name)
    rows = connection.execute(query.text, query.bind(parameters)).fetchall()
    return [tuple(map(_plain, row)) for row in rows]


def run_named(connection: Connection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The same, each row by the names of its columns."""
    rows = run(connection, name, **parameters)
    columns = [column[0] for column in connection.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in rows]


@cache
def named(name: str) -> Query:
    """The query of that name. Raises ValueError for a file whose head is not as it should be."""
    return parsed(name, (FOLDER / f"{name}.sql").read_text(encoding="utf-8"))


def every() -> Sequence[Query]:
    """All queries, by name."""
    return [named(path.stem) for path in sorted(FOLDER.glob("*.sql"))]


def parsed(name: str, text: str) -> Query:
    """A query from its text. Raises ValueError."""
    first, *lines = text.splitlines()
    head = lines[: next(n for n, line in enumerate([*lines, ""]) if not line.startswith("-- "))]
    sentence = " ".join(
        line.removeprefix("-- ") for line in head if not line.startswith(("-- $", _DEFINES))
    )
    if first != f"-- name: {name}" or not sentence.endswith("."):
        raise ValueError(f"{name}.sql does not start with its name and a sentence")
    found = [_PARAMETER.fullmatch(line) for line in head if line.startswith("-- $")]
    parameters = {match[1]: Parameter(match[2], bool(match[3])) for match in found if match}
    if len(parameters) < len(found) or any(p.kind not in TYPES for p in parameters.values()):
        raise ValueError(f"{name}.sql has a parameter without a type")
    defines = [
        key
        for line in head
        if line.startswith(_DEFINES)
        for key in line.removeprefix(_DEFINES).split(", ")
    ]
    return Query(name, sentence, parameters, defines, text, head_lines=1 + len(head))


def naive(moment: datetime) -> datetime:
    """A moment as the lake keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _plain(value: Any) -> Any:
    """Sums of many digits are decimals without a fraction, which both engines have."""
    return int(value) if isinstance(value, Decimal) else value


def _bindable(value: Any) -> Any:
    return naive(value) if isinstance(value, datetime) and value.tzinfo else value
