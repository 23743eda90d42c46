"""What the server knows of a viewer when it decides what to show them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Subquery
from django.db.models.functions import Greatest

from payments.chart import TransferCode
from payments.models import LinkArrival, PassPurchase, Purchase, Segment, Transfer
from payments.prices.pricing import NO_DEVICE
from viewers.models import Device, Viewer

#: What a viewer does of their own will: receiving a gift or losing coins does not count.
_DONE_BY_VIEWERS = (TransferCode.PURCHASE, TransferCode.UNLOCK)


@dataclass(frozen=True)
class Audience:
    """A viewer, as rules about viewers see them. `platform` is empty without a device of theirs."""

    segment: Segment
    region: str
    platform: str
    link_ids: frozenset[UUID]


def audience_of(
    *, viewer_id: UUID, environment: str, at: datetime, device_id: UUID | None = None
) -> Audience:
    """How a viewer stands at a moment, on one of their devices, in one query.

    Raises Viewer.DoesNotExist.
    """
    whose = {"viewer_id": viewer_id, "environment": environment}
    moved = Transfer.objects.filter(**whose, code__in=_DONE_BY_VIEWERS, created_at__lte=at)
    passes = PassPurchase.objects.filter(**whose, created_at__lte=at)
    device = Device.objects.filter(id=device_id or NO_DEVICE, viewer_id=viewer_id)
    arrivals = LinkArrival.objects.filter(viewer_id=viewer_id, arrived_at__lte=at)
    viewer = (
        Viewer.objects.filter(id=viewer_id)
        .annotate(
            platform=Subquery(device.values("platform")[:1]),
            has_paid=Exists(Purchase.objects.filter(**whose, created_at__lte=at)) | Exists(passes),
            # The greatest of those that there are: PostgreSQL leaves out nulls.
            moved_at=Greatest(
                Subquery(moved.order_by("-id").values("created_at")[:1]),
                Subquery(passes.order_by("-id").values("created_at")[:1]),
            ),
            link_ids=ArraySubquery(arrivals.values("link_id").distinct()),
        )
        .get()
    )
    return Audience(
        segment=_segment(viewer.created_at, viewer.moved_at if viewer.has_paid else None, at),
        region=viewer.region,
        platform=viewer.platform or "",
        link_ids=frozenset(viewer.link_ids),
    )


def _segment(came_at: datetime, paying_moved_at: datetime | None, at: datetime) -> Segment:
    if paying_moved_at is not None:
        has_lapsed = paying_moved_at <= at - timedelta(days=settings.SEGMENT_LAPSED_DAYS)
        return Segment.LAPSED if has_lapsed else Segment.SPENDER
    is_new = came_at > at - timedelta(days=settings.SEGMENT_NEW_DAYS)
    return Segment.NEW if is_new else Segment.OTHER
