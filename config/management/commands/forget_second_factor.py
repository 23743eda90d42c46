"""`manage.py forget_second_factor USERNAME`: for an operator who lost app and recovery codes."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import operators


class Command(BaseCommand):
    help = (
        "Take an operator's second factor and password away, end their sessions, and print a new "
        "password. At the next sign-in they set up a new second factor."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no operator named {options['username']}.")
        self.stdout.write(f"password  {operators.start_over(user)}")
