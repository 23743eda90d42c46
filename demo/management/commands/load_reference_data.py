"""`manage.py load_reference_data`: coin packs, the fake store's terms, a second price plan."""

from typing import Any

from django.core.management.base import BaseCommand

from config import clock
from demo import reference_data


class Command(BaseCommand):
    help = "Make the demo's coin packs, store terms and price plan where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        reference_data.load(now=clock.read())
