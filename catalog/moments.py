"""A place in a list by time, as a cursor holds it: microseconds, and the row's id."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from config import pages

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Microseconds = Annotated[int, Meta(ge=0, le=2**53)]


def position(moment: datetime, row_id: UUID) -> tuple[int, str]:
    """The place of a row, for `config.pages`."""
    return (moment - _EPOCH) // _MICROSECOND, str(row_id)


def decode(cursor: str) -> tuple[datetime, UUID]:
    """The place that a cursor names. Raises CursorInvalid."""
    microseconds, row_id = pages.decode(cursor, tuple[_Microseconds, UUID])
    return _EPOCH + microseconds * _MICROSECOND, row_id
