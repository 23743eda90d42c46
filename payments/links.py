"""Links that bring viewers to a title, and who came by which."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from config.problems import Problem
from payments.models import AcquisitionLink, LinkArrival
from viewers.models import Viewer

#: Coming again within this time says nothing new.
SAME_ARRIVAL = timedelta(hours=1)


class LinkUnknown(Problem):
    code = "link_unknown"
    title = "There is no such link, or it is over"


def arrive(*, viewer_id: UUID, code: str, now: datetime) -> AcquisitionLink:
    """Keeps that a viewer came by a link: its price is theirs for its title while it holds.

    The same again within an hour is the same arrival. Raises LinkUnknown.
    """
    link = (
        AcquisitionLink.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=now), Q(stopped_at=None), code=code, starts_at__lte=now
        )
        .select_related("series")
        .first()
    )
    if link is None:
        raise LinkUnknown
    with transaction.atomic():
        # A viewer's arrivals come one after the other, so that a repeated one is seen as such.
        Viewer.objects.select_for_update(no_key=True).get(id=viewer_id)
        if not _has_just_come(viewer_id, link, now):
            LinkArrival.objects.create(
                viewer_id=viewer_id, link=link, series=link.series, arrived_at=now
            )
    return link


def _has_just_come(viewer_id: UUID, link: AcquisitionLink, now: datetime) -> bool:
    arrivals = LinkArrival.objects.filter(viewer_id=viewer_id, series=link.series)
    latest = arrivals.order_by("-arrived_at", "-id").first()
    return (
        latest is not None and latest.link_id == link.id and latest.arrived_at > now - SAME_ARRIVAL
    )
