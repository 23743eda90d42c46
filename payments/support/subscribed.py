"""Subscriptions as they were known at a moment: where their stores' tellings had put them, and what ended a cover."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Q

from payments.models import (
    ChangeCause,
    Cover,
    CoverEnd,
    Ownership,
    PassPurchase,
    Subscription,
    SubscriptionChange,
    SubscriptionCover,
    SubscriptionState,
    SubscriptionTransfer,
)
from payments.support import lineage
from payments.support.explanations import (
    Closing,
    Ending,
    PassFact,
    SubscriptionFact,
    TellingFact,
    TransferFact,
)

_ENDINGS = {
    CoverEnd.TOLD: Ending.TOLD,
    CoverEnd.REPLACED: Ending.REPLACED,
    CoverEnd.REFUNDED: Ending.REFUNDED,
    CoverEnd.TRANSFERRED: Ending.TRANSFERRED,
}
_NEVER = datetime.min.replace(tzinfo=UTC)
_NOTHING = UUID(int=0)


@dataclass(frozen=True)
class Subscribed:
    """A subscription as it was known, and the tellings of others that had taken its place."""

    fact: SubscriptionFact
    successors: Sequence[TellingFact]


def part_of(cover: Cover) -> SubscriptionCover | None:
    """What ties a cover to the subscription that gave it."""
    found: SubscriptionCover | None = getattr(cover, "subscription_cover", None)
    return found


def of_covers(covers: Sequence[Cover], at: datetime) -> Mapping[UUID, Subscribed]:
    """The subscriptions that gave these covers, which bring them, by id: four queries at most."""
    found = {
        part.subscription_id: part.subscription for cover in covers if (part := part_of(cover))
    }
    if not found:
        return {}
    names = {(each.provider, each.environment, each.subscription_id) for each in found.values()}
    changes = (
        SubscriptionChange.objects.filter(
            Q(subscription__in=found) | Q(replaces__in=[name for *_, name in names]),
            created_at__lte=at,
        )
        .select_related("subscription", "product")
        .order_by("id")
    )
    known = _Known(list(changes), _transfers(found, at), _periods(found, at), at)
    return {each.id: known.of(each) for each in found.values()}


def ending(cover: Cover, known: Subscribed) -> Closing | None:
    """How a cover that was taken back ended; None for one that was not."""
    part, closed_at = part_of(cover), cover.closed_at
    if part is None or closed_at is None or not part.ended_by:
        return None
    end = CoverEnd(part.ended_by)
    told = {CoverEnd.TOLD: known.fact.tellings, CoverEnd.REPLACED: known.successors}.get(end, [])
    then = [each for each in told if each.told_at == closed_at and not each.is_outdated]
    booked = [
        refund
        for period in known.fact.periods
        for refund in period.refunds
        if end is CoverEnd.REFUNDED and refund.booked_at == closed_at
    ]
    refund = booked[-1] if booked else None
    moved = [
        each.by
        for each in known.fact.transfers
        if end is CoverEnd.TRANSFERRED and each.at == closed_at
    ]
    return Closing(
        how=_ENDINGS[end],
        at=closed_at,
        by=refund.by if refund else next(iter(moved), None),
        reason=refund.reason if refund else "",
        refund=refund,
        telling=then[-1] if then else None,
    )


@dataclass(frozen=True)
class _Known:
    """What is known of some subscriptions, read for all of them at once."""

    changes: Sequence[SubscriptionChange]
    transfers: Mapping[UUID, list[TransferFact]]
    periods: Mapping[UUID, list[PassFact]]
    at: datetime

    def of(self, subscription: Subscription) -> Subscribed:
        own = [each for each in self.changes if each.subscription_id == subscription.id]
        latest = max(own, key=_order)
        successors = [each for each in self.changes if _takes_place_of(each, subscription)]
        fact = SubscriptionFact(
            subscription_id=subscription.id,
            provider=subscription.provider,
            name=subscription.subscription_id,
            state=SubscriptionState(latest.state),
            pass_id=latest.product_id,
            pass_code=latest.product.code,
            pass_title=latest.product.title,
            ownership=Ownership(latest.ownership),
            access_until=latest.access_until,
            as_of=_as_of(latest, self.at),
            replaced_by=successors[0].subscription.subscription_id if successors else "",
            tellings=[_telling(each, self.at) for each in own],
            transfers=self.transfers.get(subscription.id, []),
            periods=self.periods.get(subscription.id, []),
        )
        return Subscribed(fact, [_telling(each, self.at) for each in successors])


def _takes_place_of(change: SubscriptionChange, replaced: Subscription) -> bool:
    other = change.subscription
    return (
        change.replaces == replaced.subscription_id
        and (other.provider, other.environment) == (replaced.provider, replaced.environment)
        and change.state != SubscriptionState.PENDING
    )


def _order(change: SubscriptionChange) -> tuple[object, ...]:
    """As payments_tellings sorts them."""
    return (
        change.as_of,
        change.access_until or _NEVER,
        change.state,
        change.product_id,
        change.renews_as_id or _NOTHING,
        change.price_consent,
        change.ownership,
        change.replaces,
        change.renews_as_name,
    )


def _as_of(change: SubscriptionChange, at: datetime) -> datetime:
    """The moment of a telling, as it was known: it may have been said again since."""
    return change.since if change.since and change.as_of > at else change.as_of


def _telling(change: SubscriptionChange, at: datetime) -> TellingFact:
    return TellingFact(
        change_id=change.id,
        cause=ChangeCause(change.cause),
        message_id=change.message_id,
        state=SubscriptionState(change.state),
        pass_code=change.product.code,
        access_until=change.access_until,
        is_outdated=change.is_outdated,
        as_of=_as_of(change, at),
        told_at=change.created_at,
    )


def _transfers(
    found: Mapping[UUID, Subscription], at: datetime
) -> Mapping[UUID, list[TransferFact]]:
    rows = SubscriptionTransfer.objects.filter(subscription__in=found, created_at__lte=at)
    facts: dict[UUID, list[TransferFact]] = {}
    for row in rows.select_related("asked_by").order_by("id"):
        facts.setdefault(row.subscription_id, []).append(
            TransferFact(
                transfer_id=row.id,
                from_viewer_id=row.from_viewer_id,
                to_viewer_id=row.to_viewer_id,
                by=lineage.operator(row.asked_by),
                at=row.created_at,
            )
        )
    return facts


def _periods(found: Mapping[UUID, Subscription], at: datetime) -> Mapping[UUID, list[PassFact]]:
    rows = list(
        PassPurchase.objects.filter(subscription__in=found, created_at__lte=at)
        .select_related("product")
        .order_by("store_starts_at", "id")
    )
    known = lineage.passes(rows, at)
    facts: dict[UUID, list[PassFact]] = {}
    for row in rows:
        if row.subscription_id is not None:
            facts.setdefault(row.subscription_id, []).append(known[row.id])
    return facts
