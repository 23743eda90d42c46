"""How long single events are kept. What was counted of them stays."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from analytics.lake.datasets import EVENTS
from analytics.models import LakeFile

AT_ONCE = 1000


def retire(*, now: datetime) -> int:
    """Retires files of events of days that are kept no longer; returns how many.

    A day goes when it has been over for EVENTS_KEPT_DAYS, in UTC. Facts of money stay.
    """
    if not settings.EVENTS_KEPT_DAYS:
        return 0
    first_kept = (now - timedelta(days=settings.EVENTS_KEPT_DAYS)).date()
    over = LakeFile.objects.filter(dataset=EVENTS.name, retired_at=None, day__lt=first_kept)
    with transaction.atomic(durable=True):
        some = over.order_by("id").values("id")[:AT_ONCE]
        return LakeFile.objects.filter(id__in=some).update(retired_at=now)
