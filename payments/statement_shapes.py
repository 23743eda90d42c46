"""What a viewer's statement answers: each movement of coins, and why it was."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from config.bodies import AnswerShape, RequestShape
from payments.chart import LotOrigin, TransferCode
from payments.ledger.earnings import Earned
from payments.models import GrantReason, RefundOrigin, UnlockWay
from payments.shapes import Moment


class StatementQuery(RequestShape):
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class MovedBy(AnswerShape, tag_field="kind"):
    """Why coins moved. Each kind, named as the movement's code is, adds its own members."""


class UndoneBecause(StrEnum):
    """Why an unlock was undone."""

    REFUND = "refund"
    OPERATOR = "operator"
    VIEWER = "viewer"


class MovedByPurchase(MovedBy, tag="purchase"):
    purchase_id: UUID
    provider: str
    pack_code: str
    pack_title: str


class MovedByUnlock(MovedBy, tag="unlock"):
    """`way` is how it was asked for; all that was bought at once has one `bundle_id`.
    `restores_unlock_id` names an unlock that a refund had undone, where that did not stand."""

    unlock_id: UUID
    way: UnlockWay
    bundle_id: UUID | None
    series_id: UUID
    episode_id: UUID
    number: int
    restores_unlock_id: UUID | None


class MovedByUnlockReversal(MovedBy, tag="unlock_reversal"):
    """The episode is closed again and its coins are back: for a refund, by an operator, or by the viewer who had
    not asked for it each time."""

    unlock_id: UUID
    series_id: UUID
    episode_id: UUID
    number: int
    because: UndoneBecause


class MovedByRefund(MovedBy, tag="refund"):
    """`debt_coins` of the refunded coins had been spent for good and are owed."""

    refund_id: UUID
    purchase_id: UUID
    provider: str
    pack_code: str
    origin: RefundOrigin
    taken_coins: int
    debt_coins: int


class MovedByRefundReversal(MovedBy, tag="refund_reversal"):
    """The refund did not stand: `debt_coins` are owed no more."""

    refund_id: UUID
    purchase_id: UUID
    provider: str
    pack_code: str
    origin: RefundOrigin
    returned_coins: int
    debt_coins: int


class MovedByGrant(MovedBy, tag="grant"):
    """An operator's gift. `words` say its reason in English."""

    grant_id: UUID
    reason: GrantReason
    words: str


class MovedByGrantReversal(MovedBy, tag="grant_reversal"):
    """What was left of an operator's gift."""

    grant_id: UUID
    reason: GrantReason
    words: str


class MovedByReward(MovedBy, tag="reward"):
    """Earned by an ad or a task, under this reference. `earned` says by which, where that is known."""

    reference: str
    earned: Earned | None = None


class MovedByPromo(MovedBy, tag="promo"):
    """A promo code was redeemed."""

    redemption_id: UUID
    promo_code: str


class MovedByPeriod(MovedBy, tag="period"):
    """Coins that come with a period of a subscription that was paid, or come again, as a refund did not stand.
    The period is from `starts_at` to `ends_at` as its store counts it."""

    purchase_id: UUID
    subscription_id: UUID
    provider: str
    pass_code: str
    pass_title: str
    starts_at: Moment
    ends_at: Moment


class MovedByPeriodReversal(MovedBy, tag="period_reversal"):
    """What was left of a period's coins, as the money of the period went back."""

    purchase_id: UUID
    subscription_id: UUID
    provider: str
    pass_code: str
    pass_title: str
    starts_at: Moment
    ends_at: Moment


class MovedByExpiry(MovedBy, tag="expiry"):
    """The coins that lapsed, by what had granted them."""

    lot_id: UUID
    origin: LotOrigin
    granted_coins: int
    granted_at: Moment
    expires_at: Moment | None


class MovedByRepayment(MovedBy, tag="repayment"):
    """Coins that a refund's reversal had returned repay what is owed still."""


Cause = (
    MovedByPurchase
    | MovedByUnlock
    | MovedByUnlockReversal
    | MovedByRefund
    | MovedByRefundReversal
    | MovedByGrant
    | MovedByGrantReversal
    | MovedByReward
    | MovedByPromo
    | MovedByPeriod
    | MovedByPeriodReversal
    | MovedByExpiry
    | MovedByRepayment
)


class MovementAnswer(AnswerShape):
    """One movement of coins and its cause.

    `debt_coins` is by how much the debt grew, negative where it was repaid; balances are null for
    what this movement left alone. The members after `cause` repeat what it says of series and packs.
    """

    transfer_id: UUID
    code: TransferCode
    at: Moment
    coins: int
    paid_coins: int
    bonus_coins: int
    debt_coins: int
    paid_balance_after: int | None
    bonus_balance_after: int | None
    debt_balance_after: int | None
    cause: Cause
    series_id: UUID | None = None
    episode_id: UUID | None = None
    episode_number: int | None = None
    purchase_id: UUID | None = None
    pack_code: str | None = None


class StatementAnswer(AnswerShape):
    entries: list[MovementAnswer]
    next_cursor: str | None
