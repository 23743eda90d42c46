"""`manage.py new_key [ID]`: a fresh entry for KEYRING."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import keyring


class Command(BaseCommand):
    help = "Prints a new signing key. Put it in front of KEYRING; drop old ones once all expired."
    # A service without a usable ring fails its checks, and this is how it gets one.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "id", nargs="?", default=f"k{secrets.token_hex(4)}", help="letters and digits"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["id"].isalnum():
            raise CommandError("A key's id is letters and digits.")
        self.stdout.write(keyring.generate(options["id"]))
