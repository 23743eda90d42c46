"""Links that bring viewers to a title, and who came by which."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from config.problems import Problem
from payments.desk.price_changes import checks
from payments.desk.price_changes.contents import AdjustedPrice
from payments.desk.price_versions import adjustment_row
from payments.models import AcquisitionLink, LinkArrival, PriceAdjustment
from viewers.models import Viewer

#: Coming again within this time says nothing new.
SAME_ARRIVAL = timedelta(hours=1)
MAXIMUM_AT_ONCE = 100
#: A made-up code has this many random bytes: 12 characters.
_CODE_BYTES = 9


class LinkUnknown(Problem):
    code = "link_unknown"
    title = "There is no such link, or it is over"


class LinksRefused(Exception):
    """No link was made; the message tells an operator why and what to do."""


def make(
    *,
    name: str,
    series_id: UUID,
    codes: Sequence[str],
    price: AdjustedPrice | None,
    starts_at: datetime,
    ends_at: datetime | None,
    now: datetime,
    operator_id: int | None = None,
) -> Sequence[AcquisitionLink]:
    """Makes a link for each code, all or none. `price` None asks of those who come what others pay.

    Raises LinksRefused, and checks.ContentRefused for what no price can be.
    """
    _refuse(codes, starts_at, ends_at)
    if price is not None:
        checks.refuse_adjustment(price)
        checks.refuse_far_off([price.price_coins] if price.price_coins else [], now=now)
    adjustments = [adjustment_row(price.adjustment, now=now) if price else None for _ in codes]
    made = [
        AcquisitionLink(
            code=code,
            name=name,
            series_id=series_id,
            adjustment=adjustment,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=now,
            created_by_id=operator_id,
        )
        for code, adjustment in zip(codes, adjustments, strict=True)
    ]
    try:
        with transaction.atomic():
            PriceAdjustment.objects.bulk_create([row for row in adjustments if row])
            return AcquisitionLink.objects.bulk_create(made)
    except IntegrityError as error:
        taken = AcquisitionLink.objects.filter(code__in=codes).values_list("code", flat=True)
        raise LinksRefused(
            f"There is a link with the code {', '.join(sorted(taken)[:5])} already. Choose another."
        ) from error


def made_up_codes(number: int) -> Sequence[str]:
    """Codes that nobody guesses."""
    return [secrets.token_urlsafe(_CODE_BYTES) for _ in range(number)]


def stop(*, link_id: UUID, now: datetime) -> bool:
    """Ends a link, also for those who came by it. False if it was over already."""
    going = AcquisitionLink.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), stopped_at=None)
    return bool(going.filter(id=link_id).update(stopped_at=now))


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


def _refuse(codes: Sequence[str], starts_at: datetime, ends_at: datetime | None) -> None:
    if not 1 <= len(codes) <= MAXIMUM_AT_ONCE:
        raise LinksRefused(f"Between 1 and {MAXIMUM_AT_ONCE} links are made at once.")
    if len(set(codes)) != len(codes):
        raise LinksRefused("A code is there twice. Each link has its own.")
    if ends_at is not None and ends_at <= starts_at:
        raise LinksRefused("The link would end before it begins.")
