"""Looking for what nobody watched, once an hour."""

from datetime import datetime, timedelta

from django.conf import settings

from analytics.fraud import rewards, watching
from analytics.models import FraudScan
from analytics.reports import sources
from analytics.reports.sources import Source
from config import advisory_lock
from viewers import flags

#: A playback lasts for a day at most, and is reported in the days after it.
LOOKED_BACK = timedelta(days=3)
KEPT = timedelta(days=30)
#: An advisory lock, so that one worker looks at a time.
LOCK = 7_326_411_908


def scan(*, now: datetime) -> FraudScan | None:
    """Looks through the last days, if the last look is FRAUD_SCAN_SECONDS ago and nobody else is at it."""
    with advisory_lock.tried(LOCK) as is_ours:
        if not is_ours or not _is_due(now):
            return None
        with sources.opened(now=now, of_all=True) as source:
            return look(source=source, now=now)


def look(*, source: Source, now: datetime) -> FraudScan:
    """Flags viewers and playbacks, and keeps alarms, of the last days of a source."""
    since = source.watermark - LOOKED_BACK
    unshown = rewards.unshown(source=source, since=since)
    found = [*watching.evidence(source=source, since=since), *rewards.evidence(unshown)]
    return FraudScan.objects.create(
        watermark=source.watermark,
        scanned_at=now,
        flags_count=flags.raise_on(found, now=now),
        alarms_count=rewards.alarm(unshown, now=now),
    )


def prune(*, now: datetime) -> None:
    """Forgets looks of long ago."""
    FraudScan.objects.filter(scanned_at__lt=now - KEPT).delete()


def _is_due(now: datetime) -> bool:
    last = FraudScan.objects.order_by("-id").first()
    return last is None or now - last.scanned_at >= timedelta(seconds=settings.FRAUD_SCAN_SECONDS)
