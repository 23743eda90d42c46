"""What the feed showed to whom, and how likely that was."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from catalog import browsing
from catalog.models import FeedDecision
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin


@admin.register(FeedDecision)
class FeedDecisionAdmin(ReadOnlyAdmin):
    list_display = ("id", "at", "viewer_id", "slot_count", "table_version", "environment")
    list_filter = (("at", DayRangeFilter),)
    exact_search_fields = ("id", "viewer_id")
    search_help_text = "A whole decision id or viewer id"
    fields = (
        "id",
        "at",
        "viewer_id",
        "environment",
        "table",
        "predecessor_id",
        "candidate_count",
        "candidates",
        "slots",
    )
    readonly_fields = ("table", "candidates", "slots")

    @admin.display(description="Slots")
    def slot_count(self, decision: FeedDecision) -> int:
        return len(decision.series_ids)

    @admin.display(description="Table")
    def table(self, decision: FeedDecision) -> str:
        return decision.table_version or "none: every series was equally likely"

    @admin.display(description="SHA-256 of the candidates")
    def candidates(self, decision: FeedDecision) -> str:
        return bytes(decision.candidates_sha256).hex()

    @admin.display(description="Slots")
    def slots(self, decision: FeedDecision) -> SafeString:
        """Each with the probability of its draw; by id where the series is withdrawn by now."""
        series = browsing.by_id(decision.series_ids, asked=())
        drawn = zip(decision.series_ids, decision.propensities, strict=True)
        return format_html_join(
            "",
            "<div>{}. {}, {}</div>",
            (
                (number, series.get(series_id, series_id), f"{propensity:.6f}")
                for number, (series_id, propensity) in enumerate(drawn, decision.first_slot)
            ),
        )
