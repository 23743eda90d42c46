"""The inbox of events, what was quarantined of them, and the lake's manifest. Nothing is edited."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from analytics.intake import inbox
from analytics.intake.inbox import Health
from analytics.models import EventBatch, Flush, LakeFile, QuarantinedEvent
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin


@admin.register(EventBatch)
class EventBatchAdmin(ReadOnlyAdmin):
    """How the inbox does, and its batches. A batch stays for a day after it is in the lake."""

    list_before_template = "admin/analytics/inbox_health.html"
    list_display = (
        "batch_id",
        "viewer_id",
        "environment",
        "received_at",
        "event_count",
        "quarantined",
        "is_in_lake",
    )
    list_filter = (("environment", ChoicesDropdownFilter), ("received_at", DayRangeFilter))
    exact_search_fields = ("viewer_id", "flush_id")
    search_help_text = "A whole viewer id or flush id"
    fields = (
        "batch_id",
        "viewer_id",
        "environment",
        ("sent_at", "received_at"),
        ("event_count", "quarantined"),
        "quarantined_events",
        "flush_page",
    )
    readonly_fields = ("quarantined", "quarantined_events", "flush_page")
    list_select_related = ("flush",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = (extra_context or {}) | {"health": _told(inbox.health(now=clock.now(request)))}
        answer: HttpResponse = super().changelist_view(request, shown)
        return answer

    @admin.display(description="Quarantined")
    def quarantined(self, batch: EventBatch) -> int:
        return len(batch.refusals)

    @admin.display(description="In the lake", boolean=True)
    def is_in_lake(self, batch: EventBatch) -> bool:
        return batch.flush is not None and batch.flush.finished_at is not None

    @admin.display(description="Events in quarantine")
    def quarantined_events(self, batch: EventBatch) -> SafeString | str:
        if not batch.refusals:
            return "–"
        url = f"{reverse('admin:analytics_quarantinedevent_changelist')}?q={batch.batch_id}"
        return format_html('<a class="ch-link" href="{}">{}</a>', url, "Those of this batch")

    @admin.display(description="Flush")
    def flush_page(self, batch: EventBatch) -> SafeString | str:
        return _link("flush", batch.flush_id) if batch.flush_id else "waits"


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyAdmin):
    """What apps sent that no report counts, for 14 days."""

    list_display = ("received_at", "code", "detail", "viewer_id", "batch_id", "position")
    list_filter = ("code", ("received_at", DayRangeFilter))
    exact_search_fields = ("viewer_id", "batch_id")
    search_help_text = "A whole viewer id or batch id"
    fields = (
        "code",
        "detail",
        "as_sent",
        "viewer_id",
        "environment",
        ("batch_id", "position"),
        "received_at",
    )
    readonly_fields = ("as_sent",)

    @admin.display(description="As it was sent")
    def as_sent(self, event: QuarantinedEvent) -> SafeString:
        """Whatever it is: bytes that are no text show as escapes, and markup as its characters."""
        text = bytes(event.raw).decode(errors="backslashreplace").replace("\x00", "\\x00")
        return format_html('<pre class="ch-raw">{}</pre>', text)


@admin.register(Flush)
class FlushAdmin(ReadOnlyAdmin):
    list_display = (
        "claimed_at",
        "finished_at",
        "event_count",
        "duplicate_count",
        "refused_count",
        "file_count",
        "leased_until",
    )
    list_filter = (("claimed_at", DayRangeFilter),)
    exact_search_fields = ("id",)
    search_help_text = "A whole flush id"
    fields = (
        "id",
        ("claimed_at", "finished_at", "leased_until"),
        ("event_count", "duplicate_count", "refused_count"),
        "files",
    )
    readonly_fields = ("files",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flush]:
        flushes: QuerySet[Flush] = super().get_queryset(request)
        return flushes.annotate(file_count=Count("files"))

    @admin.display(description="Files")
    def file_count(self, flush: Flush) -> int:
        count: int = flush.file_count  # type: ignore[attr-defined]  # annotated above
        return count

    @admin.display(description="Files")
    def files(self, flush: Flush) -> SafeString:
        url = f"{reverse('admin:analytics_lakefile_changelist')}?q={flush.id}"
        return format_html('<a class="ch-link" href="{}">{}</a>', url, "Those of this flush")


@admin.register(LakeFile)
class LakeFileAdmin(ReadOnlyAdmin):
    list_display = (
        "path",
        "dataset",
        "day",
        "row_count",
        "size_bytes",
        "first_at",
        "last_at",
        "compared_at",
        "retired_at",
    )
    list_filter = (("created_at", DayRangeFilter),)
    exact_search_fields = ("flush_id", "path")
    search_help_text = "A whole flush id or path"
    fields = (
        "path",
        ("dataset", "columns_version"),
        "flush_page",
        "day",
        ("row_count", "size_bytes"),
        ("first_at", "last_at"),
        ("created_at", "compared_at", "retired_at"),
        "repeated",
    )
    readonly_fields = ("flush_page", "repeated")

    @admin.display(description="Flush")
    def flush_page(self, file: LakeFile) -> SafeString | str:
        return (
            _link("flush", file.flush_id)
            if file.flush_id
            else "kept no longer, or merged from others"
        )

    @admin.display(description="Events that count in another file")
    def repeated(self, file: LakeFile) -> int:
        return file.repeated_events.count()


def _told(health: Health) -> dict[str, Any]:
    """The inbox's health as text."""
    by_code = health.quarantined_last_day
    return {
        "waiting_batches": f"{health.waiting_batches:,}",
        "oldest_waiting": health.oldest_waiting and _seconds(health.oldest_waiting),
        "flushed_events": f"{health.flushed_events_last_hour:,}",
        "last_flush_ago": health.last_flush_ago and _seconds(health.last_flush_ago),
        "quarantined": f"{sum(by_code.values()):,}",
        "quarantine_codes": ", ".join(f"{count:,} {code}" for code, count in by_code.items()),
        "lapsed_flushes": health.lapsed_flushes,
        "repeated": f"{health.repeated:,}",
        "in_conflict": f"{health.in_conflict:,}" if health.in_conflict else "",
    }


def _seconds(span: timedelta) -> str:
    """`0.8 s`, `14 s`, `5 min`, `3 h`: as exact as it matters."""
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _link(model_name: str, identifier: object) -> SafeString:
    """A link to the page of a row of this app, by its id."""
    url = reverse(f"admin:analytics_{model_name}_change", args=[identifier])
    return format_html('<a class="ch-link" href="{}">{}</a>', url, identifier)
