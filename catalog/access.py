"""The access mode of titles: whether coins open their episodes, or ads, or both."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from catalog.models import AccessChange, Series


def set_mode(
    series_ids: Collection[UUID], *, mode: Series.AccessMode, operator_id: int, now: datetime
) -> int:
    """Gives titles an access mode, and keeps who did it; returns how many had another one before.

    What viewers have opened stays open. Safe to repeat.
    """
    with transaction.atomic():
        others = Series.objects.select_for_update().filter(id__in=series_ids).order_by("id")
        changed = [(row.id, row.access_mode) for row in others if row.access_mode != mode]
        Series.objects.filter(id__in=[series_id for series_id, _ in changed]).update(
            access_mode=mode, updated_at=now
        )
        AccessChange.objects.bulk_create(
            AccessChange(
                series_id=series_id, was=was, mode=mode, changed_by_id=operator_id, changed_at=now
            )
            for series_id, was in changed
        )
    return len(changed)
