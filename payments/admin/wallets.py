"""A viewer's wallet as support explains it: balances, lots, what was unlocked, the statement."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from catalog.models import Series
from config import clock
from config.read_only_admin import ReadOnlyAdmin
from payments.admin import formats, refused_claims, why
from payments.admin.explained import Explained
from payments.admin.series_choice import titles
from payments.chart import Account
from payments.ledger import holds, wallets
from payments.ledger.wallets import Movement
from payments.models import Entitlement, Entry, RefusedClaim, Transfer, Unlock, Wallet
from viewers.models import Viewer

STATEMENT_LINES = 25
SHOWN_LOTS = 50
SHOWN_ENTITLEMENTS = 25
SHOWN_DEBTS = 25


@admin.register(Wallet)
class WalletAdmin(Explained, ReadOnlyAdmin):
    list_display = ("viewer_id_shown", "environment", "paid", "bonus", "debt", "created_at")
    list_filter = (("environment", ChoicesDropdownFilter),)
    exact_search_fields = ("viewer_id", "id")
    search_help_text = "A whole viewer id"
    fields = ("viewer_page", "environment", "created_at")
    readonly_fields = ("viewer_page",)
    change_form_template = "admin/payments/wallet/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        release = path(
            "<uuid:wallet_id>/release/",
            self.admin_site.admin_view(require_POST(self.release_view)),
            name="payments_wallet_release",
        )
        urls: list[URLPattern] = [release, *super().get_urls()]
        return urls

    def release_view(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        """Somebody has looked: the wallet spends again."""
        if not request.user.has_perm("payments.change_wallet"):
            raise PermissionDenied
        wallet = get_object_or_404(Wallet, id=wallet_id)
        with transaction.atomic():
            was_held = holds.release(wallet)
            if was_held:
                self.log_change(request, wallet, f"Released. It was held: {wallet.held_because}")
        if was_held:
            messages.success(request, "Released: coins can be spent from this wallet again.")
        else:
            messages.error(request, "This wallet is not held.")
        return redirect("admin:payments_wallet_change", wallet_id)

    def beside(self, request: HttpRequest, row: Wallet) -> Mapping[str, Any]:
        return explain(request, row)

    @admin.display(description="Viewer")
    def viewer_id_shown(self, wallet: Wallet) -> str:
        return str(wallet.viewer_id)

    @admin.display(description="Viewer")
    def viewer_page(self, wallet: Wallet) -> SafeString:
        url = reverse("admin:viewers_viewer_change", args=[wallet.viewer_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, wallet.viewer_id)

    @admin.display(description="Paid coins", ordering="paid_coins")
    def paid(self, wallet: Wallet) -> str:
        return formats.coins(wallet.paid_coins)

    @admin.display(description="Bonus coins", ordering="bonus_coins")
    def bonus(self, wallet: Wallet) -> str:
        return formats.coins(wallet.bonus_coins)

    @admin.display(description="Debt", ordering="debt_coins")
    def debt(self, wallet: Wallet) -> str:
        return formats.coins(-wallet.debt_coins) if wallet.debt_coins else "–"


def explain(request: HttpRequest, wallet: Wallet) -> dict[str, Any]:
    """What the wallet's page shows beside the row, a page of each at most."""
    now = clock.now(request)
    owner: dict[str, Any] = {"viewer_id": wallet.viewer_id, "environment": wallet.environment}
    before = _uuid(request.GET.get("before", ""))
    movements = wallets.statement(**owner, before=before, limit=STATEMENT_LINES + 1)
    page = movements[:STATEMENT_LINES]
    return {
        "balance": wallets.balance(**owner, at=now),
        "booked": {
            "paid": formats.coins(wallet.paid_coins),
            "bonus": formats.coins(wallet.bonus_coins),
            "debt": formats.coins(-wallet.debt_coins),
        },
        "deferred": formats.money(wallets.deferred_micros(wallet)),
        "debts": _debts(wallet),
        "shown_debts": SHOWN_DEBTS,
        "claims": _claims(request, wallet),
        "shown_claims": refused_claims.SHOWN,
        "give_url": _give_url(request, wallet),
        "may_release": request.user.has_perm("payments.change_wallet"),
        "lots": _lots(wallet),
        "shown_lots": SHOWN_LOTS,
        "entitlements": _entitlements(wallet),
        "shown_entitlements": SHOWN_ENTITLEMENTS,
        "statement": _lines(page),
        "older": page[-1].transfer.id if len(movements) > STATEMENT_LINES else None,
        "is_first_page": before is None,
    }


def _debts(wallet: Wallet) -> list[dict[str, Any]]:
    """How the debt came about and what has repaid it, newest first."""
    if wallet.debt_sequence == 0:
        return []
    entries = Entry.objects.filter(wallet=wallet, account=Account.DEBT).order_by("-sequence")
    return [
        {
            "entry": entry,
            "what": entry.transfer.get_code_display(),
            "owed": formats.signed_coins(-entry.amount_coins),
            "after": formats.coins(-(entry.balance_after_coins or 0)),
            "link": formats.link("transfer", entry.transfer_id),
            "refund_link": _refund_link(entry.transfer),
        }
        for entry in entries.select_related("transfer__refund_booking")[:SHOWN_DEBTS]
    ]


