"""For whom a placement's ads are, and for which titles: what operators have decided, read for one viewer."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Exists, QuerySet

from ads.models import Placement, PlacementAudience, PlacementReward, PlacementTitles
from catalog.models import Series
from config.compiled_queries import CompiledQuery
from payments.access import entitlements
from payments.models import PassPurchase, Purchase
from viewers.models import Viewer


class Against(StrEnum):
    """What speaks against an ad: the title is opened by coins alone, or is none of the placement's, or the
    placement is not for this viewer."""

    ACCESS_MODE = "access_mode"
    TITLES = "titles"
    AUDIENCE = "audience"


class Onlooker:
    """A viewer whom a placement may be for. What is asked of them is looked up once, and only then."""

    def __init__(
        self, *, viewer_id: UUID, environment: str, now: datetime, is_covered: bool | None = None
    ) -> None:
        self.viewer_id, self.environment, self.now = viewer_id, environment, now
        if is_covered is not None:
            self.is_covered = is_covered

    @cached_property
    def is_covered(self) -> bool:
        """Whether a subscription or pass opens every episode for them now."""
        return entitlements.is_covered(
            viewer_id=self.viewer_id, environment=self.environment, at=self.now
        )

    @cached_property
    def has_paid(self) -> bool:
        """Whether they have ever bought anything, refunded since or not."""
        found = _HAS_PAID.first(viewer_id=self.viewer_id, environment=self.environment, at=self.now)
        return found is not None and bool(found[0])

    def is_meant_by(self, placement: Placement) -> bool:
        """Whether the placement is for them."""
        if placement.audience == PlacementAudience.EVERYONE:
            return True
        if self.is_covered:
            return False
        return placement.audience == PlacementAudience.NOT_COVERED or not self.has_paid


def against(placement: Placement, *, series: Series | None, onlooker: Onlooker) -> Against | None:
    """What speaks against an ad of a placement, for a title or for coins; None where nothing does."""
    if series is not None:
        if series.access_mode == Series.AccessMode.PAID:
            return Against.ACCESS_MODE
        if not serving([placement], series_id=series.id):
            return Against.TITLES
    return None if onlooker.is_meant_by(placement) else Against.AUDIENCE


def serving(placements: Sequence[Placement], *, series_id: UUID) -> Sequence[Placement]:
    """Those placements whose ads are shown for a title; in a query, where any of them lists titles."""
    for_titles = [one for one in placements if one.reward != PlacementReward.COINS]
    if all(one.titles == PlacementTitles.ALL for one in for_titles):
        return for_titles
    listing = {placement_id for (placement_id,) in _LISTING.rows(series_id=series_id)}
    return [
        one
        for one in for_titles
        if one.titles == PlacementTitles.ALL
        or (one.id in listing) == (one.titles == PlacementTitles.LISTED)
    ]


def _listing(*, series_id: UUID) -> QuerySet[Any, Any]:
    rows: QuerySet[Any, Any] = Placement.listed.through.objects.filter(series_id=series_id)
    return rows.values_list("placement_id")


def _has_paid(*, viewer_id: UUID, environment: str, at: datetime) -> QuerySet[Any, Any]:
    bought = {"viewer_id": viewer_id, "environment": environment, "created_at__lte": at}
    paid = Exists(Purchase.objects.filter(**bought)) | Exists(PassPurchase.objects.filter(**bought))
    return Viewer.objects.filter(id=viewer_id).annotate(has_paid=paid).values_list("has_paid")


_LISTING = CompiledQuery(_listing, series_id=UUID)
_HAS_PAID = CompiledQuery(_has_paid, viewer_id=UUID, environment=str, at=datetime)
