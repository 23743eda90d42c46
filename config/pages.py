"""Cursor pagination: opaque, stateless, stable while rows are added."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from config.problems import Problem

Row = TypeVar("Row")


class CursorInvalid(Problem):
    code = "cursor_invalid"
    title = "The cursor was not issued by this endpoint"


def encode(position: Sequence[str | int]) -> str:
    """A cursor that resumes after the row at `position` (the values it is ordered by)."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode(cursor: str, shape: type[Row]) -> Row:
    """The position inside `cursor`, as the tuple type `shape`. Raises CursorInvalid."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=shape)
    except (UnicodeError, binascii.Error, msgspec.DecodeError, RecursionError) as error:
        raise CursorInvalid from error


def cut(
    rows: Sequence[Row], *, limit: int, position: Callable[[Row], Sequence[str | int]]
) -> tuple[Sequence[Row], str | None]:
    """Splits `limit + 1` fetched rows into a page and the cursor of the next, None at the end."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    return page, encode(position(page[-1]))
