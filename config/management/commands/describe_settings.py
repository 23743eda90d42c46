"""Writes docs/configuration.md from the variables that the settings declare."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.settings import env

PAGE = Path(settings.BASE_DIR) / "docs" / "configuration.md"
INTRODUCTION = """# Configuration

Everything is read from the environment, once, at start. This page is written from the declarations
in `config/settings.py` by `make openapi`; a test keeps it current.

A secret can be given as a file: `KEYRING_FILE=/run/secrets/keyring` stands for `KEYRING`.
In `APP_MODE=production`, the default, `manage.py check` and the web server refuse unsafe values.

| variable | type | default | what it is |
|---|---|---|---|
"""


def page() -> str:
    """The configuration page as the settings declare it now."""
    rows = (
        f"| `{v.name}` | {v.kind} | {_cell(v.default)} | {v.help} |" for v in env.declared.values()
    )
    return INTRODUCTION + "\n".join(rows) + "\n"


def _cell(default: str) -> str:
    if not default or default.startswith("`"):
        return default
    return f"`{default}`"


class Command(BaseCommand):
    help = "Write docs/configuration.md, or with --check say whether it is current."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            PAGE.write_text(page(), encoding="utf-8")
        elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
            raise CommandError("docs/configuration.md is not current; run `make openapi`.")
