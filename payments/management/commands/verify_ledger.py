"""`manage.py verify_ledger`: exit 0 when every rule of the ledger holds, 1 with each violation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from payments import verification


class Command(BaseCommand):
    help = "Re-add the whole ledger and name every violation."

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        found = list(verification.violations())
        for violation in found:
            self.stdout.write(f"{violation.rule}: {violation.row_id} ({violation.detail})")
        if found:
            raise CommandError(f"{len(found)} violations.")
        self.stdout.write(f"{len(verification.rules())} rules hold.")
