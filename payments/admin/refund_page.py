"""An operator refunds a purchase or undoes an unlock: told what it takes before it is taken."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
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
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from config import clock
from config.ids import uuid7
from payments.admin import formats, seen
from payments.admin.series_choice import title, with_titles
from payments.models import Lot, PassPurchase, Purchase, Refund, Unlock
from payments.money import PARTS_PER_MILLION
from payments.store import operator_refunds, refunds
from payments.store.operator_refunds import RefundRefused
from payments.store.refunds import (
    Effect,
    Effects,
    PassEffects,
    UnlockRefunded,
    UnlockUndone,
)

REASON_CHARACTERS = 500
HELD = "The store pays it back when a second person agrees."


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=REASON_CHARACTERS,
        widget=UnfoldAdminTextInputWidget,
        help_text="For whoever looks at this later.",
    )


class RefundForm(ReasonForm):
    request_id = forms.UUIDField(widget=forms.HiddenInput)
    amount = forms.DecimalField(
        required=False,
        min_value=Decimal("0.000001"),
        max_digits=16,
        decimal_places=6,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Leave empty for all that has not gone back yet.",
    )

    def __init__(
        self, *args: Any, purchase: Purchase | PassPurchase, left_micros: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.purchase, self.left_micros = purchase, left_micros
        self.fields["amount"].label = f"Amount, in {purchase.currency}"

    def clean_amount(self) -> int | None:
        """In micros; None for all that is left."""
        amount: Decimal | None = self.cleaned_data["amount"]
        if amount is None:
            return None
        micros = int(amount * PARTS_PER_MILLION)
        if micros > self.left_micros:
            left = formats.money(self.left_micros, self.purchase.currency)
            raise forms.ValidationError(f"At most {left} can go back.")
        return micros


@dataclass(frozen=True)
class Shown:
    """What an operator agreed to."""

    purchase_id: UUID
    request_id: UUID
    amount_micros: int | None
    reason: str
    operator_id: int
    effects: Effects | PassEffects


class EffectsChanged(Exception):
    """The refund would do something else now than what was shown."""


class OfPurchase(ABC, FormView[RefundForm]):
    """Preview carries the refund out and rolls it back; Refund carries it out and keeps it, if it
    did exactly what was previewed. A form that is sent twice refunds once."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    form_class = RefundForm
    purchase: Purchase | PassPurchase
    #: The page of the purchase, by the name of its address.
    page: ClassVar[str]

    @abstractmethod
    def find(self, purchase_id: UUID) -> Purchase | PassPurchase:
        """The purchase, with what it bought. Raises Http404."""

    @abstractmethod
    def foresee(self, form: RefundForm) -> Effects | PassEffects:
        """What the refund would do now. Raises RefundRefused."""

    @abstractmethod
    def effects(self, refund_id: UUID) -> Effects | PassEffects:
        """What a refund that was carried out did."""

    @abstractmethod
    def tell(self, effects: Any) -> dict[str, Any]:
        """Effects in the words of the page."""

    @abstractmethod
    def sentence(self, effects: Any) -> str:
        """What was taken, behind the amount that went back."""

    @abstractmethod
    def what(self) -> str:
        """What was bought."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_refund"):
            raise PermissionDenied
        self.purchase = self.find(kwargs["purchase_id"])
        return super().dispatch(request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        return {"request_id": uuid7()}

    def get_form_kwargs(self) -> dict[str, Any]:
        left_micros = self.purchase.gross_micros - refunds.refunded_micros(self.purchase)
        own = {"purchase": self.purchase, "left_micros": left_micros}
        return super().get_form_kwargs() | own

    def form_invalid(self, form: RefundForm) -> HttpResponse:
        """A form that has been sent may name more than is left by now: that is no complaint."""
        if self._was_sent(form):
            return self._sent_before()
        return super().form_invalid(form)

    def form_valid(self, form: RefundForm) -> HttpResponse:
        if self._was_sent(form):
            return self._sent_before()
        try:
            if "refund" in self.request.POST:
                return self._refund(form)
            return self._preview(form)
        except EffectsChanged:
            messages.warning(
                self.request,
                "Not refunded: the wallet has changed since the preview. This is how it stands now.",
            )
            return self._preview(form)
        except RefundRefused as refusal:
            form.add_error(None, str(refusal))
            return self.form_invalid(form)

    def _preview(self, form: RefundForm) -> HttpResponse:
        effects = self.foresee(form)
        shown = seen.token(self._shown(form, effects))
        context = self.get_context_data(form=form, shown=shown, taken=self.tell(effects))
        return self.render_to_response(context)

    def _refund(self, form: RefundForm) -> HttpResponse:
        with transaction.atomic():
            recorded = operator_refunds.by_operator(
                self.purchase, request_id=form.cleaned_data["request_id"], **self.asked(form)
            )
            if recorded.outcome is Effect.REPEATED:
                return self._sent_before()
            effects = self.effects(recorded.refund_id)
            if not seen.was_shown(self._shown(form, effects), self.request.POST.get("shown", "")):
                raise EffectsChanged
            gross = formats.money(effects.gross_micros, self.purchase.currency)
            is_held = operator_refunds.is_held(Refund.objects.get(id=recorded.refund_id))
            who_pays = HELD if is_held else self.who_pays()
            said = f"Refunded {gross}: {self.sentence(effects)} {who_pays}"
            self.model_admin.log_change(
                self.request, self.purchase, f"{said} {form.cleaned_data['reason']}"
            )
        messages.success(self.request, said)
        return redirect("admin:payments_refund_change", recorded.refund_id)

    def who_pays(self) -> str:
        """Whether the buyer has their money by this."""
        store = self.purchase.get_provider_display()
        if operator_refunds.is_given_back_by_store(self.purchase):
            return f"{store} is told to pay it back."
        return f"{store} pays nothing back because of this."

    def _was_sent(self, form: RefundForm) -> bool:
        request_id = form.cleaned_data.get("request_id")
        name = operator_refunds.refund_id_of(request_id) if request_id else None
        return refunds.of(self.purchase).filter(refund_id=name).exists()

    def _sent_before(self) -> HttpResponse:
        messages.info(
            self.request, "This form was sent before, and nothing was taken a second time."
        )
        return redirect(self.page, self.purchase.id)

    def asked(self, form: RefundForm) -> dict[str, Any]:
        return {
            "operator_id": _operator(self.request).id,
            "reason": form.cleaned_data["reason"],
            "amount_micros": form.cleaned_data["amount"],
            "now": clock.now(self.request),
        }

    def _shown(self, form: RefundForm, effects: Effects | PassEffects) -> Shown:
        return Shown(
            purchase_id=self.purchase.id,
            request_id=form.cleaned_data["request_id"],
            amount_micros=form.cleaned_data["amount"],
            reason=form.cleaned_data["reason"],
            operator_id=_operator(self.request).id,
            effects=effects,
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        purchase = self.purchase
        own = {
            "title": f"Refund {self.what()}",
            "opts": self.model_admin.opts,
            "original": purchase,
            "price": formats.money(purchase.gross_micros, purchase.currency),
            "who_pays": self.who_pays(),
            "back": reverse(self.page, args=[purchase.id]),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


class RefundPage(OfPurchase):
    """Of coins: what leaves the wallet, what is undone, what will be owed."""

    template_name = "admin/payments/purchase/refund.html"
    page = "admin:payments_purchase_change"
    purchase: Purchase

    def find(self, purchase_id: UUID) -> Purchase:
        return get_object_or_404(Purchase.objects.select_related("pack"), id=purchase_id)

    def foresee(self, form: RefundForm) -> Effects:
        return operator_refunds.preview(self.purchase, **self.asked(form))

    def effects(self, refund_id: UUID) -> Effects:
        return refunds.effects(refund_id)

    def tell(self, effects: Effects) -> dict[str, Any]:
        return tell(effects, self.purchase)

    def sentence(self, effects: Effects) -> str:
        return f"{effects.taken_coins:,} coins taken back, {effects.debt_coins:,} owed."

    def what(self) -> str:
        return self.purchase.pack.title


class PassRefundPage(OfPurchase):
    """Of a pass: what had been earned, and whether it goes on covering."""

    template_name = "admin/payments/passpurchase/refund.html"
    page = "admin:payments_passpurchase_change"
    purchase: PassPurchase

    def find(self, purchase_id: UUID) -> PassPurchase:
        return get_object_or_404(PassPurchase.objects.select_related("product"), id=purchase_id)

    def foresee(self, form: RefundForm) -> PassEffects:
        return operator_refunds.preview_of_pass(self.purchase, **self.asked(form))

    def effects(self, refund_id: UUID) -> PassEffects:
        return refunds.effects_on_pass(refund_id, now=clock.now(self.request))

    def tell(self, effects: PassEffects) -> dict[str, Any]:
        return {
            "gross": formats.money(effects.gross_micros, self.purchase.currency),
            "net": formats.money(effects.net_micros),
            "deferred": formats.money(effects.deferred_micros),
            "recognised": formats.money(effects.recognised_micros),
            "is_closed": effects.is_closed,
            "ends_at": self.purchase.ends_at,
            "covered_until": effects.covered_until_after,
        }

    def sentence(self, effects: PassEffects) -> str:
        return "the pass is closed." if effects.is_closed else "the pass goes on to its end."

    def what(self) -> str:
        return self.purchase.product.title


class UndoPage(FormView[ReasonForm]):
    """An unlock undone with a reason: the coins go back, the episode closes."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/unlock/undo.html"
    form_class = ReasonForm
    unlock: Unlock

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_unlockreversal"):
            raise PermissionDenied
        unlocks = with_titles(Unlock.objects.select_related("entitlement"), "episode__series")
        self.unlock = get_object_or_404(unlocks, id=kwargs["unlock_id"])
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: ReasonForm) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        try:
            with transaction.atomic():
                refunds.undo_unlock(
                    self.unlock,
                    operator_id=_operator(self.request).id,
                    reason=reason,
                    now=clock.now(self.request),
                )
                self.model_admin.log_change(self.request, self.unlock, f"Undone. {reason}")
        except (UnlockUndone, UnlockRefunded) as refusal:
            messages.error(self.request, str(refusal))
        else:
            coins = formats.coins(self.unlock.price_coins)
            messages.success(self.request, f"Undone: {coins} coins went back, the episode closed.")
        return redirect("admin:payments_unlock_change", self.unlock.id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "Undo an unlock",
            "opts": self.model_admin.opts,
            "original": self.unlock,
            "what": _episode(self.unlock),
            "coins": formats.coins(self.unlock.price_coins),
            "revenue": formats.money(self.unlock.value_micros),
            "played_at": self.unlock.entitlement.first_played_at,
            "back": reverse("admin:payments_unlock_change", args=[self.unlock.id]),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


def tell(effects: Effects, purchase: Purchase) -> dict[str, Any]:
    """What a refund takes, in the words of the page."""
    unlock_ids = [*effects.undone, *(unlock_id for unlock_id, _ in effects.owed)]
    unlocks = with_titles(Unlock.objects.filter(id__in=unlock_ids), "episode__series")
    by_id = {unlock.id: unlock for unlock in unlocks}
    lots = Lot.objects.in_bulk([lot_id for lot_id, _ in effects.lots])
    return {
        "gross": formats.money(effects.gross_micros, purchase.currency),
        "net": formats.money(effects.net_micros),
        "due": formats.coins(effects.due_coins),
        "coins": formats.coins(effects.taken_coins),
        "lots": [
            {
                "link": formats.link("lot", lot_id),
                "origin": lots[lot_id].get_origin_display(),
                "coins": formats.coins(coins),
            }
            for lot_id, coins in effects.lots
        ],
        "undone": [
            {
                "link": formats.link("unlock", unlock_id, _episode(by_id[unlock_id])),
                "coins": formats.coins(by_id[unlock_id].price_coins),
            }
            for unlock_id in effects.undone
        ],
        "owed": [
            {
                "link": formats.link("unlock", unlock_id, _episode(by_id[unlock_id])),
                "coins": formats.coins(coins),
            }
            for unlock_id, coins in effects.owed
        ],
        "debt": formats.coins(effects.debt_coins),
        "paid_after": formats.coins(effects.paid_coins_after),
        "bonus_after": formats.coins(effects.bonus_coins_after),
        "debt_after": formats.coins(effects.debt_coins_after),
        "deferred": formats.money(effects.deferred_micros),
        "recognised": formats.money(effects.recognised_micros),
        "difference": formats.money(effects.difference_micros),
    }


def _episode(unlock: Unlock) -> str:
    return f"{title(unlock.episode.series)}, episode {unlock.episode.number}"


def _operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    return request.user
