"""An operator gives a subscription to another viewer: shown what it opens for whom before it goes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from config import clock
from payments.admin import formats, seen
from payments.admin.refund_page import ReasonForm
from payments.models import Subscription, Wallet
from payments.store import subscriptions
from viewers.models import Viewer


class TransferForm(ReasonForm):
    viewer = forms.UUIDField(
        label="To the viewer",
        widget=UnfoldAdminTextInputWidget,
        help_text="Their whole id.",
        error_messages={"invalid": "Paste the whole id of a viewer."},
    )
    field_order = ("viewer", "reason")

    def __init__(self, *args: Any, subscription: Subscription, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subscription = subscription

    def clean_viewer(self) -> UUID:
        viewer = Viewer.objects.filter(id=self.cleaned_data["viewer"]).first()
        if viewer is None or viewer.erased_at is not None:
            raise forms.ValidationError("There is no such viewer.")
        if viewer.id == self.subscription.viewer_id:
            raise forms.ValidationError("This viewer has it already.")
        return viewer.id


@dataclass(frozen=True)
class Outcome:
    """What a transfer comes to: until when either viewer is covered by anything afterwards."""

    outcome: str
    before_until: datetime | None
    after_until: datetime | None
    left_until: datetime | None


@dataclass(frozen=True)
class Shown:
    """What an operator agreed to."""

    subscription_id: UUID
    from_viewer_id: UUID
    to_viewer_id: UUID
    reason: str
    operator_id: int
    outcome: Outcome


class OutcomeChanged(Exception):
    """It would come to something else now than what was shown."""


class TransferPage(FormView[TransferForm]):
    """Preview carries the transfer out and rolls it back; Transfer keeps it, if it did just that."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    form_class = TransferForm
    template_name = "admin/payments/subscription/transfer.html"
    subscription: Subscription

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.change_subscription"):
            raise PermissionDenied
        found = Subscription.objects.select_related("product")
        self.subscription = get_object_or_404(found, id=kwargs["subscription_id"])
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"subscription": self.subscription}

    def form_valid(self, form: TransferForm) -> HttpResponse:
        try:
            if "transfer" in self.request.POST:
                return self._transfer(form)
        except OutcomeChanged:
            messages.warning(
                self.request,
                "Not transferred: something has changed since the preview. This is how it stands now.",
            )
        return self._preview(form)

    def _preview(self, form: TransferForm) -> HttpResponse:
        with transaction.atomic():
            outcome = self._carry_out(form)
            transaction.set_rollback(True)
        if outcome.outcome != "transferred":
            form.add_error(None, _refusal(outcome.outcome))
            return self.form_invalid(form)
        shown = seen.token(self._shown(form, outcome))
        return self.render_to_response(
            self.get_context_data(form=form, shown=shown, outcome=outcome)
        )

    def _transfer(self, form: TransferForm) -> HttpResponse:
        with transaction.atomic():
            shown = self._shown(form, self._carry_out(form))
            if not seen.was_shown(shown, self.request.POST.get("shown", "")):
                raise OutcomeChanged
            said = f"Given to viewer {form.cleaned_data['viewer']}."
            reason = form.cleaned_data["reason"]
            self.model_admin.log_change(self.request, self.subscription, f"{said} {reason}")
        messages.success(self.request, said)
        return redirect("admin:payments_subscription_change", self.subscription.id)

    def _carry_out(self, form: TransferForm) -> Outcome:
        viewer_id = form.cleaned_data["viewer"]
        before = self._covered_until(viewer_id)
        outcome = subscriptions.transfer(
            self.subscription,
            viewer_id=viewer_id,
            operator_id=_operator(self.request).id,
            now=clock.now(self.request),
        )
        return Outcome(
            outcome=outcome,
            before_until=before,
            after_until=self._covered_until(viewer_id),
            left_until=self._covered_until(self.subscription.viewer_id),
        )

    def _covered_until(self, viewer_id: UUID) -> datetime | None:
        wallet = Wallet.objects.filter(
            viewer_id=viewer_id, environment=self.subscription.environment
        ).first()
        now = clock.now(self.request)
        until = wallet.covered_until if wallet is not None else None
        return until if until is not None and until > now else None

    def _shown(self, form: TransferForm, outcome: Outcome) -> Shown:
        return Shown(
            subscription_id=self.subscription.id,
            from_viewer_id=self.subscription.viewer_id,
            to_viewer_id=form.cleaned_data["viewer"],
            reason=form.cleaned_data["reason"],
            operator_id=_operator(self.request).id,
            outcome=outcome,
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        subscription = self.subscription
        own = {
            "title": f"Give {subscription.product.title} to another viewer",
            "opts": self.model_admin.opts,
            "original": subscription,
            "viewer": formats.viewer_link(subscription.viewer_id, is_whole=True),
            "back": reverse("admin:payments_subscription_change", args=[subscription.id]),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


def _refusal(outcome: str) -> str:
    if outcome == "too_often":
        days = subscriptions.TRANSFERS_WITHIN.days
        return f"It went to another viewer {subscriptions.TRANSFERS} times in {days} days: no more."
    return "This viewer has it already."


def _operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    return request.user
