"""What became of the coins of purchases, from the lineage of their lots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from payments.chart import TransferCode
from payments.models import LotMovement, Purchase
from payments.money import PARTS_PER_MILLION


@dataclass(frozen=True)
class Consumption:
    """What became of the coins of one purchase. All of them together are `granted_coins`."""

    granted_coins: int
    spent_coins: int
    expired_coins: int
    refunded_coins: int
    remaining_coins: int

    @property
    def consumed_parts_per_million(self) -> int:
        """The share of its coins that was spent on episodes, rounded down."""
        return self.spent_coins * PARTS_PER_MILLION // self.granted_coins


def of_purchases(purchases: Sequence[Purchase]) -> Mapping[UUID, Consumption]:
    """What became of each purchase's coins, by purchase, in one query."""
    moved: dict[UUID, dict[str, int]] = {purchase.transfer_id: {} for purchase in purchases}
    movements = LotMovement.objects.filter(lot__transfer_id__in=moved).order_by()
    for transfer_id, code, coins in movements.values_list(
        "lot__transfer_id", "transfer__code"
    ).annotate(Sum("coins")):
        moved[transfer_id][code] = coins
    return {
        purchase.id: _consumption(
            purchase.paid_coins + purchase.bonus_coins, moved[purchase.transfer_id]
        )
        for purchase in purchases
    }


def _consumption(granted: int, moved: Mapping[str, int]) -> Consumption:
    def gone(*codes: TransferCode) -> int:
        return -sum(moved.get(code, 0) for code in codes)

    spent = gone(TransferCode.UNLOCK, TransferCode.UNLOCK_REVERSAL)
    expired = gone(TransferCode.EXPIRY)
    refunded = gone(TransferCode.REFUND, TransferCode.REFUND_REVERSAL)
    return Consumption(
        granted_coins=granted,
        spent_coins=spent,
        expired_coins=expired,
        refunded_coins=refunded,
        remaining_coins=granted - spent - expired - refunded,
    )
