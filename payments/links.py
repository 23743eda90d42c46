"""Links that bring viewers to a title, and who came by which."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from config.problems import Problem
from payments.models import AcquisitionLink, LinkArrival

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
    last = LinkArrival.objects.filter(viewer_id=viewer_id, series=link.series).order_by(
        "-arrived_at", "-id"
    )
    latest = last.values_list("link_id", "arrived_at").first()
    if latest is None or latest[0] != link.id or latest[1] <= now - SAME_ARRIVAL:
        LinkArrival.objects.create(
            viewer_id=viewer_id, link=link, series=link.series, arrived_at=now
        )
    return link
