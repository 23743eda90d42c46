"""docs/analytics.md says what the code says."""

import pytest
from django.core.management import call_command

from analytics.management.commands import describe_metrics
from analytics.reports import definitions, library, queries
from analytics.reports.definitions import Definition
from analytics.reports.queries import Query

PAGE = describe_metrics.PAGE.read_text(encoding="utf-8")


def test_the_page_is_todays() -> None:
    call_command("describe_metrics", "--check")


@pytest.mark.parametrize("definition", definitions.ALL, ids=lambda definition: definition.key)
def test_every_definition_is_on_the_page_with_what_counts_it(definition: Definition) -> None:
    _, _, rest = PAGE.partition(f"### `{definition.key}`: {definition.name}\n")
    entry, _, _ = rest.partition("\n###")

    assert definition.formula in entry
    assert "- counted by [`" in entry


@pytest.mark.parametrize("query", queries.every(), ids=lambda query: query.name)
def test_every_query_is_on_the_page_as_it_is_run(query: Query) -> None:
    body = query.text.split("\n", query.head_lines)[-1]

    assert not body.startswith("-- $")
    assert f"```sql\n{body}```" in PAGE


@pytest.mark.parametrize("name", library.REPORTS)
def test_every_report_is_on_the_page(name: str) -> None:
    assert f"\n| `{name}` | " in PAGE
