"""Looking at the database for so long and no longer."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.utils import OperationalError
from psycopg.errors import QueryCanceled


class TookTooLong(Exception):
    """A statement was cancelled; nothing else has happened."""


@contextmanager
def of(milliseconds: int) -> Iterator[None]:
    """Each statement of the block may take so long. Raises TookTooLong.

    The block is a transaction. Inside another it is a savepoint, so that whoever asked can go on without
    it, and what it allows lasts until the other ends.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)]
                )
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
