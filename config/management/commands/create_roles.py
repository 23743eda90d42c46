"""`manage.py create_roles`: the groups support, content, pricing and owner, as `config.roles` has them."""

from typing import Any

from django.core.management.base import BaseCommand

from config import roles


class Command(BaseCommand):
    help = "Write the operators' roles anew; `migrate` does the same."

    def handle(self, *args: Any, **options: Any) -> None:
        roles.write()
        self.stdout.write(f"Roles: {', '.join(roles.ROLES)}.")
