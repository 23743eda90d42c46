"""`manage.py load_reference_data`: coin packs, store terms, a price plan, an ad placement."""

from typing import Any

from django.core.management.base import BaseCommand

from config import clock
from demo import reference_data


class Command(BaseCommand):
    help = "Make the demo's packs, terms, price plan and ad placement where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        reference_data.load(now=clock.read())
