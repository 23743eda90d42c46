"""Why may they watch? A page that explains a yes or a no, at any moment, to whoever asks support."""

from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.generic import TemplateView
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from catalog.models import Episode, Series
from config import clock
from payments.admin import formats, why_lines
from payments.admin.series_choice import titles
from payments.support import why
from payments.views import moments
from viewers.models import Environment, Viewer

URL_NAME = "payments_entitlement_why"


class WhyForm(forms.Form):
    """The question. An episode is named by its id, or by its series and number."""

    viewer = forms.UUIDField(widget=UnfoldAdminTextInputWidget, help_text="A whole viewer id")
    episode = forms.UUIDField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="A whole episode id, or:"
    )
    series = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="The series' external id",
    )
    number = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The episode's number",
    )
    device = forms.UUIDField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Whose prices are meant, by its whole id. Leave empty for the one they used last.",
    )
    at = forms.DateTimeField(
        label="Moment (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="2026-11-27 20:15:00, to the microsecond if need be. Leave empty for now.",
    )
    environment = forms.ChoiceField(
        required=False,
        choices=[("", "The viewer's own"), *Environment.choices],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean_viewer(self) -> Viewer:
        viewer = Viewer.objects.filter(id=self.cleaned_data["viewer"]).first()
        if viewer is None:
            raise forms.ValidationError("There is no viewer of this id.")
        return viewer

    def clean_at(self) -> datetime:
        moment: datetime | None = self.cleaned_data["at"]
        if moment is not None and moment > self.now:
            raise forms.ValidationError("This moment is still ahead.")
        return moments.bounded(moment or self.now, now=self.now)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            cleaned["shown"] = self._episode(cleaned)
        return cleaned

    def clean_device(self) -> UUID | None:
        device_id: UUID | None = self.cleaned_data["device"]
        viewer = self.cleaned_data.get("viewer")
        if device_id and viewer and not viewer.devices.filter(id=device_id).exists():
            raise forms.ValidationError("The viewer has no device of this id.")
        return device_id

    def _episode(self, cleaned: dict[str, Any]) -> Episode | None:
        """By id, else by series and number: of two with the number, the one that is published."""
        episodes = Episode.objects.select_related("series")
        if cleaned["episode"]:
            found = episodes.filter(id=cleaned["episode"]).first()
        else:
            found = (
                episodes.filter(series__external_id=cleaned["series"], number=cleaned["number"])
                .order_by("state", "-id")
                .first()
            )
        if found is None:
            self.add_error("episode", "Name an episode: its id, or its series and number.")
        return found


class WhyPage(TemplateView):
    """Reads alone, so that an answer is an address that can be sent to somebody."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/why/page.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.view_entitlement"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = {name: request.GET[name].replace("\x00", "") for name in request.GET}
        form = WhyForm(asked or None, now=clock.now(request))
        own = {
            "title": "Why may they watch?",
            "opts": self.model_admin.opts,
            "form": form,
            **(_explained(form) if form.is_valid() else {}),
        }
        context = self.get_context_data(**self.model_admin.admin_site.each_context(request), **own)
        return self.render_to_response(context)


def link(
    *, viewer_id: UUID, environment: str, episode_id: UUID, at: datetime | None = None
) -> SafeString:
    """To the page with the question filled in, and so to its answer."""
    asked = {"viewer": viewer_id, "episode": episode_id, "environment": environment}
    moment = {"at": at.isoformat()} if at else {}
    url = f"{reverse(f'admin:{URL_NAME}')}?{urlencode(asked | moment)}"
    return format_html('<a class="ch-link" href="{}">Why?</a>', url)


def _explained(form: WhyForm) -> dict[str, Any]:
    viewer, episode = form.cleaned_data["viewer"], form.cleaned_data["shown"]
    series: Series = episode.series
    told = why.why(
        viewer_id=viewer.id,
        environment=form.cleaned_data["environment"] or viewer.environment,
        episode_id=episode.id,
        at=form.cleaned_data["at"],
        device_id=form.cleaned_data["device"],
    )
    return {
        "told": told,
        "what": f"{titles([series])[series.id]}, episode {episode.number}",
        "viewer_link": formats.viewer_link(viewer.id, is_whole=True),
        "answer": why_lines.answer(told),
        "standing": why_lines.standing(told),
        "earlier": why_lines.earlier(told),
    }
