"""`manage.py issue_api_key NAME --scope pipeline:write [--days N]`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import clock
from viewers import api_keys
from viewers.models import Scope

MAXIMUM_DAYS = 3650


class Command(BaseCommand):
    help = "Makes an API key and prints it. It is shown this once and cannot be had again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="whose key it is, as the admin lists it")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=Scope.values,
            dest="scopes",
            help="what it may do; repeat for more",
        )
        parser.add_argument("--days", type=int, help="how long it lives; without, until revoked")

    def handle(self, *args: Any, **options: Any) -> None:
        days, now = options["days"], clock.read()
        if days is not None and not 1 <= days <= MAXIMUM_DAYS:
            raise CommandError(f"--days takes 1 to {MAXIMUM_DAYS}.")
        try:
            _, plaintext = api_keys.issue(
                name=options["name"],
                scopes=[Scope(scope) for scope in options["scopes"]],
                now=now,
                expires_at=None if days is None else now + timedelta(days=days),
            )
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        self.stdout.write(plaintext)
