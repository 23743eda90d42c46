"""The prices in force as a table, for a spreadsheet and back."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F

from catalog.models import Series, SeriesText
from payments.desk.price_tables import sheets
from payments.desk.price_tables.reading import COLUMNS
from payments.desk.price_tables.sheets import Format
from payments.prices import pricing


def write(series_ids: Collection[UUID], *, at: datetime, form: Format) -> bytes:
    """What these titles ask at a moment of one of whom nothing is known, without promotions.

    What a plan asks by region and platform, for bundles and for rentals has no column. A handful of
    queries whatever the number of titles.
    """
    return sheets.write([COLUMNS, *_lines(series_ids, at)], form=form)


def _lines(series_ids: Collection[UUID], at: datetime) -> Iterator[Sequence[str | int]]:
    version_of = pricing.versions_in_force(series_ids, at=at)
    terms = pricing.terms_of_many(set(version_of.values()))
    texts = SeriesText.objects.filter(series__in=series_ids, locale=F("series__original_locale"))
    title_of = dict(texts.values_list("series_id", "title"))
    titles = Series.objects.filter(id__in=version_of).order_by("external_id")
    for series_id, external_id in titles.values_list("id", "external_id"):
        asked = terms[version_of[series_id]]
        yield (
            external_id,
            title_of.get(series_id, ""),
            asked.free_count,
            asked.base_price_coins,
            _pairs(asked.steps),
            _pairs(asked.overrides),
        )


def _pairs(prices: Mapping[int, int]) -> str:
    return ";".join(f"{number}:{price_coins}" for number, price_coins in sorted(prices.items()))
