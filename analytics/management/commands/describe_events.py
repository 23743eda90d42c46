"""Writes the tables of docs/events.md from the classes of events and the codes of verdicts."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.intake.events import (
    ADDED_IN,
    TYPES,
    AdEvent,
    AppContext,
    Event,
    PlaybackEvent,
    PurchaseEvent,
)
from analytics.intake.verdicts import MEANINGS
from config.openapi import describe_choices

PAGE = Path(settings.BASE_DIR) / "docs" / "events.md"

Schema = dict[str, Any]


def page(text: str) -> str:
    """The page with its tables as the code has them now; the text around them stays."""
    for name, table in (("types", _types()), ("codes", _codes())):
        head, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        text = head + begin + table + end + tail
    return text


def _types() -> str:
    parts = [
        _part("Every event", Event),
        _part("Every event of a playback", PlaybackEvent),
        _part("Every event of an ad", AdEvent),
        _part("Every event of a purchase", PurchaseEvent),
        *(_part(f"`{name}`", shape, since=ADDED_IN.get(name, 1)) for name, shape in TYPES.items()),
        _part("The batch's `app`", AppContext),
    ]
    return "\n".join(parts)


def _part(title: str, shape: type[msgspec.Struct], *, since: int = 1) -> str:
    """What a shape has beyond what it inherits, and the catalogue it came with if not the first."""
    schemas: Schema = msgspec.json.schema(shape, schema_hook=describe_choices)["$defs"]
    own = schemas[shape.__name__]
    lines = [f"### {title}", "", inspect.cleandoc(own["description"]), ""]
    if since > 1:
        lines += [f"Since catalogue {since}.", ""]
    inherited = {"type", *getattr(shape.__bases__[0], "__struct_fields__", ())}
    members = [name for name in own["properties"] if name not in inherited]
    if members:
        lines += ["| member | what it is | |", "|---|---|---|"]
        for name in members:
            kind = ", ".join(_kind(own["properties"][name], schemas))
            needed = "required" if name in own.get("required", []) else "optional"
            lines.append(f"| `{name}` | {kind} | {needed} |")
        lines.append("")
    return "\n".join(lines)


def _kind(schema: Schema, schemas: Schema) -> Iterator[str]:
    """What a value is, in words, with what bounds it."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if options:
        yield from _kind(options[0], schemas)
    elif "enum" in schema:
        yield "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    elif schema.get("format") == "uuid":
        yield "UUID"
    elif schema.get("format") == "date-time":
        yield "moment with its zone, RFC 3339"
    elif schema["type"] == "integer":
        yield f"integer, {schema['minimum']:,} to {schema['maximum']:,}"
    else:
        yield f"text of up to {schema['maxLength']} characters"
        yield f"`{schema['pattern'].removesuffix('(?!' + chr(92) + 'n)')}`"
    if schema.get("default"):
        yield f"`{schema['default']}` if left out"


def _codes() -> str:
    rows = (f"| `{code}` | {meaning} |" for code, meaning in MEANINGS.items())
    return "\n".join(["| code | what it says |", "|---|---|", *rows, ""])


class Command(BaseCommand):
    help = "Write the tables of docs/events.md, or with --check say whether they are current."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        text = PAGE.read_text(encoding="utf-8")
        if not check:
            PAGE.write_text(page(text), encoding="utf-8")
        elif page(text) != text:
            raise CommandError("docs/events.md is not current; run `make openapi`.")
