"""Asking to give something: fill in, look at what it counts as, send just that, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from catalog.models import Episode, Series
from config import clock
from config.ids import uuid7
from payments.admin import formats, seen
from payments.admin.series_choice import SeriesSelect, titles
from payments.desk import grants
from payments.desk.grants import Asked, CoinGift, EpisodeGift, Gift, GrantRefused, PassGift, Terms
from payments.ledger import wallets
from payments.models import Grant, GrantKind, GrantReason, Wallet

MAXIMUM_NUMBER = 10_000
#: Beyond any limit that could be set, and still an integer to the database.
MAXIMUM_TYPED = 1_000_000_000


@dataclass(frozen=True)
class Request:
    """What an operator asks for, and what it counts as."""

    grant_id: UUID
    viewer_id: UUID
    environment: str
    gift: Gift
    terms: Terms
    reason: str
    note: str
    operator_id: int


class AskForm(forms.Form):
    """What every gift needs. `gift()` is what is given once the form is valid."""

    #: The fields that only this kind of gift has.
    own: ClassVar[tuple[str, ...]] = ()

    grant_id = forms.UUIDField(widget=forms.HiddenInput)
    viewer = forms.UUIDField(
        label="Viewer id",
        widget=UnfoldAdminTextInputWidget,
        help_text="It goes to the viewer's own environment.",
        error_messages={"invalid": "Paste the whole id of a viewer."},
    )
    reason = forms.ChoiceField(
        choices=[("", "Choose one"), *GrantReason.choices], widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        label="What happened",
        max_length=grants.NOTE_CHARACTERS,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="For whoever looks at this later: the ticket, what was promised.",
    )

    def own_fields(self) -> list[BoundField]:
        """Those between the viewer and the reason."""
        return [self[name] for name in self.own]


class CoinForm(AskForm):
    own = ("coins", "expire_at")

    coins = forms.IntegerField(
        min_value=1, max_value=MAXIMUM_TYPED, widget=UnfoldAdminIntegerFieldWidget
    )
    expire_at = forms.SplitDateTimeField(
        label="Lapse at (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Leave empty for coins that never lapse.",
    )

    def gift(self) -> CoinGift:
        data = self.cleaned_data
        return CoinGift(coins=data["coins"], expire_at=data["expire_at"])


class EpisodeForm(AskForm):
    own = ("series", "number")

    series = forms.ModelChoiceField(queryset=Series.objects.all(), widget=SeriesSelect)
    number = forms.IntegerField(
        label="Episode",
        min_value=1,
        max_value=MAXIMUM_NUMBER,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Its number in the series.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if series := cleaned.get("series"):
            published = Episode.objects.filter(series=series, place=cleaned.get("number"))
            cleaned["episode"] = published.first()
            if "number" in cleaned and cleaned["episode"] is None:
                self.add_error("number", "No episode of this number is published.")
        return cleaned

    def gift(self) -> EpisodeGift:
        return EpisodeGift(episode_id=self.cleaned_data["episode"].id)


class PassForm(AskForm):
    own = ("days",)

    days = forms.IntegerField(
        min_value=1,
        max_value=MAXIMUM_TYPED,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Every episode opens without coins. They begin when the viewer's present pass "
        "or subscription ends, or at once.",
    )

    def gift(self) -> PassGift:
        return PassGift(days=self.cleaned_data["days"])


GiftForm = CoinForm | EpisodeForm | PassForm
FORMS: Mapping[str, type[GiftForm]] = {
    GrantKind.COINS: CoinForm,
    GrantKind.EPISODE: EpisodeForm,
    GrantKind.PASS: PassForm,
}


class AskPage(FormView[GiftForm]):
    """Look renders, Send asks; Send does nothing but look when anything has moved since the look
    that it stands under. A form that is sent twice gives once."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/grant/ask.html"
    kind: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_grant"):
            raise PermissionDenied
        self.kind = request.GET.get("kind", "")
        if self.kind not in FORMS:
            self.kind = GrantKind.COINS
        return super().dispatch(request, *args, **kwargs)

    def get_form_class(self) -> type[GiftForm]:
        return FORMS[self.kind]

    def get_initial(self) -> dict[str, Any]:
        return {"grant_id": uuid7(), "viewer": self.request.GET.get("viewer", "")}

    def form_valid(self, form: GiftForm) -> HttpResponse:
        try:
            asked = self._request(form)
            if "send" in self.request.POST:
                if seen.was_shown(asked, self.request.POST.get("shown", "")):
                    return self._send(asked)
                messages.warning(
                    self.request,
                    "Not sent: something has changed since you looked. This is how it stands now.",
                )
        except GrantRefused as refusal:
            form.add_error(None, str(refusal))
            return self.form_invalid(form)
        return self.render_to_response(
            self.get_context_data(form=form, shown=seen.token(asked), **self._look(asked))
        )

    def _request(self, form: GiftForm) -> Request:
        now = clock.now(self.request)
        gift = form.gift()
        viewer = grants.recipient(form.cleaned_data["viewer"])
        return Request(
            grant_id=form.cleaned_data["grant_id"],
            viewer_id=viewer.id,
            environment=viewer.environment,
            gift=gift,
            terms=grants.terms(gift, now=now),
            reason=form.cleaned_data["reason"],
            note=form.cleaned_data["note"],
            operator_id=self._operator().id,
        )

    def _look(self, asked: Request) -> dict[str, Any]:
        """What the operator sees of it before it is sent."""
        now = clock.now(self.request)
        owner: dict[str, Any] = {"viewer_id": asked.viewer_id, "environment": asked.environment}
        wallet = Wallet.objects.filter(**owner).first()
        return {
            "asked": asked,
            "viewer": formats.viewer_link(asked.viewer_id, is_whole=True),
            "what": describe(asked.gift),
            "worth": formats.coins(asked.terms.worth_coins),
            "balance": formats.coins(wallets.balance(**owner, at=now).coins),
            "debt": formats.coins(-wallet.debt_coins) if wallet and wallet.debt_coins else "",
            "left_today": formats.coins(
                grants.left_today_coins(operator_id=asked.operator_id, now=now)
            ),
        }

    def _send(self, asked: Request) -> HttpResponse:
        with transaction.atomic():
            outcome = grants.ask(
                grant_id=asked.grant_id,
                viewer_id=asked.viewer_id,
                gift=asked.gift,
                reason=GrantReason(asked.reason),
                note=asked.note,
                operator_id=asked.operator_id,
                now=clock.now(self.request),
            )
            grant = Grant.objects.get(id=asked.grant_id)
            what = describe(asked.gift)
            if outcome is not Asked.REPEATED:
                done = "Given" if outcome is Asked.GIVEN else "Asked for"
                self.model_admin.log_addition(self.request, grant, f"{done}: {what}.")
        messages.add_message(self.request, *_told(outcome, what))
        return redirect("admin:payments_grant_change", grant.id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "Give something",
            "opts": self.model_admin.opts,
            "kinds": [
                {"label": label, "url": self._url(kind), "is_chosen": kind == self.kind}
                for kind, label in GrantKind.choices
            ],
            "back": reverse("admin:payments_grant_changelist"),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )

    def _url(self, kind: str) -> str:
        query = self.request.GET.copy()
        query["kind"] = kind
        return f"?{query.urlencode()}"

    def _operator(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101  the admin let only staff through
        return user


def describe(gift: Gift) -> str:
    """`500 coins`, `A Title (series-1), episode 9`, `a pass for 7 days`."""
    if isinstance(gift, CoinGift):
        until = f" until {gift.expire_at:%Y-%m-%d %H:%M} UTC" if gift.expire_at else ""
        return f"{_counted(gift.coins, 'coin')}{until}"
    if isinstance(gift, PassGift):
        return f"a pass for {_counted(gift.days, 'day')}"
    episode = Episode.objects.select_related("series").get(id=gift.episode_id)
    return f"{titles([episode.series])[episode.series_id]}, episode {episode.number}"


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def _told(outcome: Asked, what: str) -> tuple[int, str]:
    if outcome is Asked.GIVEN:
        return messages.SUCCESS, f"Given: {what}."
    if outcome is Asked.WAITING:
        return messages.WARNING, f"Nothing is given yet: {what} waits for a second person."
    return messages.INFO, "This form was sent before, and nothing was given a second time."
