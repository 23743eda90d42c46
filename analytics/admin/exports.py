"""Exports: what anybody asked for, who had it, and one's own to download."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from analytics import tasks
from analytics.exports import jobs, links, questions
from analytics.exports.callers import Caller
from analytics.exports.datasets import DATASETS
from analytics.exports.questions import Given, QuestionInvalid
from analytics.models import Export, ExportRecord, ExportState
from analytics.reports import library
from config import client_address, clock
from config.problems import NotFound
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, ReadOnlyInline
from config.table_files import TableFormat

QUERY_CHARACTERS = 500


class AskForm(forms.Form):
    name = forms.ChoiceField(label="What", widget=UnfoldAdminSelectWidget)
    query = forms.CharField(
        required=False,
        max_length=QUERY_CHARACTERS,
        widget=UnfoldAdminTextInputWidget,
        help_text="As in the report's address: by=week&split=country. Rows take since, until and cursor.",
    )
    file_format = forms.ChoiceField(
        label="Format",
        choices=[(kind.value, kind.value) for kind in TableFormat],
        initial=TableFormat.XLSX.value,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, operator: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        entries = {
            "Reports": {name: entry.title for name, entry in library.REPORTS.items()},
            "Rows": {
                name: dataset.title
                for name, dataset in DATASETS.items()
                if not dataset.operator_permission or operator.has_perm(dataset.operator_permission)
            },
        }
        self.fields["name"].choices = [  # type: ignore[attr-defined]
            (group, [(name, f"{name}: {title}") for name, title in named.items()])
            for group, named in entries.items()
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if "name" in given and "query" in given:
            try:
                questions.read(given["name"], self.question())
            except QuestionInvalid as refusal:
                self.add_error("query", str(refusal.detail))
        return given

    def question(self) -> Given:
        """What is asked, as the API takes it."""
        return dict(parse_qsl(self.cleaned_data["query"].strip().removeprefix("?")))


class AskPage(FormView[AskForm]):
    """An export in the name of the operator."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    form_class = AskForm
    template_name = "admin/analytics/export/ask.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("analytics.add_export"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "operator": _operator(self.request)}

    def form_valid(self, form: AskForm) -> HttpResponse:
        try:
            export = jobs.ask(
                by=_caller(self.request),
                name=form.cleaned_data["name"],
                question=form.question(),
                file_format=TableFormat(form.cleaned_data["file_format"]),
                now=clock.now(self.request),
            )
        except jobs.TooManyExports as refusal:
            form.add_error(None, f"{refusal.title}.")
            return self.form_invalid(form)
        tasks.ring_for_exports()
        self.model_admin.log_addition(self.request, export, "Asked for.")
        return redirect("admin:analytics_export_change", export.id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "Export",
            "opts": self.model_admin.opts,
            "back": reverse("admin:analytics_export_changelist"),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


class RecordInline(ReadOnlyInline):
    model = ExportRecord
    verbose_name_plural = "Record"
    ordering = ("id",)
    fields = ("at", "act", "operator", "api_key", "row_count", "address_hash")


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    """What anybody asked for. A file is its own asker's."""

    list_display = (
        "created_at",
        "name",
        "file_format",
        "state",
        "progress",
        "row_count",
        "size",
        "asked_by",
    )
    list_filter = (("state", ChoicesDropdownFilter), ("created_at", DayRangeFilter))
    list_select_related = ("api_key", "operator")
    exact_search_fields = ("id", "api_key_id")
    search_help_text = "A whole export or key id"
    fields = (
        "id",
        ("name", "file_format"),
        "question",
        "asked_by",
        ("created_at", "finished_at", "expires_at"),
        ("attempts", "next_cursor"),
    )
    readonly_fields = ("asked_by",)
    inlines = (RecordInline,)
    change_form_template = "admin/analytics/export/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("analytics.add_export")

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        own = [
            path(
                "<uuid:export_id>/download/", guard(self.download), name="analytics_export_download"
            ),
            path("<uuid:export_id>/cancel/", guard(self.cancel), name="analytics_export_cancel"),
        ]
        return [*own, *super().get_urls()]

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        return AskPage.as_view(model_admin=self)(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        export = self.get_object(request, object_id)
        shown = {} if export is None else _standing(export, request)
        answer: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **shown}
        )
        return answer

    def download(self, request: HttpRequest, export_id: UUID) -> HttpResponse:
        """To the file, by a link as any."""
        export = self._own(request, export_id)
        if export.state != ExportState.DONE:
            messages.error(request, "It has no file.")
            return redirect("admin:analytics_export_change", export.id)
        link, _ = links.address(export, by=_caller(request), now=clock.now(request))
        return redirect(link)

    def cancel(self, request: HttpRequest, export_id: UUID) -> HttpResponse:
        """Stops it, or deletes its file."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        export = self._own(request, export_id)
        jobs.cancel(export, by=_caller(request), now=clock.now(request))
        self.log_change(request, export, "Cancelled.")
        return redirect("admin:analytics_export_change", export.id)

    def _own(self, request: HttpRequest, export_id: UUID) -> Export:
        if not request.user.has_perm("analytics.add_export"):
            raise PermissionDenied
        try:
            return jobs.own(_caller(request), export_id)
        except NotFound as error:
            raise Http404 from error

    @admin.display(description="Asked for by")
    def asked_by(self, export: Export) -> str:
        return f"key {export.api_key.name}" if export.api_key else str(export.operator)

    @admin.display(description="Done")
    def progress(self, export: Export) -> str:
        return f"{export.percent} %"

    @admin.display(description="Size")
    def size(self, export: Export) -> str:
        return "–" if export.size_bytes is None else filesizeformat(export.size_bytes)


def _standing(export: Export, request: HttpRequest) -> Mapping[str, bool]:
    """What the page of an export offers."""
    return {
        "is_open": export.state in jobs.OPEN,
        "is_done": export.state == ExportState.DONE,
        "is_own": export.operator_id == _operator(request).id,
    }


def _operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  the admin's pages are for nobody else
    return request.user


def _caller(request: HttpRequest) -> Caller:
    return Caller(operator_id=_operator(request).id, address=client_address.read(request))
