"""Django's PostgreSQL backend, with a connection pool that can assume a role, and that trusts its
sockets.

Django 5.2 quotes the role's name with the help of a cursor of its own. Run by the pool while it
configures a new connection, that asks the same pool for another connection, and both wait until the
pool gives up. The name is quoted here without any connection.

Django's health check asks the server a question before every request: a round trip, a fifth of what an
unlock takes. A server that has ended has also closed its side of the socket, and that can be seen
without asking.
"""

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, sql
from psycopg_pool import ConnectionPool


def check_if_doubtful(connection: Connection[Any]) -> None:
    """Raises psycopg.OperationalError for a connection that cannot be used.

    An idle connection has nothing to read. If there is something, be it the end or a farewell, the
    server is asked.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        """The pool of this process, with our check in place of the one that asks every time."""
        pool = super().pool
        if pool is not None and pool._check is ConnectionPool.check_connection:  # noqa: SLF001
            pool._check = check_if_doubtful  # noqa: SLF001  Django lets nobody choose it
        return pool

    def _configure_role(self, connection: Any) -> bool:
        role = self.settings_dict["OPTIONS"].get("assume_role")
        if not role:
            return False
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        return True
