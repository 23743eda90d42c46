"""How amounts and identifiers are written on operators' pages."""

from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from payments.money import PARTS_PER_MILLION


def money(amount_micros: int, currency: str | None = None) -> str:
    """An amount exactly as it is kept: `4.99 USD`, `0.023498 USD`; two decimals at the least."""
    amount = Decimal(amount_micros) / PARTS_PER_MILLION
    whole, _, decimals = f"{amount:,.6f}".partition(".")
    shown = decimals.rstrip("0").ljust(2, "0")
    return f"{whole}.{shown} {currency or settings.REPORTING_CURRENCY}"


def micros(amount_micros: int) -> str:
    """An amount in a column of amounts, all with the same decimals: `0.023498`; `–` for nothing."""
    return f"{Decimal(amount_micros) / PARTS_PER_MILLION:,.6f}" if amount_micros else "–"


def cents(amount_micros: int, currency: str | None = None) -> str:
    """An amount rounded to two decimals, where it is an estimate: `11.98 USD`."""
    amount = Decimal(amount_micros) / PARTS_PER_MILLION
    return f"{amount:,.2f} {currency or settings.REPORTING_CURRENCY}"


def coins(amount: int | None) -> str:
    """A number of coins with its thousands apart."""
    return "–" if amount is None else f"{amount:,}"


def signed_coins(amount: int) -> str:
    """A movement of coins: `+500`, `−60`."""
    return f"+{amount:,}" if amount >= 0 else f"−{-amount:,}"


def short_id(identifier: UUID) -> SafeString:
    """The end of an id, where two made in the same moment differ; the whole of it on hover."""
    return format_html(
        '<code class="ch-id" title="{}">…{}</code>', identifier, str(identifier)[-12:]
    )


def viewer_link(viewer_id: UUID | None, *, is_whole: bool = False) -> SafeString | str:
    """A viewer's wallets, by the end of their id or the whole of it."""
    if viewer_id is None:
        return "–"
    url = f"{reverse('admin:payments_wallet_changelist')}?q={viewer_id}"
    text = str(viewer_id) if is_whole else short_id(viewer_id)
    return format_html('<a class="ch-link" href="{}">{}</a>', url, text)


def link(model_name: str, identifier: UUID, text: str = "") -> SafeString:
    """A link to the page of a row of this app, named by `text` or the end of its id."""
    url = reverse(f"admin:payments_{model_name}_change", args=[identifier])
    return format_html('<a class="ch-link" href="{}">{}</a>', url, text or short_id(identifier))
