"""Why a viewer may watch an episode, or may not: the chain of facts behind it, at any moment.

The rule is that of playing: what was opened and stands is theirs; what the price in force makes free is
everybody's; what a subscription or pass covers opens as it is played.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Greatest

from catalog.models import Episode, Series
from config.problems import NotFound
from payments.models import (
    Cover,
    Entitlement,
    EntitlementSource,
    Grant,
    PassPurchase,
    PriceVersion,
    Unlock,
    UnlockReversal,
)
from payments.prices import pricing
from payments.support import lineage, subscribed
from payments.support.explanations import (
    Closing,
    Ending,
    EntitlementCause,
    EntitlementFact,
    Explanation,
    GrantCause,
    PassFact,
    PriceFact,
    Reason,
    RefundFact,
    SubscriptionCause,
    sources,
)
from payments.support.lineage import OPERATORS, Lineage
from payments.support.subscribed import Subscribed
from viewers.models import Device, RefreshToken


def why(
    *,
    viewer_id: UUID,
    environment: str,
    episode_id: UUID,
    at: datetime,
    device_id: UUID | None = None,
) -> Explanation:
    """The explanation, in a bounded number of queries whatever has happened. Raises NotFound, also for a
    device that is not the viewer's.

    Prices differ by platform: it is that of the named device, else of the one on which the viewer was seen
    last by then. `at` is a moment that has passed: a later one would be explained by what is known of it today.
    """
    episode = Episode.objects.filter(id=episode_id).select_related("series").first()
    if episode is None:
        raise NotFound
    device = _device(viewer_id, device_id, at)
    price = _price(viewer_id, device, episode, at)
    history = _history(viewer_id, environment, episode_id, at)
    standing = [fact for fact in history if fact.closing is None]
    earlier = [fact for fact in history if fact.closing is not None]
    cover = cover_at(viewer_id=viewer_id, environment=environment, at=at) if not standing else None
    reason = _reason(
        standing, is_free=price is not None and price.price_coins == 0, is_covered=cover is not None
    )
    if not standing and not _was_published(episode, at):
        reason = Reason.UNPUBLISHED
    return Explanation(
        viewer_id=viewer_id,
        environment=environment,
        series_id=episode.series_id,
        series_external_id=episode.series.external_id,
        episode_id=episode.id,
        number=episode.number,
        at=at,
        may_watch=reason not in (Reason.LOCKED, Reason.UNPUBLISHED),
        reason=reason,
        platform=device.platform if device else None,
        price=price,
        entitlement=standing[0] if standing else None,
        cover=cover if reason is Reason.SUBSCRIPTION else None,
        earlier=earlier,
    )


def _device(viewer_id: UUID, device_id: UUID | None, at: datetime) -> Device | None:
    """The viewer's device of this id; without one that which came, or had its tokens renewed, last by then."""
    devices = Device.objects.filter(viewer_id=viewer_id)
    if device_id is not None:
        named = devices.filter(id=device_id).first()
        if named is None:
            raise NotFound
        return named
    renewed = RefreshToken.objects.filter(device=OuterRef("id"), issued_at__lte=at)
    last = Subquery(renewed.order_by("-issued_at").values("issued_at")[:1])
    return (
        devices.filter(created_at__lte=at)
        .order_by(Greatest("created_at", last).desc(), "-id")
        .first()
    )


def _price(
    viewer_id: UUID, device: Device | None, episode: Episode, at: datetime
) -> PriceFact | None:
    """What the episode cost; None before the default plan had any version."""
    try:
        price = pricing.price_for(
            viewer_id=viewer_id,
            device_id=device.id if device else None,
            series_id=episode.series_id,
            at=at,
        )
    except PriceVersion.DoesNotExist:
        return None
    version = PriceVersion.objects.select_related("plan").get(id=price.version_id)
    price_coins = price.ladder.price_of(episode.number)
    return lineage.price(version, number=episode.number, price_coins=price_coins, arm=price.arm)


