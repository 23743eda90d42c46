"""Titles and synopses as a push wants them: missing ones added, changed ones replaced, rest gone."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from catalog.models import EpisodeText, SeriesText
from catalog.pushes import TextPush

ROWS_AT_ONCE = 2000

TextRow = TypeVar("TextRow", SeriesText, EpisodeText)


def replace(
    model: type[TextRow], *, owner: str, wanted: Mapping[UUID, Mapping[str, TextPush]]
) -> None:
    """Makes the texts of each `owner` (the model's foreign key) in `wanted` exactly those given.

    Joins the caller's transaction, under whose lock nothing else writes these rows.
    """
    rows = model.objects.filter(**{f"{owner}__in": list(wanted)})
    kept = {(getattr(row, f"{owner}_id"), row.locale): row for row in rows}
    changed: list[TextRow] = []
    for owner_id, texts in wanted.items():
        for locale, text in texts.items():
            row = kept.pop((owner_id, locale), None)
            if row is None:
                row = model(**{f"{owner}_id": owner_id}, locale=locale)
            elif (row.title, row.synopsis) == (text.title, text.synopsis):
                continue
            row.title, row.synopsis = text.title, text.synopsis
            changed.append(row)
    model.objects.filter(id__in=[row.id for row in kept.values()]).delete()
    model.objects.bulk_create(
        changed,
        batch_size=ROWS_AT_ONCE,
        update_conflicts=True,
        unique_fields=[owner, "locale"],
        update_fields=["title", "synopsis"],
    )