def _claims(request: HttpRequest, wallet: Wallet) -> list[dict[str, Any]]:
    """What of others the viewer has handed in, newest first."""
    if not request.user.has_perm("payments.view_refusedclaim"):
        return []
    rows = RefusedClaim.objects.filter(viewer_id=wallet.viewer_id, environment=wallet.environment)
    return [
        {
            "claim": row,
            "what": refused_claims.claimed(row),
            "owner": formats.viewer_link(row.owner_id),
        }
        for row in rows.order_by("-id")[: refused_claims.SHOWN]
    ]


def _refund_link(transfer: Transfer) -> SafeString | str:
    booking = getattr(transfer, "refund_booking", None)
    return formats.link("refund", booking.refund_id) if booking else ""


def _give_url(request: HttpRequest, wallet: Wallet) -> str:
    """Where to give something; empty where a gift would not come into this wallet.

    It goes to the viewer's own environment, which need not be the wallet's.
    """
    if not request.user.has_perm("payments.add_grant"):
        return ""
    viewer = Viewer.objects.get(id=wallet.viewer_id)
    if viewer.environment != wallet.environment or viewer.erased_at is not None:
        return ""
    return f"{reverse('admin:payments_grant_add')}?viewer={viewer.id}"


def _lots(wallet: Wallet) -> list[dict[str, Any]]:
    """Lots that hold coins, in the order in which they are spent."""
    return [
        {
            "lot": lot,
            "link": formats.link("lot", lot.id),
            "remaining": formats.coins(lot.remaining_coins),
            "granted": formats.coins(lot.granted_coins),
            "value": formats.money(lot.remaining_value_micros),
        }
        for lot in wallets.lots_left(wallet)[:SHOWN_LOTS]
    ]


def _entitlements(wallet: Wallet) -> list[dict[str, Any]]:
    owned = Entitlement.objects.filter(
        viewer_id=wallet.viewer_id, environment=wallet.environment, closed_at__isnull=True
    )
    rows = list(owned.select_related("episode").order_by("-id")[:SHOWN_ENTITLEMENTS])
    series_titles = titles(Series.objects.filter(id__in={row.series_id for row in rows}))
    return [
        {
            "entitlement": row,
            "link": formats.link("entitlement", row.id),
            "what": f"{series_titles[row.series_id]}, episode {row.episode.number}",
            "why": why.link(
                viewer_id=row.viewer_id, environment=row.environment, episode_id=row.episode_id
            ),
        }
        for row in rows
    ]


def _lines(page: Sequence[Movement]) -> list[dict[str, Any]]:
    """The statement with both sides of every transfer, the house's too."""
    sides: dict[UUID, list[Entry]] = {}
    for entry in Entry.objects.filter(transfer__in=[m.transfer for m in page]).order_by("id"):
        sides.setdefault(entry.transfer_id, []).append(entry)
    unlocks = [unlock for m in page if (unlock := _unlock_of(m.transfer))]
    series_ids = {unlock.episode.series_id for unlock in unlocks}
    series_titles = titles(Series.objects.filter(id__in=series_ids))
    return [
        {
            "at": movement.transfer.event_at,
            "code": movement.transfer.code,
            "link": formats.link("transfer", movement.transfer.id),
            "cause": _cause(movement, series_titles),
            "coins": formats.signed_coins(movement.paid_coins + movement.bonus_coins),
            "sides": [
                f"{entry.account} {formats.signed_coins(entry.amount_coins)}"
                for entry in sides.get(movement.transfer.id, [])
            ],
            "paid_after": formats.coins(movement.paid_balance_after),
            "bonus_after": formats.coins(movement.bonus_balance_after),
        }
        for movement in page
    ]


def _cause(movement: Movement, series_titles: Mapping[UUID, str]) -> str:
    transfer = movement.transfer
    if unlock := _unlock_of(transfer):
        return f"{series_titles[unlock.episode.series_id]}, episode {unlock.episode.number}"
    booking = getattr(transfer, "refund_booking", None)
    if purchase := booking.purchase if booking else getattr(transfer, "purchase", None):
        price = formats.money(purchase.gross_micros, purchase.currency)
        return f"{purchase.pack.title} for {price}"
    if grant := getattr(transfer, "grant", None) or getattr(transfer, "revoked_grant", None):
        return f"{grant.get_reason_display()}: {grant.note}"
    if movement.lapsed:
        lot = movement.lapsed
        return f"{lot.get_origin_display()} on {lot.granted_at:%Y-%m-%d}"
    return transfer.reference


def _unlock_of(transfer: Transfer) -> Unlock | None:
    """The unlock that a transfer charged for, or undid."""
    reversal = getattr(transfer, "unlock_reversal", None)
    unlock: Unlock | None = reversal.unlock if reversal else getattr(transfer, "unlock", None)
    return unlock


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
