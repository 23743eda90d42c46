"""docs/analytics.md says what the code says."""

import pytest
from django.core.management import call_command

from analytics.management.commands import describe_metrics
from analytics.reports import queries


def test_the_definitions_are_todays() -> None:
    call_command("describe_metrics", "--check")


@pytest.mark.parametrize("path", sorted(queries.FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_every_query_is_on_the_page(path: object) -> None:
    assert path.name in describe_metrics.PAGE.read_text(encoding="utf-8")
