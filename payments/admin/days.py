"""Days of money as an accountant reads them: the ladder, the journal, the chain of digests."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config import clock, csv_files
from config.read_only_admin import ReadOnlyAdmin
from payments.admin import formats
from payments.admin.explained import Explained
from payments.ledger.days import closing, journal
from payments.ledger.days.journal import Line
from payments.models import LedgerDigest, MoneyDay
from viewers.models import Environment

SHOWN_DAYS = 35
#: Rungs of the table, with their titles.
COLUMNS = {
    "gross_micros": "Gross",
    "tax_micros": "Tax",
    "fee_micros": "Store fees",
    "refunds_micros": "Refunds",
    "net_micros": "Net billings",
    "coins_micros": "Coins",
    "breakage_micros": "Breakage",
    "difference_micros": "Differences",
    "passes_micros": "Passes",
    "ads_micros": "Ads",
    "recognised_micros": "Recognised",
    "deferred_micros": "Deferred",
    "titles_micros": "Titles",
    "unattributed_micros": "Unattributed",
}


@admin.register(MoneyDay)
class MoneyDayAdmin(Explained, ReadOnlyAdmin):
    """The last days' ladder; each day's page has its accounting entries."""

    list_before_template = "admin/payments/days/ladder.html"
    list_display = ("day", "environment", "net", "recognised", "deferred", "sound", "computed_at")
    list_filter = (("environment", ChoicesDropdownFilter),)
    ordering = ("-day", "environment")
    change_form_template = "admin/payments/days/change_form.html"
    fields = ("day", "environment", "sound", *COLUMNS, "computed_at")
    readonly_fields = ("sound",)

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "journal/<str:day>.csv",
            self.admin_site.admin_view(self.journal_file),
            name="payments_moneyday_journal",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls

    def journal_file(self, request: HttpRequest, day: str) -> HttpResponse:
        """A day's accounting entries as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = _day(day)
        if asked is None:
            raise Http404
        return HttpResponse(
            csv_files.write(journal.table(journal.of_day(asked))),
            content_type=csv_files.CONTENT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="journal-{asked}.csv"'},
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {
            "ladders": _ladders(request),
            "columns": list(COLUMNS.values()),
            "days": SHOWN_DAYS,
            "currency": settings.REPORTING_CURRENCY,
        }
        answer: HttpResponse = super().changelist_view(request, (extra_context or {}) | more)
        return answer

    def beside(self, request: HttpRequest, row: MoneyDay) -> Mapping[str, Any]:
        return {"lines": _lines(row)}

    @admin.display(description="Net billings", ordering="net_micros")
    def net(self, day: MoneyDay) -> str:
        return formats.money(day.net_micros)

    @admin.display(description="Recognised", ordering="recognised_micros")
    def recognised(self, day: MoneyDay) -> str:
        return formats.money(day.recognised_micros)

    @admin.display(description="Deferred", ordering="deferred_micros")
    def deferred(self, day: MoneyDay) -> str:
        return formats.money(day.deferred_micros)

    @admin.display(description="Invariants")
    def sound(self, day: MoneyDay) -> SafeString | str:
        if not day.violations:
            return "hold"
        return format_html_join(
            "", '<p class="ch-alarm">{}</p>', ((each,) for each in day.violations)
        )


@admin.register(LedgerDigest)
class LedgerDigestAdmin(ReadOnlyAdmin):
    """What past days of the ledger hash to. `manage.py verify_ledger` computes them anew."""

    list_display = ("day", "entry_count", "short_digest", "created_at")
    ordering = ("-day",)
    fields = ("day", "entry_count", "digest", "previous_digest", "created_at")

    @admin.display(description="Digest")
    def short_digest(self, sealed: LedgerDigest) -> SafeString:
        return format_html('<code title="{}">{}…</code>', sealed.digest, sealed.digest[:16])


def _ladders(request: HttpRequest) -> list[dict[str, Any]]:
    """The last days of each environment that has seen money, the newest first."""
    first = closing.local_date(clock.now(request)) - timedelta(days=SHOWN_DAYS)
    rows = list(MoneyDay.objects.filter(day__gte=first))
    return [
        {
            "environment": environment.label,
            "days": [_shown(row) for row in rows if row.environment == environment],
        }
        for environment in Environment
        if any(row.environment == environment and _has_money(row) for row in rows)
    ]


def _has_money(row: MoneyDay) -> bool:
    return bool(row.violations) or any(getattr(row, rung) for rung in COLUMNS)


def _shown(row: MoneyDay) -> dict[str, Any]:
    return {
        "day": row.day,
        "link": formats.link("moneyday", row.id, row.day.isoformat()),
        "figures": [formats.micros(getattr(row, rung)) for rung in COLUMNS],
        "violations": row.violations,
    }


def _lines(day: MoneyDay) -> list[dict[str, Any]]:
    return [_line(line) for line in journal.of_day(day.day) if line.environment == day.environment]


def _line(line: Line) -> dict[str, Any]:
    return {
        "provider": line.provider,
        "words": line.words if line.debit_micros else "",
        "account": line.account.replace("_", " "),
        "debit": formats.micros(line.debit_micros),
        "credit": formats.micros(line.credit_micros),
    }


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text else None
