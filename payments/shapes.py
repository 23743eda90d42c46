"""What the payments endpoints take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from config.bodies import AnswerShape, RequestShape
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
    """`outcome` is unlocked, already_unlocked or free; only the first charges."""

    outcome: Result
    episode_id: UUID
    entitlement_id: UUID | None
    price_coins: int
    paid_coins: int
    bonus_coins: int
    balance: BalanceAnswer


class OfferAnswer(AnswerShape):
    """A coin pack. `store_products` is each store's own name for it."""

    pack_id: UUID
    code: str
    title: str
    coins: int
    paid_coins: int
    bonus_coins: int
    price: Money
    store_products: dict[str, str]


class OffersQuery(RequestShape):
    """`placement` is where in the app the offers will be shown."""

    placement: Annotated[str, msgspec.Meta(max_length=50)] = ""


class OffersAnswer(AnswerShape):
    offers: list[OfferAnswer]


class PaywallEpisode(AnswerShape):
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
    coins: int
    expires_at: Moment


class WalletAnswer(AnswerShape):
    environment: str
    balance: BalanceAnswer
    expiring: list[ExpiringCoins]


class StatementQuery(RequestShape):
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class MovementAnswer(AnswerShape):
    """One movement of coins and its cause."""

    transfer_id: UUID
    code: str
    at: Moment
    coins: int
    paid_coins: int
    bonus_coins: int
    paid_balance_after: int | None
    bonus_balance_after: int | None
    series_id: UUID | None = None
    episode_id: UUID | None = None
    episode_number: int | None = None
    purchase_id: UUID | None = None
    pack_code: str | None = None


class StatementAnswer(AnswerShape):
    entries: list[MovementAnswer]
    next_cursor: str | None


class IntentRequest(RequestShape):
    pack_id: UUID
    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]


class IntentAnswer(AnswerShape):
    """What to hand to the store's SDK: its product, and our opaque account token."""

    intent_id: UUID
    provider: str
    store_product_id: str
    account_token: UUID
    offer: OfferAnswer


class SubmitRequest(RequestShape):
    """`transaction` is the store's signed message, as it came."""

    transaction: Annotated[str, msgspec.Meta(min_length=1, max_length=15_000)]


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


class FakeSaleRequest(RequestShape):
    """What a store's own checkout would know: the product, and the app's tokens."""

    product_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    account_token: UUID
    intent_id: UUID | None = None


class FakeSaleAnswer(AnswerShape):
    transaction: str
