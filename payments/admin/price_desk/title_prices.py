"""One title's prices: what is asked now and why, and how that came about."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.generic import TemplateView
from unfold.admin import ModelAdmin

from catalog.models import Episode, Series
from config import clock
from payments.admin.price_desk import words
from payments.admin.price_desk.new_change import kept_terms
from payments.admin.price_preview import EpisodeChange
from payments.admin.series_choice import titles
from payments.desk import price_history
from payments.desk.price_changes.contents import AdjustedPrice
from payments.desk.price_history import Standing
from payments.models import AcquisitionLink, AssignmentSource, PriceException, Promotion
from payments.prices import pricing

URL_NAME = "payments_title_prices"
SHOWN = 50


class TitlePricesPage(TemplateView):
    """What prices a title now, did before, and will."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/pricechange/title.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        series = get_object_or_404(Series, id=kwargs["series_id"])
        now = clock.now(request)
        title = titles([series])[series.id]
        standings = list(price_history.standings(series.id))
        promotions = list(price_history.promotions_of(series.id))
        context = self.model_admin.admin_site.each_context(request) | {
            "title": f"Prices of {title}",
            "opts": self.model_admin.opts,
            "series": series,
            "named": title,
            "now": now,
            "may_change": request.user.has_perm("payments.add_pricechange"),
            "episodes": _episodes(series.id, now),
            "standings": [_said(one, standings, now) for one in standings[:SHOWN]],
            "promotions": [_promotion(one, now) for one in promotions[:SHOWN]],
            "links": _links(series.id),
            "open_exceptions": PriceException.objects.filter(series=series, settled_at=None),
        }
        return self.render_to_response(context)


def _episodes(series_id: UUID, now: datetime) -> list[EpisodeChange]:
    """What one of whom nothing is known is asked now, promotions included."""
    price = pricing.prices_of([series_id], at=now).get(series_id)
    published = Episode.objects.filter(series_id=series_id, state=Episode.State.PUBLISHED)
    if price is None:
        return []
    asked = price.ladder
    return [
        EpisodeChange(number, asked.price_of(number), asked.price_of(number))
        for number in published.order_by("number").values_list("number", flat=True)
    ]


def _said(standing: Standing, all_of_them: list[Standing], now: datetime) -> dict[str, Any]:
    begun = [one for one in all_of_them if one.since <= now]
    assignment = standing.assignment
    came_by_plan = assignment is None or standing.version.effective_from == standing.since
    row = standing.version if came_by_plan or assignment is None else assignment
    return {
        "standing": standing,
        "says": words.terms(kept_terms(standing.version)),
        "is_in_force": bool(begun) and standing is begun[0],
        "is_ahead": standing.since > now,
        "change": row.change,
        "who": row.created_by,
        "rule": (
            assignment.rule
            if assignment is not None and assignment.source == AssignmentSource.RULE
            else None
        ),
    }


def _promotion(promotion: Promotion, now: datetime) -> dict[str, Any]:
    ended_at = min(promotion.stopped_at or promotion.ends_at, promotion.ends_at)
    price = AdjustedPrice(
        free_count=promotion.adjustment.free_count,
        price_coins=promotion.adjustment.price_coins,
        scale_parts_per_million=promotion.adjustment.scale_parts_per_million,
    )
    place = words.where(promotion.regions, promotion.platforms)
    return {
        "promotion": promotion,
        "says": f"{words.adjusted(price)}{place}",
        "ended_at": ended_at,
        "is_on": promotion.starts_at <= now < ended_at,
    }


def _links(series_id: UUID) -> list[AcquisitionLink]:
    found = AcquisitionLink.objects.filter(series_id=series_id).order_by("-created_at", "-id")
    return list(found.select_related("adjustment")[:SHOWN])
