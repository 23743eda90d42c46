"""Rows of analytics for tests about something else."""

from datetime import datetime, timedelta
from io import BytesIO

import msgspec

from analytics.exports import file_store
from analytics.models import Export, ExportState, RankingSnapshot
from analytics.ranking.ranking import VERSION, Horizon, Ranking
from viewers.models import ApiKey

EXPORTED = b"day,viewers\r\n2026-03-13,7\r\n"


def done_export(*, by: ApiKey, now: datetime) -> Export:
    """An export of a key, with a small file."""
    export = Export(
        api_key=by,
        name="arpu",
        question={},
        file_format="csv",
        state=ExportState.DONE,
        percent=100,
        row_count=1,
        size_bytes=len(EXPORTED),
        created_at=now - timedelta(minutes=1),
        finished_at=now,
        expires_at=now + timedelta(days=1),
    )
    export.path = f"{export.id}/file.csv"
    file_store.save(export.path, BytesIO(EXPORTED))
    export.save()
    return export


def publish_empty_rankings(*, now: datetime) -> None:
    """A ranking of each horizon, of no title, if there is none of that moment yet."""
    for horizon in Horizon:
        body = Ranking(
            definition=[],
            reporting_zone="UTC",
            watermark=now,
            filters={},
            population=[],
            engine="none",
            version=VERSION,
            horizon=horizon,
            currency="USD",
            titles=[],
            total_starts=None,
            total_revenue_micros=None,
        )
        RankingSnapshot.objects.get_or_create(
            definition=VERSION,
            horizon_hours=horizon.hours,
            watermark=now,
            defaults={"created_at": now, "basis": "-", "body": msgspec.json.encode(body)},
        )
