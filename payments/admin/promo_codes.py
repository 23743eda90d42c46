"""Promo codes, codes made by the thousand, and who has redeemed them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Exists, F, Func, Model, OuterRef, Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from config import clock, csv_files
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.desk import promos
from payments.desk.promos import CodeTerms, PromoRefused
from payments.models import PromoBatch, PromoCode, PromoRedemption
from payments.models.promo_codes import MAXIMUM_CODE
from payments.store import promo_codes

SECONDS_PER_DAY = 24 * 3600
MAXIMUM_DAYS = 3660
MAXIMUM_REDEMPTIONS = 100_000_000
_AGREED = "Agreed to, as a second person."
EDITABLE = ("name", "starts_at", "ends_at", "maximum_redemptions", "is_active")


class TermsForm(forms.Form):
    """What a code gives. Coins for nothing are money to whoever has the code: there is a most."""

    bonus_coins = forms.IntegerField(
        label="Bonus coins", min_value=1, widget=UnfoldAdminIntegerFieldWidget
    )
    lapse_after_days = forms.IntegerField(
        label="Coins lapse after, days",
        min_value=1,
        max_value=MAXIMUM_DAYS,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Counted from the redemption. Empty: they never lapse.",
    )

    def clean_bonus_coins(self) -> int:
        coins: int = self.cleaned_data["bonus_coins"]
        if coins > settings.PROMO_MAXIMUM_COINS:
            raise forms.ValidationError(
                f"One redemption gives {settings.PROMO_MAXIMUM_COINS:,} coins at most. Larger gifts "
                "are granted to a viewer, where a second person agrees."
            )
        return coins

    def expire_after_seconds(self) -> int | None:
        """As the code keeps it, once the form is valid."""
        days: int | None = self.cleaned_data.get("lapse_after_days")
        return None if days is None else days * SECONDS_PER_DAY


class PromoCodeForm(TermsForm, forms.ModelForm[PromoCode]):
    code = forms.CharField(
        max_length=MAXIMUM_CODE * 2,
        widget=UnfoldAdminTextInputWidget,
        help_text="4 to 32 letters and digits. Viewers may type it in any case, with spaces and "
        "hyphens, and take O for 0, or I and L for 1.",
    )
    maximum_redemptions = forms.IntegerField(
        min_value=1,
        max_value=MAXIMUM_REDEMPTIONS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="By all viewers together; each viewer redeems it once.",
    )

    class Meta:
        model = PromoCode
        fields = ("code", *EDITABLE)

    def clean_code(self) -> str:
        code = promo_codes.written(self.cleaned_data["code"])
        if not code:
            raise forms.ValidationError(
                f"Write a code of 4 to {MAXIMUM_CODE} letters A to Z and digits."
            )
        known = PromoCode.objects.annotate(
            folded=Func(F("code"), Value("OIL"), Value("011"), function="translate")
        )
        if same := known.filter(folded=promo_codes.folded(code)).first():
            raise forms.ValidationError(
                f"The code {same.code} is there already, and nobody could tell them apart: choose "
                "another."
            )
        return code

    def clean_maximum_redemptions(self) -> int:
        """The row is locked from here on: nobody redeems the code while it is being saved."""
        maximum: int = self.cleaned_data["maximum_redemptions"]
        if self.instance._state.adding:  # noqa: SLF001  Django's name for it
            return maximum
        held = PromoCode.objects.select_for_update(no_key=True).get(pk=self.instance.pk)
        redeemed = max(held.redeemed_count, held.sandbox_redeemed_count)
        if maximum < redeemed:
            raise forms.ValidationError(
                f"It has been redeemed {redeemed:,} times already: write {redeemed:,} or more, or "
                "switch the code off."
            )
        return maximum

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        _check_period(self, cleaned)
        if "bonus_coins" in cleaned:
            self.instance.bonus_coins = cleaned["bonus_coins"]
            self.instance.coins_expire_after_seconds = self.expire_after_seconds()
        return cleaned


@admin.register(PromoCode)
class PromoCodeAdmin(ModelAdmin):  # type: ignore[misc]
    """Codes are switched off, never deleted, and what one gives stays as it is: make another."""

    form = PromoCodeForm
    list_display = ("code", "name", "gives", "redeemed", "standing", "starts_at", "ends_at")
    list_filter = ("is_active", ("starts_at", DayRangeFilter))
    search_fields = ("code", "name")
    search_help_text = "A code, or what it is for"
    show_full_result_count = False
    list_filter_submit = True
    actions = ("agree", "switch_off")

    def get_fieldsets(self, request: HttpRequest, obj: PromoCode | None = None) -> Any:
        gives = ("bonus_coins", "lapse_after_days") if obj is None else ("gives",)
        limits = ("maximum_redemptions",) if obj is None else ("maximum_redemptions", "redeemed")
        named = ("code", "name") if obj is None else ("code", "name", "second")
        return (
            (None, {"fields": named}),
            ("Gives", {"fields": (gives,)}),
            ("While it lasts", {"fields": (("starts_at", "ends_at"), limits)}),
            ("In the app", {"fields": ("is_active",)}),
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: PromoCode | None = None
    ) -> Sequence[str]:
        return () if obj is None else ("code", "gives", "redeemed", "second")

    def get_form(
        self,
        request: HttpRequest,
        obj: PromoCode | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            for fixed in ("code", "bonus_coins", "lapse_after_days"):
                form.base_fields.pop(fixed, None)
        return form

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: PromoCode, form: PromoCodeForm, change: bool
    ) -> None:
        """A change writes no more than an operator may: the counts are the database's own."""
        operator_id, now = _operator_id(request), clock.now(request)
        if change:
            promos.change(obj, fields=EDITABLE, operator_id=operator_id, now=now)
        else:
            promos.make(obj, operator_id=operator_id, now=now)
        if obj.is_waiting:
            messages.warning(request, _waits(obj.worth_coins))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        self.now = clock.now(request)
        return super().changelist_view(request, extra_context)

    @admin.action(description="Agree, as a second person", permissions=["change"])
    def agree(self, request: HttpRequest, codes: QuerySet[PromoCode]) -> None:
        """To those of them that wait."""
        with transaction.atomic():
            for code in _agree(request, codes):
                self.log_change(request, code, _AGREED)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, codes: QuerySet[PromoCode]) -> None:
        """What was redeemed stays with the viewers."""
        chosen = list(codes.filter(is_active=True))
        codes.filter(is_active=True).update(is_active=False)
        for code in chosen:
            self.log_change(request, code, "Switched off.")
        messages.success(request, f"{len(chosen):,} codes are switched off.")

    @admin.display(description="Gives", ordering="bonus_coins")
    def gives(self, code: PromoCode) -> str:
        lapse = code.coins_expire_after_seconds
        until = f", lapsing after {lapse / SECONDS_PER_DAY:g} days" if lapse else ""
        return f"{code.bonus_coins:,} coins{until}"

    @admin.display(description="Redeemed", ordering="redeemed_count")
    def redeemed(self, code: PromoCode) -> str:
        return f"{code.redeemed_count:,} of {code.maximum_redemptions:,}"

    @admin.display(description="Stands")
    def standing(self, code: PromoCode) -> str:
        if not code.is_active:
            return "Switched off"
        if code.is_waiting:
            return "Waiting for a second person"
        if code.starts_at > self.now:
            return "Ahead"
        if code.ends_at is not None and code.ends_at <= self.now:
            return "Over"
        return "Used up" if code.redeemed_count == code.maximum_redemptions else "On"

    @admin.display(description="Second person")
    def second(self, code: PromoCode) -> str:
        if not code.needs_second:
            return f"Not needed; asked for by {code.asked_by}"
        if code.agreed_by is None:
            return f"Waited for: {code.asked_by} asked for it, and it redeems nothing before"
        return f"{code.agreed_by} agreed to what {code.asked_by} asked for"


