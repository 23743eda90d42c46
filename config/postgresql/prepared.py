"""Statements that the server parses and plans once for a connection, not at every call.

Django writes the values into the text of a statement, so that the server meets a new one each time.
For the few statements that are asked a thousand times a second, that is a third of their work.
"""

from typing import cast

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper


def cursor() -> CursorWrapper:
    """A cursor of the default connection that sends values beside the statement, which stays prepared.

    The server must be able to tell the type of every value by its place: cast where it cannot.
    """
    connection.ensure_connection()
    opened = connection.connection
    with connection.wrap_database_errors:
        opened.prepare_threshold = 0  # the first execution prepares; other cursors never do
        bound = ServerBindingCursor(opened)  # type: ignore[call-arg]  # the stubs know psycopg2's
        return cast(CursorWrapper, connection._prepare_cursor(bound))  # type: ignore[attr-defined]  # noqa: SLF001
