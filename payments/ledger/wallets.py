"""A viewer's coins: balances, and the statement that explains them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum

from config.compiled_queries import CompiledQuery
from payments.chart import REVENUE_ORIGINS, Account, LotKind, TransferCode
from payments.ledger import earnings
from payments.ledger.earnings import Earned
from payments.models import Cover, Entry, Lot, LotMovement, Transfer, Wallet

#: What a line of the statement says of its cause, read along with the transfer.
_CAUSES = (
    "purchase__pack",
    "unlock__episode",
    "unlock__restores",
    "unlock_reversal__unlock__episode",
    "refund_booking__refund",
    "refund_booking__purchase__pack",
    "grant",
    "revoked_grant",
    "promo_redemption__promo_code",
    "period__product",
    "period_booking__purchase__product",
)


@dataclass(frozen=True)
class Balance:
    """Coins that can be spent now, by kind."""

    paid_coins: int
    bonus_coins: int

    @property
    def coins(self) -> int:
        """All that can be spent."""
        return self.paid_coins + self.bonus_coins


@dataclass(frozen=True)
class Overview:
    """A wallet at a moment. `debt_coins` are owed; `covered_until` is None while nothing covers."""

    balance: Balance
    debt_coins: int
    covered_until: datetime | None
    expiring: Sequence[Lot]


@dataclass(frozen=True)
class Movement:
    """One line of a statement: one transfer as the viewer sees it.

    Coins are signed as entries are, but for the debt, which is what the viewer owes: positive where it
    grew. `lapsed` is the lot of an expiry, `earned` what is known of a reward.
    """

    transfer: Transfer
    paid_coins: int
    bonus_coins: int
    debt_coins: int
    paid_balance_after: int | None
    bonus_balance_after: int | None
    debt_balance_after: int | None
    lapsed: Lot | None
    earned: Earned | None = None


def overview(*, viewer_id: UUID, environment: str, at: datetime) -> Overview:
    """Everything about a wallet at a moment, also for a viewer who has none yet."""
    held = Wallet.objects.filter(viewer_id=viewer_id, environment=environment).first()
    return Overview(
        balance=balance(viewer_id=viewer_id, environment=environment, at=at),
        debt_coins=-held.debt_coins if held else 0,
        covered_until=covered_until(held, at) if held else None,
        expiring=expiring(viewer_id=viewer_id, environment=environment, at=at),
    )


def balance(*, viewer_id: UUID, environment: str, at: datetime) -> Balance:
    """What the viewer can spend at a moment. Lots past their expiry do not count."""
    rows = _SPENDABLE.rows(viewer_id=viewer_id, environment=environment, at=at)
    by_kind: dict[str, int] = dict(rows)
    return Balance(
        paid_coins=by_kind.get(LotKind.PAID, 0), bonus_coins=by_kind.get(LotKind.BONUS, 0)
    )


def lots_left(wallet: Wallet) -> QuerySet[Lot]:
    """Lots that hold coins, in the order in which `payments_unlock` spends them: bonus that expires,
    soonest first; other bonus; paid; oldest first. Lots past their expiry wait to lapse.
    """
    left = Lot.objects.filter(wallet=wallet, remaining_coins__gt=0)
    return left.order_by("kind", F("expires_at").asc(nulls_last=True), "granted_at", "id")


def deferred_micros(wallet: Wallet) -> int:
    """What the bought coins still in the wallet will be worth as revenue when they are spent."""
    bought = lots_left(wallet).filter(origin__in=REVENUE_ORIGINS).order_by()
    total: int | None = bought.aggregate(total=Sum("remaining_value_micros"))["total"]
    return total or 0


def expiring(*, viewer_id: UUID, environment: str, at: datetime) -> Sequence[Lot]:
    """Live lots that will expire, soonest first, each with its notice if there is one."""
    return list(
        Lot.objects.filter(
            wallet__viewer_id=viewer_id,
            wallet__environment=environment,
            remaining_coins__gt=0,
            expires_at__gt=at,
        )
        .select_related("expiry_notice")
        .order_by("expires_at", "id")
    )


def statement(
    *, viewer_id: UUID, environment: str, before: UUID | None, limit: int
) -> Sequence[Movement]:
    """The viewer's movements, newest first, `limit` of them, older than transfer `before`."""
    transfers = Transfer.objects.filter(viewer_id=viewer_id, environment=environment)
    if before is not None:
        transfers = transfers.filter(id__lt=before)
    newest = transfers.order_by("-id").select_related(*_CAUSES)
    return _movements(list(newest[:limit]))


def _movements(transfers: Sequence[Transfer]) -> Sequence[Movement]:
    entries = Entry.objects.filter(transfer__in=transfers, wallet__isnull=False)
    by_account = {(entry.transfer_id, entry.account): entry for entry in entries}
    lapsed = _lapsed_lots(transfers)
    earned = earnings.of(
        [transfer for transfer in transfers if transfer.code == TransferCode.REWARD]
    )

    def movement(transfer: Transfer) -> Movement:
        paid = by_account.get((transfer.id, Account.PAID))
        bonus = by_account.get((transfer.id, Account.BONUS))
        debt = by_account.get((transfer.id, Account.DEBT))
        return Movement(
            transfer=transfer,
            paid_coins=paid.amount_coins if paid else 0,
            bonus_coins=bonus.amount_coins if bonus else 0,
            debt_coins=-debt.amount_coins if debt else 0,
            paid_balance_after=paid.balance_after_coins if paid else None,
            bonus_balance_after=bonus.balance_after_coins if bonus else None,
            debt_balance_after=-(debt.balance_after_coins or 0) if debt else None,
            lapsed=lapsed.get(transfer.id),
            earned=earned.get(transfer.id),
        )

    return [movement(transfer) for transfer in transfers]


def _lapsed_lots(transfers: Sequence[Transfer]) -> Mapping[UUID, Lot]:
    """The lot of each expiry among these transfers: an expiry is of one lot alone."""
    expiries = [transfer.id for transfer in transfers if transfer.code == TransferCode.EXPIRY]
    if not expiries:
        return {}
    found = LotMovement.objects.filter(transfer_id__in=expiries).select_related("lot")
    return {movement.transfer_id: movement.lot for movement in found}


def covered_until(wallet: Wallet, at: datetime) -> datetime | None:
    """The end of what covers the viewer without a gap from `at` on, None where nothing covers `at`."""
    if wallet.covered_until is None or wallet.covered_until <= at:
        return None
    until = at
    covers = Cover.objects.filter(
        viewer_id=wallet.viewer_id,
        environment=wallet.environment,
        closed_at__isnull=True,
        ends_at__gt=at,
    )
    for cover in covers.order_by("starts_at"):
        if cover.starts_at > until:
            break
        until = max(until, cover.ends_at)
    return until if until > at else None


def covered_until_of(*, viewer_id: UUID, environment: str, at: datetime) -> datetime | None:
    """The same of a viewer, who may have no wallet yet."""
    held = Wallet.objects.filter(viewer_id=viewer_id, environment=environment).first()
    return covered_until(held, at) if held else None


def _spendable(*, viewer_id: UUID, environment: str, at: datetime) -> QuerySet[Any, Any]:
    """Coins by kind."""
    lots = Lot.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=at),
        wallet__viewer_id=viewer_id,
        wallet__environment=environment,
        remaining_coins__gt=0,
    )
    return lots.values_list("kind").annotate(Sum("remaining_coins"))


_SPENDABLE = CompiledQuery(_spendable, viewer_id=UUID, environment=str, at=datetime)
