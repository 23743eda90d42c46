"""Writing a file of the lake, and what the manifest says of it."""

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.core.files.base import ContentFile

from analytics.lake import file_store
from analytics.lake.datasets import EVENTS, Dataset
from analytics.models import LakeFile

#: Small enough that a reader of one series skips most of a file.
ROWS_PER_GROUP = 20_000


@dataclass(frozen=True)
class WrittenFile:
    """A file that is on disk, or in its bucket, and not yet in the manifest."""

    dataset: str
    columns_version: int
    path: str
    day: date
    row_count: int
    size_bytes: int
    first_at: datetime
    last_at: datetime
    first_event_id: UUID
    last_event_id: UUID

    def as_row(self, *, now: datetime, flush_id: UUID | None = None) -> LakeFile:
        """What the manifest will say of it."""
        return LakeFile(
            flush_id=flush_id,
            dataset=self.dataset,
            columns_version=self.columns_version,
            path=self.path,
            day=self.day,
            row_count=self.row_count,
            size_bytes=self.size_bytes,
            first_at=self.first_at,
            last_at=self.last_at,
            first_event_id=self.first_event_id,
            last_event_id=self.last_event_id,
            created_at=now,
        )


def write(path: str, day: date, table: pa.Table, *, dataset: Dataset = EVENTS) -> WrittenFile:
    """Writes the rows of a day, in their order, over what may be there under the name."""
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        # A row's own id repeats nowhere.
        use_dictionary=[name for name in table.column_names if name != dataset.key],
    )
    content = sink.getvalue()
    file_store.storage().save(path, ContentFile(content))
    first_at, last_at = _ends(table[dataset.moment])
    first_id, last_id = _ends(table[dataset.key])
    return WrittenFile(
        dataset=dataset.name,
        columns_version=dataset.version,
        path=path,
        day=day,
        row_count=table.num_rows,
        size_bytes=len(content),
        first_at=first_at.replace(tzinfo=UTC),
        last_at=last_at.replace(tzinfo=UTC),
        first_event_id=UUID(first_id),
        last_event_id=UUID(last_id),
    )


def _ends(column: pa.ChunkedArray) -> tuple[Any, Any]:
    ends = pc.min_max(column).as_py()
    return ends["min"], ends["max"]
