"""The most that one starter of a title counts for, by coins and by ads: each what all its paid episodes cost together.

Without it a single viewer who pays for everything would decide a ranking, or one whose app makes up what ads earn.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import pyarrow as pa

from analytics.reports.sources import Source
from catalog.models import Episode
from payments.prices import pricing

_SCHEMA = pa.schema([("series_id", pa.string()), ("cap_micros", pa.int64())])


def register(source: Source, list_prices: Mapping[str, int]) -> None:
    """Makes the table `caps`: list prices in coins at the value of the dearest coin sold so far.

    A title without a paid episode has no cap, and none has one before the first purchase.
    """
    dearest = source.rows("dearest_coin", watermark=source.watermark)
    net_micros, coins = dearest[0] if dearest else (0, 1)
    caps = [
        {"series_id": series_id, "cap_micros": price * net_micros // coins}
        for series_id, price in list_prices.items()
        if price * net_micros
    ]
    source.register("caps", pa.Table.from_pylist(caps, schema=_SCHEMA))


def list_prices(*, at: datetime) -> dict[str, int]:
    """What the published episodes of each title cost together at a moment, in coins."""
    numbers: dict[UUID, list[int]] = {}
    published = Episode.objects.filter(state=Episode.State.PUBLISHED)
    for series_id, number in published.values_list("series_id", "number"):
        numbers.setdefault(series_id, []).append(number)
    versions = pricing.versions_in_force(numbers.keys(), at=at)
    ladders = {series_id: pricing.ladder(version_id) for series_id, version_id in versions.items()}
    # A series without a version was not for sale yet at that moment.
    return {
        str(series_id): sum(ladder.price_of(number) for number in numbers[series_id])
        for series_id, ladder in ladders.items()
    }