def _reason(standing: Sequence[EntitlementFact], *, is_free: bool, is_covered: bool) -> Reason:
    if standing:
        return Reason(standing[0].source)
    if is_free:
        return Reason.FREE
    return Reason.SUBSCRIPTION if is_covered else Reason.LOCKED


def _was_published(episode: Episode, at: datetime) -> bool:
    """Whether anybody could have played it. A withdrawal counts from the row's last change on: of
    earlier ones nothing is kept."""
    series = episode.series
    if series.published_at is None or at < max(series.published_at, episode.created_at):
        return False
    is_series_out = series.state != Series.State.PUBLISHED and series.updated_at <= at
    is_episode_out = episode.state != Episode.State.PUBLISHED and episode.updated_at <= at
    return not (is_series_out or is_episode_out)


#: What a cover's explanation reads along with it.
_COVER = (
    *(f"grant__{who}" for who in OPERATORS),
    "pass_purchase__product",
    "pass_refund_booking__purchase__product",
    "subscription_cover__subscription",
)


@dataclass(frozen=True)
class _Known:
    """What else is known of some entitlements, read for all of them at once."""

    lineage: Lineage
    passes: Mapping[UUID, PassFact]
    subscriptions: Mapping[UUID, Subscribed]
    others: dict[UUID, EntitlementCause]


def _history(
    viewer_id: UUID, environment: str, episode_id: UUID, at: datetime
) -> Sequence[EntitlementFact]:
    """Every entitlement of the episode that had begun by then, newest first."""
    rows = list(
        _with_causes(
            Entitlement.objects.filter(
                viewer_id=viewer_id,
                environment=environment,
                episode_id=episode_id,
                starts_at__lte=at,
            )
        ).order_by("-starts_at", "-id")
    )
    unlocks = [unlock for row in rows if (unlock := _unlock(row))]
    bought = {each.id: each for row in rows if row.cover and (each := _bought(row.cover))}
    known = _Known(
        lineage.of_unlocks(unlocks, at),
        lineage.passes(list(bought.values()), at),
        subscribed.of_covers([row.cover for row in rows if row.cover], at),
        _others(rows, at),
    )
    return [_fact(row, known, at) for row in rows]


def _with_causes(rows: QuerySet[Entitlement]) -> QuerySet[Entitlement]:
    return rows.select_related(
        "unlock__price_version__plan",
        "unlock__restores",
        "unlock__consent__price_version__plan",
        "unlock__reversal__asked_by",
        "unlock__reversal__booking",
        *(f"grant__{who}" for who in OPERATORS),
        *(f"cover__{path}" for path in _COVER),
    )


def _others(rows: Sequence[Entitlement], at: datetime) -> dict[UUID, EntitlementCause]:
    found: dict[UUID, EntitlementCause] = {}
    for source, explain in sources().items():
        own = [row for row in rows if row.source == source]
        if own:
            found |= explain(own, at)
    return found


def _fact(row: Entitlement, known: _Known, at: datetime) -> EntitlementFact:
    played = row.first_played_at
    return EntitlementFact(
        entitlement_id=row.id,
        source=EntitlementSource(row.source),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        first_played_at=played if played and played <= at else None,
        closing=_closing(row, known, at),
        cause=_cause(row, known, at),
    )


def _cause(row: Entitlement, known: _Known, at: datetime) -> EntitlementCause | None:
    """None for one without its cause, which `verify_ledger` names."""
    if unlock := _unlock(row):
        return known.lineage.causes[unlock.id]
    if row.cover is not None:
        return _covered(row.cover, known.passes, known.subscriptions, at)
    if given := _grant(row):
        return GrantCause(grant=lineage.grant(given, at))
    return known.others.get(row.id)


def _covered(
    cover: Cover,
    passes: Mapping[UUID, PassFact],
    subscriptions: Mapping[UUID, Subscribed],
    at: datetime,
) -> SubscriptionCause:
    given, bought, part = _grant(cover), _bought(cover), subscribed.part_of(cover)
    is_closed = cover.closed_at is not None and cover.closed_at <= at
    return SubscriptionCause(
        cover_id=cover.id,
        source=cover.source,
        reference=cover.reference,
        starts_at=cover.starts_at,
        ends_at=cover.ends_at,
        closed_at=cover.closed_at if is_closed else None,
        grant=lineage.grant(given, at) if given else None,
        purchase=passes[bought.id] if bought else None,
        subscription=subscriptions[part.subscription_id].fact if part else None,
    )


