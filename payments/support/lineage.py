"""From unlocks down to where their coins came from, as it stood at a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.contrib.auth.models import User

from payments.chart import LotKind, LotOrigin
from payments.ledger import earnings
from payments.ledger.earnings import Earned
from payments.models import (
    Grant,
    GrantKind,
    GrantReason,
    Lot,
    LotMovement,
    PassPurchase,
    PassRefundBooking,
    PriceVersion,
    PromoRedemption,
    Purchase,
    Refund,
    RefundBooking,
    RefundOrigin,
    Transfer,
    Unlock,
    UnlockCorrection,
    UnlockWay,
)
from payments.prices import pricing
from payments.support.explanations import (
    ArmFact,
    CoinsCause,
    ConsentFact,
    Correction,
    GrantFact,
    GrantSource,
    LotSource,
    PassFact,
    PeriodSource,
    PriceFact,
    PromoSource,
    PurchaseSource,
    RefundFact,
    ReturnSource,
    RewardSource,
    SpentLot,
)

#: What `grant` reads of a grant's row, from wherever the row is reached.
OPERATORS = ("asked_by", "decided_by", "revoked_by")


@dataclass(frozen=True)
class Lineage:
    """What unlocks rest on, by unlock, and the refunds of the purchases among it, by refund."""

    causes: Mapping[UUID, CoinsCause]
    refunds: Mapping[UUID, RefundFact]


@dataclass(frozen=True)
class _Granted:
    """Of what had granted lots: the refunds of purchases, by purchase, periods of subscriptions, and what
    earned rewards, by transfer."""

    refunds: Mapping[UUID, list[RefundFact]]
    periods: Mapping[UUID, PassFact]
    earned: Mapping[UUID, Earned]


def of_unlocks(unlocks: Sequence[Unlock], at: datetime) -> Lineage:
    """The coins that paid each unlock: four queries, and two where coins were earned, however many unlocks
    and lots there are.

    The unlocks bring their price version with its plan, `restores`, and their consent, if they have one,
    with its price version and plan.
    """
    movements = _movements(unlocks)
    purchases = {bought.id for m in movements if (bought := _purchase(m.lot.transfer))}
    refunds = _refunds(purchases, at)
    periods = {each.id: each for m in movements if (each := _period(m.lot.transfer))}
    rewards = [m.lot.transfer for m in movements if m.lot.origin == LotOrigin.REWARD]
    known = _Granted(refunds, passes(list(periods.values()), at), earnings.of(rewards))
    lots: dict[UUID, list[SpentLot]] = {}
    for movement in movements:
        lots.setdefault(movement.transfer_id, []).append(_spent(movement, known, at))
    corrections = _corrections(unlocks, at)
    return Lineage(
        causes={
            unlock.id: _cause(
                unlock, lots.get(unlock.transfer_id, []), corrections.get(unlock.id, []), at
            )
            for unlock in unlocks
        },
        refunds={fact.refund_id: fact for facts in refunds.values() for fact in facts},
    )


def price(version: PriceVersion, *, number: int | None, price_coins: int, arm: str) -> PriceFact:
    """What a version, which brings its plan, asks for an episode, as the caller has found it."""
    return PriceFact(
        price_version_id=version.id,
        plan_id=version.plan_id,
        plan=version.plan.name,
        effective_from=version.effective_from,
        free_count=version.free_count,
        base_price_coins=version.base_price_coins,
        number=number,
        price_coins=price_coins,
        arms=_arms(arm),
    )


def _arms(label: str) -> list[ArmFact]:
    """As pricing.Price.arm names them."""
    pairs = (one.partition(":") for one in label.split(",") if one)
    return [ArmFact(experiment=experiment, arm=arm) for experiment, _, arm in pairs]


def grant(row: Grant, at: datetime) -> GrantFact:
    """A grant that had been given by then, which brings its operators."""
    is_taken_back = row.revoked_at is not None and row.revoked_at <= at
    return GrantFact(
        grant_id=row.id,
        what=GrantKind(row.kind),
        coins=row.coins,
        pass_days=row.pass_days,
        worth_coins=row.worth_coins,
        reason=GrantReason(row.reason),
        note=row.note,
        asked_by=row.asked_by.get_username(),
        asked_at=row.asked_at,
        agreed_by=operator(row.decided_by),
        agreed_at=row.decided_at,
        agreement_note=row.decision_note,
        taken_back_by=operator(row.revoked_by) if is_taken_back else None,
        taken_back_at=row.revoked_at if is_taken_back else None,
    )


def passes(purchases: Sequence[PassPurchase], at: datetime) -> Mapping[UUID, PassFact]:
    """Passes that were bought, which bring their products, by id: one query for what had gone back."""
    refunds = _pass_refunds({purchase.id for purchase in purchases}, at) if purchases else {}
    return {
        purchase.id: PassFact(
            purchase_id=purchase.id,
            subscription_id=purchase.subscription_id,
            provider=purchase.provider,
            transaction_id=purchase.transaction_id,
            pass_id=purchase.product_id,
            pass_code=purchase.product.code,
            pass_title=purchase.product.title,
            period_months=purchase.period_months,
            period_days=purchase.period_days,
            starts_at=purchase.store_starts_at or purchase.starts_at,
            ends_at=purchase.store_ends_at or purchase.ends_at,
            currency=purchase.currency,
            gross_micros=purchase.gross_micros,
            net_micros=purchase.net_micros,
            purchased_at=purchase.purchased_at,
            refunds=refunds.get(purchase.id, []),
        )
        for purchase in purchases
    }


def operator(user: User | None) -> str | None:
    """How operators are named in explanations."""
    return user.get_username() if user else None


def _movements(unlocks: Sequence[Unlock]) -> Sequence[LotMovement]:
    """In the order in which lots are spent: bonus before paid, soonest expiry, oldest."""
    found = LotMovement.objects.filter(transfer_id__in=[u.transfer_id for u in unlocks])
    granted_by = "lot__transfer"
    read = found.select_related(
        "lot",
        f"{granted_by}__purchase__pack",
        f"{granted_by}__promo_redemption__promo_code",
        f"{granted_by}__period__product",
        *(f"{granted_by}__grant__{who}" for who in OPERATORS),
    )
    return sorted(read, key=_spend_order)


def _spend_order(movement: LotMovement) -> tuple[object, ...]:
    """By what it was when the coins were spent: taking a gift back later moves its expiry."""
    lot, expires_at = movement.lot, _expires_at(movement.lot, movement.created_at)
    is_last = expires_at is None
    return (lot.kind == LotKind.PAID, is_last, expires_at or lot.granted_at, lot.granted_at, lot.id)


def _expires_at(lot: Lot, at: datetime) -> datetime | None:
    given = _given(lot.transfer)
    if given is None or (given.revoked_at is not None and given.revoked_at <= at):
        return lot.expires_at
    return given.coins_expire_at


def _spent(movement: LotMovement, known: _Granted, at: datetime) -> SpentLot:
    lot = movement.lot
    return SpentLot(
        lot_id=lot.id,
        transfer_id=lot.transfer_id,
        lot_kind=LotKind(lot.kind),
        origin=LotOrigin(lot.origin),
        coins=-movement.coins,
        value_micros=-movement.value_micros,
        granted_coins=lot.granted_coins,
        granted_at=lot.granted_at,
        expires_at=_expires_at(lot, at),
        source=_source(lot.origin, lot.transfer, known, at),
    )


def _source(origin: str, transfer: Transfer, known: _Granted, at: datetime) -> LotSource | None:
    """What granted a lot; None for a grant without its row, which `verify_ledger` names."""
    if purchase := _purchase(transfer):
        return _bought(purchase, known.refunds.get(purchase.id, []))
    if given := _given(transfer):
        return GrantSource(grant=grant(given, at))
    if redeemed := _redeemed(transfer):
        return PromoSource(redemption_id=redeemed.id, promo_code=redeemed.promo_code.code)
    if period := _period(transfer):
        return PeriodSource(period=known.periods[period.id])
    if origin == LotOrigin.REWARD:
        return RewardSource(reference=transfer.reference, earned=known.earned.get(transfer.id))
    if transfer.reverses_id is not None:
        return ReturnSource(undone_transfer_id=transfer.reverses_id)
    return None


def _purchase(transfer: Transfer) -> Purchase | None:
    purchase: Purchase | None = getattr(transfer, "purchase", None)
    return purchase


def _given(transfer: Transfer) -> Grant | None:
    given: Grant | None = getattr(transfer, "grant", None)
    return given


def _redeemed(transfer: Transfer) -> PromoRedemption | None:
    redeemed: PromoRedemption | None = getattr(transfer, "promo_redemption", None)
    return redeemed


def _period(transfer: Transfer) -> PassPurchase | None:
    period: PassPurchase | None = getattr(transfer, "period", None)
    return period


def _bought(purchase: Purchase, refunds: list[RefundFact]) -> PurchaseSource:
    return PurchaseSource(
        purchase_id=purchase.id,
        provider=purchase.provider,
        transaction_id=purchase.transaction_id,
        pack_id=purchase.pack_id,
        pack_code=purchase.pack.code,
        paid_coins=purchase.paid_coins,
        bonus_coins=purchase.bonus_coins,
        currency=purchase.currency,
        gross_micros=purchase.gross_micros,
        net_micros=purchase.net_micros,
        purchased_at=purchase.purchased_at,
        refunds=refunds,
    )


def _refunds(purchase_ids: set[UUID], at: datetime) -> Mapping[UUID, list[RefundFact]]:
    """The refunds that had taken effect by then, by purchase, in the order in which they did."""
    bookings = (
        RefundBooking.objects.filter(purchase_id__in=purchase_ids, created_at__lte=at)
        .select_related("refund__asked_by", "transfer")
        .order_by("id")
    )
    by_refund: dict[UUID, list[RefundBooking]] = {}
    for booking in bookings:
        by_refund.setdefault(booking.refund_id, []).append(booking)
    facts: dict[UUID, list[RefundFact]] = {}
    for history in by_refund.values():
        facts.setdefault(history[0].purchase_id, []).append(_refund(history))
    return facts


def _refund(history: Sequence[RefundBooking]) -> RefundFact:
    """Of all its bookings so far the last counts: it took, or it undid what the one before it had taken."""
    last, refund = history[-1], history[-1].refund
    is_undone = last.undoes_id is not None
    taken = history[-2] if is_undone else last
    is_told = _is_of(refund, taken)
    # Whoever reverses a store's refund is noted on it, too.
    by = refund.asked_by if is_told and refund.origin == RefundOrigin.OPERATOR else None
    return RefundFact(
        refund_id=refund.id,
        name=refund.refund_id,
        origin=RefundOrigin(refund.origin) if is_told else None,
        reason=refund.reason if is_told else "",
        by=operator(by),
        refunded_at=taken.transfer.event_at if taken.transfer else taken.created_at,
        booked_at=taken.created_at,
        undone_at=last.created_at if is_undone else None,
        gross_micros=taken.gross_micros,
        net_micros=taken.net_micros,
        due_coins=taken.due_coins,
        taken_coins=taken.taken_coins,
        debt_coins=taken.debt_coins,
    )


def _pass_refunds(purchase_ids: set[UUID], at: datetime) -> Mapping[UUID, list[RefundFact]]:
    """The same of passes."""
    bookings = (
        PassRefundBooking.objects.filter(purchase_id__in=purchase_ids, created_at__lte=at)
        .select_related("refund__asked_by")
        .order_by("id")
    )
    by_refund: dict[UUID, list[PassRefundBooking]] = {}
    for booking in bookings:
        by_refund.setdefault(booking.refund_id, []).append(booking)
    facts: dict[UUID, list[RefundFact]] = {}
    for history in by_refund.values():
        facts.setdefault(history[0].purchase_id, []).append(_pass_refund(history))
    return facts


def _pass_refund(history: Sequence[PassRefundBooking]) -> RefundFact:
    last, refund = history[-1], history[-1].refund
    is_undone = last.undoes_id is not None
    taken = history[-2] if is_undone else last
    # What is said of cause and author is that of the refund's last time.
    is_told = (
        refund.refunded_at is not None
        and refund.refunded_at <= taken.created_at
        and refund.amount_micros == taken.asked_micros
    )
    by = refund.asked_by if is_told and refund.origin == RefundOrigin.OPERATOR else None
    return RefundFact(
        refund_id=refund.id,
        name=refund.refund_id,
        origin=RefundOrigin(refund.origin) if is_told else None,
        reason=refund.reason if is_told else "",
        by=operator(by),
        refunded_at=refund.refunded_at if is_told and refund.refunded_at else taken.created_at,
        booked_at=taken.created_at,
        undone_at=last.created_at if is_undone else None,
        gross_micros=taken.gross_micros,
        net_micros=taken.net_micros,
        due_coins=0,
        taken_coins=0,
        debt_coins=0,
    )


def _is_of(refund: Refund, taken: RefundBooking) -> bool:
    """Whether what the row says of cause and author was said by then: a refund that happens again after its
    reversal says it anew."""
    if refund.refunded_at is None or refund.amount_micros != taken.asked_micros:
        return False
    if taken.transfer is None:
        return refund.refunded_at <= taken.created_at
    return refund.refunded_at == taken.transfer.event_at


def _corrections(unlocks: Sequence[Unlock], at: datetime) -> Mapping[UUID, list[Correction]]:
    found = (
        UnlockCorrection.objects.filter(unlock__in=unlocks, created_at__lte=at)
        .select_related("transfer")
        .order_by("unlock_id", "id")
    )
    return {
        unlock_id: [
            Correction(
                transfer_id=row.transfer_id,
                because=row.transfer.code,
                lot_id=row.lot_id,
                coins=row.coins,
                value_micros=row.value_micros,
                attribution_micros=row.attribution_micros,
                at=row.created_at,
            )
            for row in rows
        ]
        for unlock_id, rows in groupby(found, key=attrgetter("unlock_id"))
    }


def _consent(unlock: Unlock, at: datetime) -> ConsentFact | None:
    consent, number = unlock.consent, unlock.number
    if consent is None or number is None:
        return None
    ladder = pricing.ladder(consent.price_version_id, tuple(consent.adjustments))
    return ConsentFact(
        consent_id=consent.id,
        daily_cap_coins=consent.daily_cap_coins,
        price=price(
            consent.price_version, number=number, price_coins=ladder.price_of(number), arm=""
        ),
        agreed_at=consent.agreed_at,
        ended_at=consent.ended_at if consent.ended_at and consent.ended_at <= at else None,
    )


def _cause(
    unlock: Unlock, lots: list[SpentLot], corrections: list[Correction], at: datetime
) -> CoinsCause:
    restores = getattr(unlock, "restores", None)
    charged = unlock.price_version
    return CoinsCause(
        unlock_id=unlock.id,
        transfer_id=unlock.transfer_id,
        unlocked_at=unlock.created_at,
        way=UnlockWay(unlock.way),
        bundle_id=unlock.bundle_id,
        consent=_consent(unlock, at),
        price=price(charged, number=unlock.number, price_coins=unlock.price_coins, arm=unlock.arm),
        numbering=unlock.numbering,
        arm=unlock.arm,
        quote_expires_at=unlock.quote_expires_at,
        paid_coins=unlock.paid_coins,
        bonus_coins=unlock.bonus_coins,
        value_micros=unlock.value_micros,
        attribution_micros=unlock.attribution_micros,
        standing_micros=unlock.value_micros + sum(row.value_micros for row in corrections),
        playback_session_id=unlock.playback_session_id,
        position_ms=unlock.position_ms,
        restores_unlock_id=restores.unlock_id if restores else None,
        lots=lots,
        corrections=corrections,
    )
