"""Writes the definitions of docs/analytics.md as the code has them."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.reports import definitions
from analytics.reports.definitions import Definition

PAGE = Path(settings.BASE_DIR) / "docs" / "analytics.md"


def page(text: str) -> str:
    """The page with today's definitions; the text around them stays."""
    head, begin, rest = text.partition("<!-- definitions -->\n")
    _, end, tail = rest.partition("<!-- end of definitions -->")
    return head + begin + "\n".join(map(_entry, definitions.ALL)) + end + tail


def _entry(definition: Definition) -> str:
    lines = (
        f"### `{definition.key}`: {definition.name}\n",
        f"{definition.formula}.\n",
        f"- window: {definition.window}",
        f"- anchor: {definition.anchor}",
        f"- source: {definition.source}\n",
    )
    return "\n".join(lines)


class Command(BaseCommand):
    help = "Write the definitions of docs/analytics.md; with --check, fail if they are outdated."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        written = PAGE.read_text(encoding="utf-8")
        current = page(written)
        if options["check"] and written != current:
            raise CommandError("docs/analytics.md is outdated: run manage.py describe_metrics.")
        PAGE.write_text(current, encoding="utf-8")
