"""Files of another system's past: what came of each, and the lines of it that were refused. Nothing is edited."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from analytics.models import HistoryImport, RefusedLine
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin


@admin.register(HistoryImport)
class HistoryImportAdmin(ReadOnlyAdmin):
    """One that has no end is going on, or was killed: the same command goes on with it."""

    list_display = (
        "started_at",
        "source",
        "kind",
        "file_name",
        "line_count",
        "kept_count",
        "known_count",
        "refused_count",
        "finished_at",
    )
    list_filter = (("kind", ChoicesDropdownFilter), ("started_at", DayRangeFilter))
    exact_search_fields = ("id", "source")
    search_help_text = "A whole id, or a source"
    fields = (
        "id",
        ("source", "kind"),
        "file_name",
        ("started_at", "finished_at"),
        ("line_count", "kept_count", "known_count", "left_out_count"),
        ("refused_count", "refused"),
    )
    readonly_fields = ("refused",)

    @admin.display(description="Refused")
    def refused(self, made: HistoryImport) -> SafeString:
        url = f"{reverse('admin:analytics_refusedline_changelist')}?q={made.id}"
        return format_html('<a class="ch-link" href="{}">{}</a>', url, "The lines, each with why")


@admin.register(RefusedLine)
class RefusedLineAdmin(ReadOnlyAdmin):
    """By their place in the file; to be mended in a file of their own."""

    list_display = ("line", "code", "detail", "history_import")
    list_select_related = ("history_import",)
    list_filter = ("code",)
    exact_search_fields = ("history_import_id",)
    search_help_text = "The whole id of an import"
    fields = ("history_import", "line", "code", "detail")
