"""A moment as a query names it."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, UnsetType

from config.problems import BadParameter
from payments.support.explanations import Moment

#: Text until it is read: a query's numbers would else be taken for seconds since 1970.
AsText = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
#: Before anything of ours. The database takes no moment of a zone that would lie before all years.
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)


def read(text: str | UnsetType, *, default: datetime, now: datetime) -> datetime:
    """The moment in UTC, `default` where none is given; one ahead is taken for now. Raises BadParameter."""
    if isinstance(text, UnsetType):
        return default
    try:
        moment = msgspec.convert(text, Moment)
    except msgspec.ValidationError as error:
        raise BadParameter(str(error)) from error
    return bounded(moment, now=now)


def bounded(moment: datetime, *, now: datetime) -> datetime:
    """The moment in UTC, within what the database takes and what has passed."""
    return min(max(moment, BEGINNING), now).astimezone(UTC)
