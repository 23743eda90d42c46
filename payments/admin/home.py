"""The admin's first page: how things stand today, in a handful of queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse

from catalog.models import Series
from config import clock, patience
from config.patience import TookTooLong
from payments.admin import formats
from payments.admin.price_desk import changes, exceptions
from payments.admin.versions import special_count, summary
from payments.messages import alarms
from payments.models import (
    ChangeState,
    Lot,
    PassPurchase,
    PriceChange,
    PriceVersion,
    Purchase,
    Unlock,
)
from viewers.models import Environment, Viewer

#: A figure that takes longer is left out: the page must open while the database is busy.
PATIENCE_MS = 1000
SCHEDULED = 5
TOO_SLOW = "not counted in time"


@dataclass(frozen=True)
class Figure:
    """One number with what it counts, where it leads and who may see it."""

    title: str
    permission: str
    url_name: str
    count: Callable[[datetime], tuple[str, str]]


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds the figures that this operator may see, and the price changes ahead."""
    now = clock.now(request)
    figures = [figure for figure in FIGURES if request.user.has_perm(figure.permission)]
    return context | {
        "now": now,
        "figures": [_shown(figure, now) for figure in figures],
        "waiting_changes": changes.waiting(request),
        "open_exceptions": exceptions.open_count(request),
        "alarms": _alarms(request.user, now),
        "scheduled": _scheduled(request.user, now),
        "scheduled_changes": _scheduled_changes(request.user, now),
    }


def _alarms(user: User | AnonymousUser, now: datetime) -> Sequence[dict[str, str]]:
    """What is wrong between the stores and us, of what this operator may look at, with where to look."""
    try:
        with patience.of(PATIENCE_MS):
            ringing = alarms.ringing(now=now) if _may_look(user) else []
    except TookTooLong:
        return [
            {
                "sentence": "Whether all is well with the stores was not found out in time.",
                "url": "",
            }
        ]
    return [
        {
            "sentence": alarm.sentence,
            "url": f"{reverse(f'admin:payments_{alarm.listed}_changelist')}?{alarm.query}",
        }
        for alarm in ringing
        if user.has_perm(f"payments.view_{alarm.listed}")
    ]


def _may_look(user: User | AnonymousUser) -> bool:
    return any(user.has_perm(f"payments.view_{listed}") for listed in alarms.LISTED)


def _shown(figure: Figure, now: datetime) -> dict[str, str]:
    value, detail = _in_time(figure.count, now)
    url = reverse(f"admin:{figure.url_name}")
    return {"title": figure.title, "value": value, "detail": detail, "url": url}


def _in_time(count: Callable[[datetime], tuple[str, str]], now: datetime) -> tuple[str, str]:
    try:
        with patience.of(PATIENCE_MS):
            return count(now)
    except TookTooLong:
        return "–", TOO_SLOW


def _series(now: datetime) -> tuple[str, str]:
    published = Series.objects.filter(state=Series.State.PUBLISHED)
    return f"{published.count():,}", "published"


def _viewers(now: datetime) -> tuple[str, str]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    seen = Viewer.objects.filter(last_seen_at__gte=midnight, environment=Environment.PRODUCTION)
    return f"{seen.count():,}", "seen since midnight UTC"


def _purchases(now: datetime) -> tuple[str, str]:
    """Of coins and of passes."""
    number, gross = 0, 0
    for model in (Purchase, PassPurchase):
        bought = model.objects.filter(**_last_day(now)).aggregate(
            number=Count("id"), gross=Sum("gross_micros", default=0)
        )
        number, gross = number + bought["number"], gross + bought["gross"]
    return f"{number:,}", f"{formats.cents(gross)} in the last 24 hours"


def _unlocks(now: datetime) -> tuple[str, str]:
    unlocked = Unlock.objects.filter(**_last_day(now)).aggregate(
        number=Count("id"), spent=Sum("price_coins", default=0)
    )
    return f"{unlocked['number']:,}", f"for {unlocked['spent']:,} coins in the last 24 hours"


def _outstanding(now: datetime) -> tuple[str, str]:
    """Coins and the value they carry, in one pass over the lots that still hold some."""
    held = Lot.objects.filter(remaining_coins__gt=0, environment=Environment.PRODUCTION).aggregate(
        coins=Sum("remaining_coins", default=0), value=Sum("remaining_value_micros", default=0)
    )
    return f"{held['coins']:,}", f"worth {formats.cents(held['value'])} of deferred revenue"


def _last_day(now: datetime) -> dict[str, Any]:
    return {
        "environment": Environment.PRODUCTION,
        "created_at__gt": now - timedelta(days=1),
        "created_at__lte": now,
    }


def _scheduled(user: User | AnonymousUser, now: datetime) -> Sequence[dict[str, Any]]:
    """The next versions that no change of prices has brought."""
    if not user.has_perm("payments.view_priceplan"):
        return []
    ahead = (
        PriceVersion.objects.filter(effective_from__gt=now, cancelled_at=None, change=None)
        .select_related("plan")
        .annotate(special_count=special_count())
        .order_by("effective_from")[:SCHEDULED]
    )
    return [{"version": version, "says": summary(version)} for version in ahead]


def _scheduled_changes(user: User | AnonymousUser, now: datetime) -> Sequence[PriceChange]:
    """The next changes of prices that are agreed to."""
    if not user.has_perm("payments.view_pricechange"):
        return []
    ahead = PriceChange.objects.filter(state=ChangeState.SCHEDULED, effective_from__gt=now)
    return list(ahead.defer("content").order_by("effective_from")[:SCHEDULED])


FIGURES: Sequence[Figure] = (
    Figure("Series", "catalog.view_series", "catalog_series_changelist", _series),
    Figure("Viewers today", "viewers.view_viewer", "viewers_viewer_changelist", _viewers),
    Figure("Purchases", "payments.view_purchase", "payments_purchase_changelist", _purchases),
    Figure("Unlocks", "payments.view_unlock", "payments_unlock_changelist", _unlocks),
    Figure("Coins outstanding", "payments.view_lot", "payments_lot_changelist", _outstanding),
)
