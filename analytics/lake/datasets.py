"""What a kind of file in the lake has in it: its columns, and since which version of them.

Columns are only ever added. A file says in the manifest which version it was written with; what it
lacks is null.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from analytics.lake.schema import ADDED_COLUMNS, EVENT_SCHEMA, MOMENT

_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    MOMENT: "TIMESTAMP",
}


@dataclass(frozen=True)
class Dataset:
    """Files of the same rows. `key` tells rows apart, `moment` says of which day they are.

    `added` has the columns that came with a version later than the first.
    """

    name: str
    folder: str
    schema: pa.Schema
    key: str
    moment: str
    order: tuple[str, ...]
    added: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """That of files written now."""
        return max(self.added, default=1)

    def absent(self, version: int) -> set[str]:
        """The columns that a file of this version lacks."""
        return {name for since, names in self.added.items() if since > version for name in names}

    def columns(self, version: int, names: Collection[str] = ()) -> str:
        """All columns, or those of these names, as SQL selects them from a file of this version."""
        absent = self.absent(version)
        wanted = [each for each in self.schema if not names or each.name in names]
        return ", ".join(_null(each) if each.name in absent else each.name for each in wanted)

    def nothing(self) -> str:
        """A SELECT of all columns and no row."""
        return f"SELECT {', '.join(map(_null, self.schema))} WHERE false"


def _null(column: pa.Field) -> str:
    return f"NULL::{_SQL_TYPES[column.type]} AS {column.name}"


EVENTS = Dataset(
    name="events",
    folder="events",
    schema=EVENT_SCHEMA,
    key="event_id",
    moment="occurred_at",
    order=("series_id", "type", "occurred_at", "event_id"),
    added=ADDED_COLUMNS,
)
