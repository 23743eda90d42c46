"""`migrate` as the owner of the schema; every other command assumes the application role.

A complete run ends by writing the operators' roles anew: their permissions exist only then.
"""

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections

from config import database_roles, roles


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if settings.DATABASE_ROLE:
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]
            connection.settings_dict["OPTIONS"]["assume_role"] = None
            database_roles.prepare(connection)
        with connection.cursor() as cursor:
            # Between two statements Django may draw the models anew for longer than a request may pause.
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
        super().handle(*args, **options)
        if not (options["app_label"] or options["plan"] or options["check_unapplied"]):
            roles.write()
