"""A viewer's coins: balances, and the statement that explains them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from payments.chart import Account, LotKind
from payments.models import Entry, Lot, Transfer


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
class Movement:
    """One line of a statement: one transfer as the viewer sees it."""

    transfer: Transfer
    paid_coins: int
    bonus_coins: int
    paid_balance_after: int | None
    bonus_balance_after: int | None


def balance(*, viewer_id: UUID, environment: str, at: datetime) -> Balance:
    """What the viewer can spend at a moment. Lots past their expiry do not count."""
    lots = Lot.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=at),
        wallet__viewer_id=viewer_id,
        wallet__environment=environment,
        remaining_coins__gt=0,
    )
    by_kind = dict(lots.values_list("kind").annotate(Sum("remaining_coins")))
    return Balance(
        paid_coins=by_kind.get(LotKind.PAID, 0), bonus_coins=by_kind.get(LotKind.BONUS, 0)
    )


def expiring(*, viewer_id: UUID, environment: str, at: datetime) -> Sequence[Lot]:
    """Live lots that will expire, soonest first."""
    return list(
        Lot.objects.filter(
            wallet__viewer_id=viewer_id,
            wallet__environment=environment,
            remaining_coins__gt=0,
            expires_at__gt=at,
        ).order_by("expires_at")
    )


def statement(
    *, viewer_id: UUID, environment: str, before: UUID | None, limit: int
) -> Sequence[Movement]:
    """The viewer's movements, newest first, `limit` of them, older than transfer `before`."""
    transfers = Transfer.objects.filter(viewer_id=viewer_id, environment=environment)
    if before is not None:
        transfers = transfers.filter(id__lt=before)
    newest = transfers.order_by("-id").select_related("unlock__episode", "purchase__pack")
    return _movements(list(newest[:limit]))


def _movements(transfers: Sequence[Transfer]) -> Sequence[Movement]:
    entries = Entry.objects.filter(transfer__in=transfers, wallet__isnull=False)
    by_account = {(entry.transfer_id, entry.account): entry for entry in entries}

    def movement(transfer: Transfer) -> Movement:
        paid = by_account.get((transfer.id, Account.PAID))
        bonus = by_account.get((transfer.id, Account.BONUS))
        return Movement(
            transfer=transfer,
            paid_coins=paid.amount_coins if paid else 0,
            bonus_coins=bonus.amount_coins if bonus else 0,
            paid_balance_after=paid.balance_after_coins if paid else None,
            bonus_balance_after=bonus.balance_after_coins if bonus else None,
        )

    return [movement(transfer) for transfer in transfers]
