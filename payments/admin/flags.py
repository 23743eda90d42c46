"""Viewers and playbacks that no figure counts: who was flagged, why, and lifting that."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextInputWidget

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from viewers import flags
from viewers.flags import FlagRefused
from viewers.models import Flag, FlagReason, Viewer
from viewers.models.flags import DETAIL_CHARACTERS


class FlagForm(forms.ModelForm[Flag]):
    """Whom an operator flags, and why."""

    viewer_id = forms.UUIDField(label="Viewer id", widget=UnfoldAdminTextInputWidget)
    playback_session_id = forms.UUIDField(
        label="Playback session id",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Empty: all that the viewer ever did",
    )
    detail = forms.CharField(
        label="Why", max_length=DETAIL_CHARACTERS, widget=UnfoldAdminTextInputWidget
    )

    class Meta:
        model = Flag
        fields = ("playback_session_id", "detail")

    def clean_viewer_id(self) -> UUID:
        viewer_id: UUID = self.cleaned_data["viewer_id"]
        if not Viewer.objects.filter(id=viewer_id).exists():
            raise forms.ValidationError("There is no such viewer.")
        return viewer_id

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        standing = Flag.objects.filter(
            viewer_id=cleaned["viewer_id"],
            playback_session_id=cleaned["playback_session_id"],
            reason=FlagReason.OPERATOR,
            lifted_at=None,
        )
        if standing.exists():
            raise forms.ValidationError("An operator has flagged that already.")
        return cleaned


@admin.register(Flag)
class FlagAdmin(Explained, OfViewer, ReadOnlyAdmin):
    """Flags are raised and lifted, never edited or deleted: both stay on record."""

    list_display = (
        "raised_at",
        "viewer_link",
        "of_what",
        "reason",
        "detail",
        "raised_by",
        "lifted_at",
    )
    list_filter = (
        "reason",
        ("raised_at", DayRangeFilter),
        ("lifted_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("raised_by",)
    exact_search_fields = ("viewer_id", "playback_session_id")
    search_help_text = "A whole viewer or playback session id"
    fields = (
        "whole_viewer_link",
        "playback_session_id",
        "reason",
        "detail",
        ("since", "until"),
        ("raised_at", "raised_by"),
        ("lifted_at", "lifted_by"),
        "lifted_because",
    )
    readonly_fields = ("whole_viewer_link",)
    add_form = FlagForm
    change_form_template = "admin/viewers/flag/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("viewers.add_flag"))

    def get_form(
        self, request: HttpRequest, obj: Flag | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return FlagForm if obj is None else super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Flag | None = None) -> Any:
        return ("viewer_id", "playback_session_id", "detail") if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Flag | None = None) -> Any:
        return () if obj is None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Flag, form: FlagForm, change: bool) -> None:
        assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
        made = flags.raise_by_hand(
            viewer_id=form.cleaned_data["viewer_id"],
            playback_session_id=form.cleaned_data["playback_session_id"],
            detail=form.cleaned_data["detail"],
            operator_id=request.user.id,
            now=clock.now(request),
        )
        # The admin goes on to log and name the object it holds: let it be the one that was made.
        obj.pk, obj.viewer_id, obj.reason = made.pk, made.viewer_id, made.reason

    def get_urls(self) -> list[URLPattern]:
        lift = self.admin_site.admin_view(require_POST(self._lift))
        urls: list[URLPattern] = [
            path("<uuid:flag_id>/lift/", lift, name="viewers_flag_lift"),
            *super().get_urls(),
        ]
        return urls

    def beside(self, request: HttpRequest, row: Flag) -> Mapping[str, Any]:
        may = request.user.has_perm("viewers.change_flag")
        return {"may_lift": may and row.lifted_at is None}

    def _lift(self, request: HttpRequest, flag_id: UUID) -> HttpResponse:
        if not request.user.has_perm("viewers.change_flag"):
            raise PermissionDenied
        get_object_or_404(Flag, id=flag_id)
        assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
        try:
            with transaction.atomic():
                lifted = flags.lift(
                    flag_id=flag_id,
                    operator_id=request.user.id,
                    because=request.POST.get("because", "").replace("\x00", ""),
                    now=clock.now(request),
                )
                self.log_change(request, lifted, f"Lifted: {lifted.lifted_because}")
        except FlagRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Lifted: from the next ranking on it counts again.")
        return redirect("admin:viewers_flag_change", flag_id)

    @admin.display(description="Of what")
    def of_what(self, flag: Flag) -> str:
        return (
            f"playback …{str(flag.playback_session_id)[-12:]}"
            if flag.playback_session_id
            else "all"
        )
