"""Writes the reports, metrics, definitions and queries of docs/analytics.md as the code has them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.reports import definitions, library, queries
from analytics.reports.definitions import Definition
from analytics.reports.library import Entry
from analytics.reports.queries import Query
from analytics.rollups.metrics import METRICS, Metric

PAGE = Path(settings.BASE_DIR) / "docs" / "analytics.md"


def page(text: str) -> str:
    """The page as the code has it today; the text around the marks stays."""
    for mark, lines in _PARTS.items():
        head, begin, rest = text.partition(f"<!-- {mark} -->\n")
        _, end, tail = rest.partition(f"<!-- end of {mark} -->")
        text = head + begin + "\n".join(lines()) + end + tail
    return text


def _reports() -> Iterable[str]:
    yield "| report | what it shows | what it takes | queries |"
    yield "|---|---|---|---|"
    yield from (_report(name, entry) for name, entry in library.REPORTS.items())
    yield ""


def _report(name: str, entry: Entry) -> str:
    taken = [
        f"**{field.name}**" if field.required else field.name
        for field in msgspec.structs.fields(entry.query)
        if field.name != "format"
    ]
    ran = ", ".join(f"[`{query}`](#query-{query})" for query in entry.queries)
    return f"| `{name}` | {entry.title} | {', '.join(taken)} | {ran} |"


def _definitions() -> Iterable[str]:
    return map(_definition, definitions.ALL)


def _definition(definition: Definition) -> str:
    counting = [query.name for query in queries.every() if definition.key in query.defines]
    links = ", ".join(f"[`{name}`](#query-{name})" for name in counting)
    lines = (
        f"### `{definition.key}`: {definition.name}\n",
        f"{definition.formula}.\n",
        f"- window: {definition.window}",
        f"- anchor: {definition.anchor}",
        f"- source: {definition.source}",
        f"- counted by {links}\n",
    )
    return "\n".join(lines)


def _queries() -> Iterable[str]:
    return map(_query, queries.every())


def _query(query: Query) -> str:
    body = "\n".join(query.text.splitlines()[query.head_lines :])
    taken = [
        f"| `{name}` | {parameter.kind}{' or null' if parameter.may_be_null else ''} |"
        for name, parameter in query.parameters.items()
    ]
    lines = [f'### <a id="query-{query.name}"></a>`{query.name}`', "", query.sentence, ""]
    if taken:
        lines += ["| parameter | type |", "|---|---|", *taken, ""]
    return "\n".join([*lines, "```sql", body, "```", ""])


def _metrics() -> Iterable[str]:
    yield "| metric | what it counts | unit | from | can be split by |"
    yield "|---|---|---|---|---|"
    yield from (_metric(metric) for metric in METRICS.values())
    yield ""


def _metric(metric: Metric) -> str:
    split = ", ".join(metric.dimensions) or "–"
    sentence = metric.sentence.removesuffix(".")
    return f"| `{metric.name}` | {sentence} | {metric.unit} | {metric.basis} | {split} |"


_PARTS: Mapping[str, Callable[[], Iterable[str]]] = {
    "reports": _reports,
    "metrics": _metrics,
    "definitions": _definitions,
    "queries": _queries,
}


class Command(BaseCommand):
    help = "Write what docs/analytics.md has of the code; with --check, fail if it is outdated."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        written = PAGE.read_text(encoding="utf-8")
        current = page(written)
        if options["check"] and written != current:
            raise CommandError("docs/analytics.md is outdated: run manage.py describe_metrics.")
        PAGE.write_text(current, encoding="utf-8")