class PromoBatchForm(TermsForm, forms.ModelForm[PromoBatch]):
    """How many codes to make, and what each gives, once."""

    code_count = forms.IntegerField(
        label="How many",
        min_value=1,
        max_value=promos.MAXIMUM_BATCH,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Each is redeemed once, by one viewer.",
    )
    starts_at = forms.SplitDateTimeField(
        label="Valid from (UTC)", widget=UnfoldAdminSplitDateTimeWidget
    )
    ends_at = forms.SplitDateTimeField(
        label="Valid until (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Empty: until further notice.",
    )

    class Meta:
        model = PromoBatch
        fields = ("name", "prefix", "code_count")
        help_texts = {
            "prefix": "What each begins with; sixteen letters and digits that nobody can guess follow."
        }

    def clean_prefix(self) -> str:
        prefix = str(self.cleaned_data["prefix"]).strip().upper()
        if prefix and not (prefix.isascii() and prefix.isalnum()):
            raise forms.ValidationError("Write letters A to Z and digits alone.")
        return prefix

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        _check_period(self, cleaned)
        return cleaned

    def terms(self) -> CodeTerms:
        """What each code gives, once the form is valid."""
        return CodeTerms(
            bonus_coins=self.cleaned_data["bonus_coins"],
            coins_expire_after_seconds=self.expire_after_seconds(),
            starts_at=self.cleaned_data["starts_at"],
            ends_at=self.cleaned_data["ends_at"],
        )


