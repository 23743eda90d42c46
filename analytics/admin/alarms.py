"""Alarms of ads that were rewarded and not shown: on the first page until somebody has looked."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from analytics.models import AdAlarm
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin

#: So many lines are on the first page; the list has all of them.
SHOWN = 5


@admin.register(AdAlarm)
class AdAlarmAdmin(ReadOnlyAdmin):
    """Whom or what it is of, and how many of the rewarded ads the app had shown."""

    list_display = (
        "day",
        "scope",
        "subject",
        "rewards",
        "shown",
        "requested",
        "found_at",
        "seen_at",
    )
    list_filter = ("scope", ("day", DayRangeFilter), ("seen_at", admin.EmptyFieldListFilter))
    exact_search_fields = ("subject",)
    search_help_text = "A whole viewer id, placement or network"
    ordering = ("-day", "-rewards")
    actions = ("mark_seen",)
    fields = (
        ("day", "scope", "subject"),
        ("rewards", "shown", "requested"),
        "found_at",
        ("seen_at", "seen_by"),
    )

    def has_mark_permission(self, request: HttpRequest) -> bool:
        """To have looked takes the permission to change, which opens no form here."""
        return bool(request.user.has_perm("analytics.change_adalarm"))

    @admin.action(description="Looked at", permissions=["mark"])
    def mark_seen(self, request: HttpRequest, queryset: QuerySet[AdAlarm]) -> None:
        assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
        for alarm in queryset.filter(seen_at=None):
            alarm.seen_at, alarm.seen_by = clock.now(request), request.user
            alarm.save(update_fields=["seen_at", "seen_by"])
            self.log_change(request, alarm, "Looked at.")
        messages.success(request, "They ring no more, unless more is found of the same day.")


def ringing(request: HttpRequest) -> list[dict[str, Any]]:
    """What nobody has looked at yet, the most rewards first, as the first page shows it."""
    if not request.user.has_perm("analytics.view_adalarm"):
        return []
    unseen = AdAlarm.objects.filter(seen_at=None).order_by("-day", "-rewards", "id")
    url = reverse("admin:analytics_adalarm_changelist")
    return [
        {
            "sentence": f"{alarm.rewards:,} ads of {alarm.get_scope_display().lower()}"
            f" {_short(alarm.subject)} were rewarded on {alarm.day:%Y-%m-%d}, of which the app had shown"
            f" {alarm.shown:,}.",
            "url": f"{url}?q={alarm.subject}",
        }
        for alarm in unseen[:SHOWN]
    ]


def _short(subject: str) -> str:
    return subject if len(subject) <= 20 else f"…{subject[-12:]}"
