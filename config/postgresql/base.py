"""Django's PostgreSQL backend, with a connection pool that can assume a role.

Django 5.2 quotes the role's name with the help of a cursor of its own. Run by the pool while it
configures a new connection, that asks the same pool for another connection, and both wait until the
pool gives up. The name is quoted here without any connection.
"""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import sql


class DatabaseWrapper(base.DatabaseWrapper):
    def _configure_role(self, connection: Any) -> bool:
        role = self.settings_dict["OPTIONS"].get("assume_role")
        if not role:
            return False
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        return True