@admin.register(PromoBatch)
class PromoBatchAdmin(ReadOnlyAdmin):
    """Codes for one redemption each, made at once and taken away as a file."""

    list_display = ("created_at", "name", "code_count", "redeemed", "made_by", "second", "download")
    actions = ("agree",)
    list_select_related = ("made_by",)
    exact_search_fields = ("id", "name")
    search_help_text = "A batch's whole name or id"
    fields = (
        *("id", "name", "prefix", "code_count", "redeemed", "made_by", "second", "created_at"),
        "download",
    )
    readonly_fields = ("redeemed", "second", "download")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_promobatch")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromoBatch]:
        queryset: QuerySet[PromoBatch] = super().get_queryset(request)
        redeemed = Count("codes", filter=Q(codes__redeemed_count__gt=0))
        waiting = PromoCode.objects.filter(batch=OuterRef("id"), needs_second=True, agreed_by=None)
        return queryset.annotate(codes_redeemed=redeemed, is_waiting=Exists(waiting))

    def has_agree_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_promocode")

    def get_fieldsets(self, request: HttpRequest, obj: PromoBatch | None = None) -> Any:
        if obj is not None:
            return super().get_fieldsets(request, obj)
        return (
            (None, {"fields": ("name", ("code_count", "prefix"))}),
            ("Each gives", {"fields": (("bonus_coins", "lapse_after_days"),)}),
            ("While they last", {"fields": (("starts_at", "ends_at"),)}),
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: PromoBatch | None = None
    ) -> Sequence[str]:
        return () if obj is None else self.readonly_fields

    def get_form(
        self,
        request: HttpRequest,
        obj: PromoBatch | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        if obj is None:
            return PromoBatchForm
        return super().get_form(request, obj, change, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<uuid:batch_id>/codes.csv",
            self.admin_site.admin_view(self.codes_file),
            name="payments_promobatch_codes",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls

    def save_model(
        self, request: HttpRequest, obj: PromoBatch, form: PromoBatchForm, change: bool
    ) -> None:
        made = promos.generate(
            name=obj.name,
            prefix=obj.prefix,
            count=obj.code_count,
            terms=form.terms(),
            operator_id=_operator_id(request),
            now=clock.now(request),
        )
        obj.pk, obj.made_by_id, obj.created_at = made.pk, made.made_by_id, made.created_at
        if made.codes.filter(needs_second=True).exists():
            messages.warning(request, _waits(obj.code_count * form.terms().bonus_coins))

    @admin.action(description="Agree, as a second person", permissions=["agree"])
    def agree(self, request: HttpRequest, batches: QuerySet[PromoBatch]) -> None:
        """To all codes of them that wait."""
        with transaction.atomic():
            agreed = _agree(request, PromoCode.objects.filter(batch__in=list(batches)))
            for batch in PromoBatch.objects.filter(id__in={code.batch_id for code in agreed}):
                self.log_change(request, batch, _AGREED)

    def codes_file(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        """The codes are as good as money: for those who could have made them, and it is written down."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        batch = get_object_or_404(PromoBatch, id=batch_id)
        self.log_change(request, batch, "Took the codes away as a file.")
        return HttpResponse(
            _file(batch),
            content_type=csv_files.CONTENT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="promo-codes-{batch.id}.csv"'},
        )

    @admin.display(description="Redeemed")
    def redeemed(self, batch: PromoBatch) -> str:
        return formats.coins(batch.codes_redeemed)  # type: ignore[attr-defined]

    @admin.display(description="Second person")
    def second(self, batch: PromoBatch) -> str:
        is_waiting: bool = batch.is_waiting  # type: ignore[attr-defined]
        return "Waited for: the codes redeem nothing before" if is_waiting else "–"

    @admin.display(description="Codes")
    def download(self, batch: PromoBatch) -> SafeString:
        url = reverse("admin:payments_promobatch_codes", args=[batch.id])
        return format_html('<a class="ch-link" href="{}">Download as CSV</a>', url)


@admin.register(PromoRedemption)
class PromoRedemptionAdmin(OfViewer, ReadOnlyAdmin):
    list_display = (
        "created_at",
        "viewer_link",
        "promo_code",
        "given",
        "coins_expire_at",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("promo_code",)
    exact_search_fields = ("id", "viewer_id", "transfer_id", "promo_code_id", "promo_code__code")
    search_help_text = "A whole code, or a whole viewer, code, redemption or transfer id"
    fields = (
        "id",
        "whole_viewer_link",
        "environment",
        "promo_code",
        "given",
        "coins_expire_at",
        "transfer_link",
        "created_at",
    )
    readonly_fields = ("whole_viewer_link", "given", "transfer_link")

    @admin.display(description="Coins", ordering="coins")
    def given(self, redemption: PromoRedemption) -> str:
        return formats.coins(redemption.coins)

    @admin.display(description="Transfer")
    def transfer_link(self, redemption: PromoRedemption) -> SafeString:
        return formats.link("transfer", redemption.transfer_id)


def _check_period(form: forms.BaseForm, cleaned: dict[str, Any]) -> None:
    starts_at: datetime | None = cleaned.get("starts_at")
    ends_at: datetime | None = cleaned.get("ends_at")
    if starts_at and ends_at and ends_at <= starts_at:
        form.add_error("ends_at", "It ends before it begins: choose a later end.")


def _operator_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise PermissionDenied
    return request.user.pk


def _waits(worth_coins: int) -> str:
    return (
        f"All redemptions together give {worth_coins:,} coins, more than you may still let codes give alone "
        "today: nothing is redeemed until somebody else agrees."
    )


def _agree(request: HttpRequest, codes: QuerySet[PromoCode]) -> Sequence[PromoCode]:
    """What was agreed to, which is said, or why nothing was."""
    try:
        agreed = promos.agree(
            list(codes.values_list("id", flat=True)),
            operator_id=_operator_id(request),
            now=clock.now(request),
        )
    except PromoRefused as refusal:
        messages.error(request, str(refusal))
        return []
    messages.success(request, f"Agreed to: {len(agreed):,} codes can be redeemed.")
    return agreed


def _file(batch: PromoBatch) -> bytes:
    """Each code of a batch as it is printed, and whether it is still good."""
    codes = PromoCode.objects.filter(batch=batch).order_by("id")
    rows: list[Sequence[csv_files.Cell]] = [
        [promo_codes.grouped(code.code), code.bonus_coins, code.is_on, code.redeemed_count > 0]
        for code in codes
    ]
    return csv_files.lines([["code", "bonus_coins", "is_active", "is_redeemed"], *rows])
