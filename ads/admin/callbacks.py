"""What networks told us, with what came of it, and the keys it was verified with."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from ads.admin.sessions import of_transaction, session_link
from ads.models import Callback, Resolution, Verdict, VerifierKeys
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, search_exactly


class VerdictFilter(DropdownFilter):  # type: ignore[misc]
    """By the verdicts that rows have: a repetition is counted on the row of the first."""

    title = "verdict"
    parameter_name = "verdict__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, str(one.label)) for one in Verdict if one is not Verdict.REPLAYED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(verdict=self.value()) if self.value() else queryset


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    """Filter by verdict for what paid nothing."""

    list_display: Sequence[str] = (
        "received_at",
        "verdict",
        "network",
        "transaction_id",
        "session_link",
        "replay_count",
        "detail",
    )
    list_filter = (
        VerdictFilter,
        ("network", ChoicesDropdownFilter),
        ("received_at", DayRangeFilter),
    )
    exact_search_fields: Sequence[str] = ("id", "session_id")
    search_help_text = "A network's transaction id, or a whole session or callback id"
    fields = (
        "id",
        "verdict",
        "detail",
        ("network", "transaction_id"),
        "session_link",
        "query",
        "received_at",
        ("replay_count", "last_replayed_at"),
        ("is_parked", "ended"),
    )
    readonly_fields = ("session_link", "query", "ended")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found = of_transaction(search_term)
        return search_exactly(queryset, self.exact_search_fields, search_term, found), False

    @admin.display(description="Session")
    def session_link(self, callback: Callback) -> SafeString | str:
        return session_link(callback.session_id) if callback.session_id else "–"

    @admin.display(description="What became of it")
    def ended(self, callback: Callback) -> str:
        """Of one that was parked: who has ended it, and why."""
        found = Resolution.objects.filter(callback_id=callback.id).select_related("resolved_by")
        return " ".join(
            f"{one.get_kind_display()}, by {one.resolved_by} on {one.resolved_at:%Y-%m-%d %H:%M} UTC: "
            f"{one.reason}"
            for one in found
        )

    @admin.display(description="Query string")
    def query(self, callback: Callback) -> str:
        return (
            bytes(callback.raw_query).decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
        )


@admin.register(VerifierKeys)
class VerifierKeysAdmin(ReadOnlyAdmin):
    """Whether the keys are fresh, and why not."""

    list_display = ("network", "fetched_at", "attempted_at", "failure")
    ordering = ("network",)
    fields = (
        "network",
        "fetched_at",
        "max_age_seconds",
        "wanted_at",
        "attempted_at",
        "failure",
        "keys",
    )
    readonly_fields = ("keys",)

    @admin.display(description="Document")
    def keys(self, kept: VerifierKeys) -> str:
        return bytes(kept.document).decode("utf-8", "backslashreplace")
