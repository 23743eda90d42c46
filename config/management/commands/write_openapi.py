"""Writes docs/openapi.yaml, the API's contract, from the endpoints themselves."""

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"


def document() -> bytes:
    """The OpenAPI document of the endpoints as they are now.

    Raises if it is not valid 3.1, and CommandError with what the generator has doubts about: of two
    schemas that share a name, only one would be in it.
    """
    said = io.StringIO()
    reset_generator_stats()
    with redirect_stderr(said):
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    if GENERATOR_STATS:
        raise CommandError(f"The API's document would be wrong.\n{said.getvalue().strip()}")
    validate_schema(schema)  # type: ignore[no-untyped-call]
    rendered: bytes = OpenApiYamlRenderer().render(schema, renderer_context={})  # type: ignore[no-untyped-call]
    return rendered


class Command(BaseCommand):
    help = "Write docs/openapi.yaml, or with --check say whether it is current."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            DOCUMENT.write_bytes(document())
        elif not DOCUMENT.exists() or DOCUMENT.read_bytes() != document():
            raise CommandError("docs/openapi.yaml is not current; run `make openapi`.")
