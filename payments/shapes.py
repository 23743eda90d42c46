"""What the payments endpoints take and answer."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from config.bodies import AnswerShape, RequestShape
from payments.chart import LotOrigin, TransferCode
from payments.models import GrantReason, RefundOrigin
from payments.money import Money
from payments.paywall import EpisodeState, PaywallOption
from payments.unlocks import Result

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Quoted = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=24 * 3600 * 1000)]


class UnlockRequest(RequestShape):
    """`playback_session_id` and `position_ms` say what the viewer watched when they decided."""

    quote: Quoted
    playback_session_id: UUID | None = None
    position_ms: Milliseconds | None = None


class BalanceAnswer(AnswerShape):
    coins: int
    paid_coins: int
    bonus_coins: int


class UnlockAnswer(AnswerShape):
    """`outcome` is unlocked, already_unlocked, covered or free; only the first charges. What is covered
    is open until the viewer's subscription or pass ends."""

    outcome: Result
    episode_id: UUID
    entitlement_id: UUID | None
    price_coins: int
    paid_coins: int
    bonus_coins: int
    balance: BalanceAnswer


class OfferedAs(StrEnum):
    """As a pack by itself, or the kind of offer that takes its place."""

    PACK = "pack"
    FIRST_TOP_UP = "first_top_up"
    LIMITED = "limited"


class OfferAnswer(AnswerShape):
    """A coin pack, or an offer in its place. `store_products` is each store's own name for it.

    `normal_bonus_coins` is what the pack gives by itself. An offer has an `offer_id`, to be named when the
    purchase is announced; `ends_at` is null while nobody has set an end, `stock_left` where nothing limits
    it.
    """

    pack_id: UUID
    offer_id: UUID | None
    kind: OfferedAs
    code: str
    title: str
    coins: int
    paid_coins: int
    bonus_coins: int
    normal_bonus_coins: int
    ends_at: Moment | None
    stock_left: int | None
    price: Money
    store_products: dict[str, str]


class OffersQuery(RequestShape):
    """`placement` is where in the app the offers will be shown."""

    placement: Annotated[str, msgspec.Meta(max_length=50)] = ""


class OffersAnswer(AnswerShape):
    offers: list[OfferAnswer]


class PaywallEpisode(AnswerShape):
    """`owned` was unlocked for good; `covered` opens without coins while a subscription or pass lasts."""

    episode_id: UUID
    number: int
    state: EpisodeState
    price_coins: int


class PaywallAnswer(AnswerShape):
    """Every published episode as it stands for this viewer, under one quote."""

    series_id: UUID
    quote: str
    quote_expires_at: Moment
    next_locked_episode_id: UUID | None
    balance: BalanceAnswer
    episodes: list[PaywallEpisode]
    options: list[PaywallOption]
    offers: list[OfferAnswer]


class PlaybackAnswer(AnswerShape):
    """A video that may be fetched, with ranges, until `expires_at`. Ask again before it ends.

    Events of this playback, and an unlock that it led to, carry `playback_session_id`.
    """

    playback_session_id: UUID
    episode_id: UUID
    number: int
    version_id: UUID
    url: str
    expires_at: Moment
    mime: str
    width: int
    height: int
    duration_ms: int


class PlayAnswer(AnswerShape):
    """The asked episode, and the next few that this viewer may open."""

    playback: PlaybackAnswer
    next: list[PlaybackAnswer]


class ExpiringCoins(AnswerShape):
    """`noticed`: whoever sends messages has been told of it."""

    coins: int
    expires_at: Moment
    noticed: bool


class WalletAnswer(AnswerShape):
    """`balance` is what can be spent, whatever is owed. While `covered_until` is ahead, episodes open
    without coins; it is null where nothing covers."""

    environment: str
    balance: BalanceAnswer
    debt_coins: int
    covered_until: Moment | None
    expiring: list[ExpiringCoins]


class StatementQuery(RequestShape):
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class MovedBy(AnswerShape, tag_field="kind"):
    """Why coins moved. Each kind, named as the movement's code is, adds its own members."""


class UndoneBecause(StrEnum):
    """Why an unlock was undone."""

    REFUND = "refund"
    OPERATOR = "operator"


class MovedByPurchase(MovedBy, tag="purchase"):
    purchase_id: UUID
    provider: str
    pack_code: str
    pack_title: str


class MovedByUnlock(MovedBy, tag="unlock"):
    """`restores_unlock_id` names an unlock that a refund had undone, where that did not stand."""

    unlock_id: UUID
    series_id: UUID
    episode_id: UUID
    number: int
    restores_unlock_id: UUID | None


class MovedByUnlockReversal(MovedBy, tag="unlock_reversal"):
    """The episode is closed again and its coins are back: for a refund, or by an operator."""

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
    """Earned by an ad or a task, under this reference."""

    reference: str


class MovedByPromo(MovedBy, tag="promo"):
    """A promo code was redeemed."""

    redemption_id: UUID
    promo_code: str


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


class ExpiryNoticesQuery(RequestShape):
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class ExpiryNoticeAnswer(AnswerShape):
    """`coins` were left at `created_at`; what a viewer has spent since does not lapse."""

    notice_id: UUID
    viewer_id: UUID
    environment: str
    coins: int
    expires_at: Moment
    created_at: Moment


class ExpiryNoticesAnswer(AnswerShape):
    notices: list[ExpiryNoticeAnswer]
    next_cursor: str
    has_more: bool


class IntentRequest(RequestShape):
    """`offer_id` is that of an offer of this pack, as the offers name it."""

    pack_id: UUID
    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    offer_id: UUID | None = None


class IntentAnswer(AnswerShape):
    """What to hand to the store's SDK: its product, and our opaque account token. What is paid before
    `held_until` gets the offer's bonus; it is null for a pack by itself."""

    intent_id: UUID
    provider: str
    store_product_id: str
    account_token: UUID
    offer: OfferAnswer
    held_until: Moment | None = None


class SubmitRequest(RequestShape):
    """`transaction` is the store's signed message, as it came."""

    transaction: Annotated[str, msgspec.Meta(min_length=1, max_length=15_000)]


class PromisedOffer(AnswerShape):
    """The offer that the purchase was announced under. Where it was not `granted`, paid too late and with
    nothing left of it, the pack's ordinary coins were credited."""

    offer_id: UUID
    code: str
    bonus_coins: int
    granted: bool


class PurchaseAnswer(AnswerShape):
    purchase_id: UUID
    provider: str
    environment: str
    transaction_id: str
    pack_code: str
    coins: int
    paid_coins: int
    bonus_coins: int
    price: Money
    purchased_at: Moment
    credited_now: bool
    offer: PromisedOffer | None = None


class RedeemRequest(RequestShape):
    """`code` as the viewer typed it: case, spaces and hyphens do not matter."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class RedemptionAnswer(AnswerShape):
    """`coins` were given, and repaid first what was owed. `balance` is what can be spent now.
    `redeemed_now` is false where the viewer had redeemed the code before."""

    redemption_id: UUID
    code: str
    coins: int
    coins_expire_at: Moment | None
    redeemed_now: bool
    balance: BalanceAnswer


class FakeSaleRequest(RequestShape):
    """What a store's own checkout would know: the product, and the app's tokens."""

    product_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    account_token: UUID
    intent_id: UUID | None = None


class FakeSaleAnswer(AnswerShape):
    transaction: str
