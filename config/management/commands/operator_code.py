"""`manage.py operator_code USERNAME`: the one-time code of now, where no real money is at stake."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import clock
from config.second_factor import devices


class Command(BaseCommand):
    help = "Print an operator's one-time code. Refused in production, where only the app knows it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("In production only the operator's own app shows the code.")
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no operator named {options['username']}.")
        try:
            self.stdout.write(devices.current_code(user, at=clock.read()))
        except devices.NoCode as reason:
            raise CommandError(str(reason)) from reason
