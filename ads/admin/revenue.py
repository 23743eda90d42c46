"""What networks' days earned: estimate, report and factor, by placement and by ad unit and country."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from ads.models import RevenueDay, TrueUp
from ads.revenue import figures
from ads.revenue.figures import AtPlacement
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.explained import Explained


@admin.register(RevenueDay)
class RevenueDayAdmin(Explained, ReadOnlyAdmin):
    """Days of which impressions or a report are known. A day is one of its network's."""

    list_display = ("day", "network", "environment", "reported_at", "settled_at", "waits_until")
    list_filter = (
        ("network", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("day", DayRangeFilter),
    )
    ordering = ("-day", "network", "environment")
    fields = (
        ("day", "network", "environment"),
        "reported_at",
        ("settled_at", "waits_until"),
    )
    change_form_template = "admin/ads/revenueday/change_form.html"

    def beside(self, request: HttpRequest, row: RevenueDay) -> Mapping[str, Any]:
        cells = f"{reverse('admin:ads_trueup_changelist')}?q={row.id}"
        return {
            "currency": settings.REPORTING_CURRENCY,
            "placements": [_line(found) for found in figures.of_day(row)],
            "cells": cells,
        }


@admin.register(TrueUp)
class TrueUpAdmin(ReadOnlyAdmin):
    """A row whenever a cell's report or estimate changed; the one of the highest number counts."""

    list_display = (
        "day",
        "network",
        "placement",
        "ad_unit_id",
        "country",
        "number",
        "estimated",
        "reported",
        "shown_factor",
        "created_at",
    )
    list_filter = (
        ("revenue_day__network", ChoicesDropdownFilter),
        ("placement", RelatedDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("revenue_day", "placement")
    exact_search_fields = ("id", "revenue_day_id", "ad_unit_id", "country")
    search_help_text = "An ad unit, a country, or the whole id of a day or a row"
    fields = (
        "id",
        ("day", "network"),
        ("placement", "ad_unit_id", "country"),
        ("estimated", "reported", "shown_factor"),
        ("number", "created_at"),
    )
    readonly_fields = ("day", "network", "estimated", "reported", "shown_factor")

    @admin.display(description="Day", ordering="revenue_day__day")
    def day(self, cell: TrueUp) -> str:
        return str(cell.revenue_day.day)

    @admin.display(description="Network", ordering="revenue_day__network")
    def network(self, cell: TrueUp) -> str:
        return str(cell.revenue_day.get_network_display())

    @admin.display(description="Estimated")
    def estimated(self, cell: TrueUp) -> str:
        return formats.money(cell.estimated_micros)

    @admin.display(description="Reported")
    def reported(self, cell: TrueUp) -> str:
        return formats.money(cell.reported_micros)

    @admin.display(description="Factor", ordering="factor")
    def shown_factor(self, cell: TrueUp) -> str:
        return _factor(cell.factor)


def _line(row: AtPlacement) -> Mapping[str, str]:
    reported = "–" if row.reported_micros is None else formats.micros(row.reported_micros)
    return {
        "title": row.title or "Of no placement",
        "rewards": f"{row.reward_count:,}",
        "estimated": formats.micros(row.estimated_micros),
        "reported": reported,
        "factor": _factor(row.factor),
        "earned": formats.micros(row.earned_micros),
        "remainder": formats.micros(row.remainder_micros),
    }


def _factor(factor: Decimal | None) -> str:
    return "–" if factor is None else f"{factor:.4f}"