def _closing(row: Entitlement, known: _Known, at: datetime) -> Closing | None:
    """What ended it by then. One that had lapsed is closed only when the next one is opened."""
    closed_at = row.closed_at if row.closed_at and row.closed_at <= at else None
    if row.ends_at and row.ends_at <= (closed_at or at):
        return Closing(how=Ending.LAPSED, at=row.ends_at)
    if closed_at is None:
        return None
    unlock, given = _unlock(row), _grant(row)
    if unlock and (reversal := getattr(unlock, "reversal", None)):
        return _undone(reversal, known.lineage)
    if given and given.revoked_at == closed_at:
        by = lineage.operator(given.revoked_by)
        return Closing(how=Ending.GRANT_TAKEN_BACK, at=closed_at, by=by)
    if row.cover and row.cover.closed_at == closed_at:
        return _closing_of_cover(row.cover, closed_at, known)
    return Closing(how=Ending.UNEXPLAINED, at=closed_at)


def _closing_of_cover(cover: Cover, closed_at: datetime, known: _Known) -> Closing:
    """What ended a cover, and with it all that was opened under it."""
    part = subscribed.part_of(cover)
    if part and (ended := subscribed.ending(cover, known.subscriptions[part.subscription_id])):
        return ended
    if bought := _bought(cover):
        refund = _last_refund(known.passes[bought.id])
        return Closing(
            how=Ending.REFUNDED,
            at=closed_at,
            by=refund.by if refund else None,
            reason=refund.reason if refund else "",
            refund=refund,
        )
    gave_cover = _grant(cover)
    by = lineage.operator(gave_cover.revoked_by) if gave_cover else None
    return Closing(how=Ending.COVER_TAKEN_BACK, at=closed_at, by=by)


def _undone(reversal: UnlockReversal, known: Lineage) -> Closing:
    booking = reversal.booking
    return Closing(
        how=Ending.REFUNDED if booking else Ending.UNDONE,
        at=reversal.created_at,
        by=lineage.operator(reversal.asked_by),
        reason=reversal.reason,
        transfer_id=reversal.transfer_id,
        refund=known.refunds.get(booking.refund_id) if booking else None,
    )


def cover_at(*, viewer_id: UUID, environment: str, at: datetime) -> SubscriptionCause | None:
    """The cover that lasts longest of those that stood, as the one that opens an episode is chosen."""
    found = (
        Cover.objects.filter(
            Q(closed_at__isnull=True) | Q(closed_at__gt=at),
            viewer_id=viewer_id,
            environment=environment,
            created_at__lte=at,
            starts_at__lte=at,
            ends_at__gt=at,
        )
        .select_related(*_COVER)
        .order_by("-ends_at")
        .first()
    )
    if found is None:
        return None
    bought = _bought(found)
    passes = lineage.passes([bought] if bought else [], at)
    return _covered(found, passes, subscribed.of_covers([found], at), at)


def _last_refund(bought: PassFact) -> RefundFact | None:
    """The refund that was booked last: what closed a cover had just been."""
    return max(bought.refunds, key=lambda refund: refund.booked_at, default=None)


def _bought(cover: Cover) -> PassPurchase | None:
    """The purchase that a cover came from, the first time or after a refund that did not stand."""
    again = getattr(cover, "pass_refund_booking", None)
    found: PassPurchase | None = getattr(cover, "pass_purchase", None)
    return again.purchase if again else found


def _unlock(row: Entitlement) -> Unlock | None:
    found: Unlock | None = getattr(row, "unlock", None)
    return found


def _grant(row: Entitlement | Cover) -> Grant | None:
    found: Grant | None = getattr(row, "grant", None)
    return found
