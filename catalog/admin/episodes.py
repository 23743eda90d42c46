"""Episodes with their texts and versions, versions with their beats."""

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from catalog.admin import formats
from catalog.admin.texts import EpisodeTextInline
from catalog.models import Beat, Episode, EpisodeVersion
from config.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, search_exactly


class VersionInline(ReadOnlyInline):
    model = EpisodeVersion
    fk_name = "episode"
    fields = readonly_fields = (
        "external_id",
        "locale",
        "provenance_kind",
        "duration",
        "created_at",
    )
    ordering = ("-id",)
    show_change_link = True

    @admin.display(description="Duration")
    def duration(self, version: EpisodeVersion) -> str:
        return formats.seconds(version)


class BeatInline(ReadOnlyInline):
    model = Beat
    fields = readonly_fields = (
        "position",
        "start_ms",
        "end_ms",
        "kind",
        "emotion",
        "hook",
        "prompt_ref",
    )
    ordering = ("position",)


@admin.register(Episode)
class EpisodeAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("series", "number", "external_id", "state", "current_version")
    list_display_links = ("external_id",)
    list_filter = ("state",)
    list_select_related = ("series", "current_version")
    search_fields = ("series__external_id",)
    search_help_text = "A whole id of an episode or a series, ours or the pipeline's"
    ordering = ("-id",)
    list_per_page = 50
    show_full_result_count = False
    inlines = (EpisodeTextInline, VersionInline)
    fields = readonly_fields = (
        "id",
        "series",
        "number",
        "external_id",
        "state",
        "current_version",
        "created_at",
        "updated_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Episode]:
        queryset: QuerySet[Episode] = super().get_queryset(request)
        return queryset.select_related("series", "current_version").defer("series__search")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Episode], search_term: str
    ) -> tuple[QuerySet[Episode], bool]:
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        by_name = queryset.filter(Q(external_id=term) | Q(series__external_id=term))
        return by_name | search_exactly(queryset, ("id", "series_id"), term), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Viewers may own it: a push without it withdraws it."""
        return False


@admin.register(EpisodeVersion)
class EpisodeVersionAdmin(ReadOnlyAdmin):
    list_display = ("id", "episode", "external_id", "locale", "provenance_kind", "created_at")
    list_select_related = ("episode",)
    exact_search_fields = ("id", "episode_id")
    search_help_text = "A whole id of a version or an episode"
    inlines = (BeatInline,)
    fields = (
        "episode",
        "external_id",
        "locale",
        "media",
        "duration",
        "width",
        "height",
        "provenance_kind",
        "provenance_model",
        "content_label",
        "created_at",
    )
    readonly_fields = ("duration",)

    @admin.display(description="Duration")
    def duration(self, version: EpisodeVersion) -> str:
        return formats.seconds(version)
