"""Series: their texts and labels, and the steps an operator takes with them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Model, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action

from catalog import access, publishing, search
from catalog.admin import formats
from catalog.admin.texts import SeriesTextInline, as_pushed
from catalog.faults import SeriesInvalid
from catalog.models import Episode, ProvenanceKind, Series, SeriesText
from catalog.pushes import Country, Year
from config import clock
from config.read_only_admin import ReadOnlyInline

ORIGINAL_TEXTS = "original_texts"
PUBLISHED_COUNT = "published_count"


class EpisodeInline(ReadOnlyInline):
    model = Episode
    fields = readonly_fields = ("number", "external_id", "state", "version", "duration")
    ordering = ("number",)
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Episode]:
        queryset: QuerySet[Episode] = super().get_queryset(request)
        return queryset.select_related("current_version")

    @admin.display(description="Version")
    def version(self, episode: Episode) -> str:
        return str(episode.current_version or "")

    @admin.display(description="Duration")
    def duration(self, episode: Episode) -> str:
        return formats.seconds(episode.current_version)


class SeriesForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_country(self) -> Any:
        return as_pushed(self.cleaned_data["country"], Country, "Two capitals, as in US.")

    def clean_release_year(self) -> Any:
        return as_pushed(self.cleaned_data["release_year"], Year | None, "A year, as in 1914.")

    def clean_content_label(self) -> str:
        """The database would refuse it too, but could not say so beside the field."""
        label: str = self.cleaned_data["content_label"]
        is_shown = self.instance.state in {Series.State.SCHEDULED, Series.State.PUBLISHED}
        if is_shown and not label and self.instance.provenance_kind != ProvenanceKind.HUMAN:
            raise ValidationError("What AI had a part in needs a label.")
        return label


@admin.register(Series)
class SeriesAdmin(ModelAdmin):  # type: ignore[misc]
    form = SeriesForm
    list_display = (
        "thumbnail",
        "title",
        "state",
        "genre",
        "provenance_kind",
        "episodes_published",
        "published_at",
    )
    list_display_links = ("title",)
    list_filter = ("state", "provenance_kind", "access_mode")
    search_fields = ("external_id",)
    search_help_text = "Words of a title, synopsis or tag, or a whole external id"
    ordering = ("-id",)
    list_per_page = 50
    show_full_result_count = False
    actions = (
        "publish_selected",
        "withdraw_selected",
        "open_by_both",
        "open_by_coins_alone",
        "open_by_ads_alone",
    )
    actions_detail = ("publish_this", "withdraw_this")
    inlines = (SeriesTextInline, EpisodeInline)
    fieldsets = (
        (None, {"fields": ("thumbnail", "external_id", "state", "is_held", "access_mode")}),
        ("Dates", {"fields": ("publish_at", "published_at", "created_at", "updated_at")}),
        ("About", {"fields": ("genre", "tags", "release_year", "country", "studio")}),
        ("Provenance", {"fields": ("provenance_kind", "provenance_model", "content_label")}),
        ("Locale", {"fields": ("original_locale",)}),
    )
    readonly_fields = (
        "thumbnail",
        "external_id",
        "state",
        "is_held",
        "access_mode",
        "publish_at",
        "published_at",
        "created_at",
        "updated_at",
        "provenance_kind",
        "provenance_model",
        "original_locale",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Series]:
        original = SeriesText.objects.filter(locale=F("series__original_locale"))
        published = Count("episodes", filter=Q(episodes__state=Episode.State.PUBLISHED))
        queryset: QuerySet[Series] = super().get_queryset(request)
        return (
            queryset.select_related("poster")
            .annotate(**{PUBLISHED_COUNT: published})
            .prefetch_related(Prefetch("texts", original, to_attr=ORIGINAL_TEXTS))
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Series], search_term: str
    ) -> tuple[QuerySet[Series], bool]:
        term = search_term.strip().replace("\x00", "")[:200]
        if not term:
            return queryset, False
        wanted = Q(external_id=term)
        if (query := search.query(term)) is not None:
            wanted |= Q(search=query)
        return queryset.filter(wanted), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Viewers own parts of it: a series is withdrawn, never deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: Series, form: Any, change: bool) -> None:
        """Writes what the operator changed and nothing that a push may have changed meanwhile."""
        obj.updated_at = clock.now(request)
        obj.save(update_fields=[*form.changed_data, "updated_at"])

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        search.index(form.instance.id)

    @admin.display(description="Poster")
    def thumbnail(self, series: Series) -> SafeString | str:
        return formats.image(series.poster)

    @admin.display(description="Title")
    def title(self, series: Series) -> str:
        texts = getattr(series, ORIGINAL_TEXTS)
        return texts[0].title if texts else series.external_id

    @admin.display(description="Episodes", ordering=PUBLISHED_COUNT)
    def episodes_published(self, series: Series) -> int:
        count: int = getattr(series, PUBLISHED_COUNT)
        return count

    @admin.action(description="Publish selected series", permissions=["change"])
    def publish_selected(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        for series_id in queryset.values_list("id", flat=True):
            self._step(request, series_id, publishing.publish, "Published.")

    @admin.action(description="Withdraw selected series", permissions=["change"])
    def withdraw_selected(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        for series_id in queryset.values_list("id", flat=True):
            self._step(request, series_id, publishing.withdraw, "Withdrawn.")

    def has_set_access_permission(self, request: HttpRequest) -> bool:
        """Whoever sets prices says also whether they are asked."""
        return request.user.has_perm("catalog.add_accesschange")

    @admin.action(description="Let coins or ads open selected series", permissions=["set_access"])
    def open_by_both(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        self._set_access(request, queryset, Series.AccessMode.HYBRID)

    @admin.action(description="Let coins alone open selected series", permissions=["set_access"])
    def open_by_coins_alone(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        self._set_access(request, queryset, Series.AccessMode.PAID)

    @admin.action(description="Let ads alone open selected series", permissions=["set_access"])
    def open_by_ads_alone(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        self._set_access(request, queryset, Series.AccessMode.AD)

    def _set_access(
        self, request: HttpRequest, queryset: QuerySet[Series], mode: Series.AccessMode
    ) -> None:
        assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
        chosen = list(queryset.values_list("id", flat=True))
        number = access.set_mode(
            chosen, mode=mode, operator_id=request.user.id, now=clock.now(request)
        )
        messages.success(request, f"{number} of {len(chosen)} series changed: {mode.label}.")

    @action(  # type: ignore[untyped-decorator]  # django-unfold has no types
        description="Publish",
        url_path="publish",
        permissions=["change"],
        dialog={
            "title": "Publish this series?",
            "description": "Anyone can find it at once, and pushes steer it again.",
            "form_class": None,
            "form_submit_text": "Publish",
        },
    )
    def publish_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._step_on_page(request, object_id, publishing.publish, "Published.")

    @action(  # type: ignore[untyped-decorator]  # django-unfold has no types
        description="Withdraw",
        url_path="withdraw",
        permissions=["change"],
        dialog={
            "title": "Withdraw this series?",
            "description": "Nobody finds it any more, and no push brings it back. Viewers keep "
            "what they unlocked.",
            "form_class": None,
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._step_on_page(request, object_id, publishing.withdraw, "Withdrawn.")

    def _step_on_page(
        self, request: HttpRequest, object_id: str, step: Callable[..., Series], done: str
    ) -> HttpResponse:
        """The dialog posts by script, which follows this header and not a redirect."""
        series = self.get_object(request, object_id)
        if series is None:
            raise Http404
        self._step(request, series.id, step, done)
        page = reverse("admin:catalog_series_change", args=[series.id])
        return HttpResponse(headers={"HX-Redirect": page})

    def _step(
        self, request: HttpRequest, series_id: UUID, step: Callable[..., Series], done: str
    ) -> None:
        try:
            series = step(series_id=series_id, now=clock.now(request))
        except SeriesInvalid as refused:
            reasons = " ".join(fault.message for fault in refused.faults)
            name = Series.objects.get(id=series_id).external_id
            messages.error(request, f"{name}: {reasons}")
        else:
            self.log_change(request, series, done)
            messages.success(request, f"{series.external_id}: {done}")
