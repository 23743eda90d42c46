"""What the payments endpoints take and answer."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

from catalog.models import Series
from config.bodies import AnswerShape, RequestShape
from payments.access.paywall import EpisodeState, PaywallOption
from payments.models import CoverSource, Means, Segment
from payments.money import Money
from payments.store.passes import CoverState, PassOffer
from payments.unlocking.unlocks import Result

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Quoted = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
BundleQuoted = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=24 * 3600 * 1000)]
ConfirmedCoins = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
CapCoins = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class UnlockRequest(RequestShape):
    """`playback_session_id` and `position_ms` say what the viewer watched when they decided.

    `confirmed_spend_coins` is what they have agreed to have spent today when this is done: the
    `confirm_spend_coins` of the refusal that asked for it. `decision_id` is the paywall's, if it led here.
    """

    quote: Quoted
    playback_session_id: UUID | None = None
    position_ms: Milliseconds | None = None
    confirmed_spend_coins: ConfirmedCoins | None = None
    decision_id: UUID | None = None


class BundleUnlockRequest(RequestShape):
    """`quote` is that of the paywall's bundle; the others are as of one episode's unlock."""

    quote: BundleQuoted
    playback_session_id: UUID | None = None
    position_ms: Milliseconds | None = None
    confirmed_spend_coins: ConfirmedCoins | None = None
    decision_id: UUID | None = None


class AutoUnlockRequest(RequestShape):
    """What the viewer watched when the episode came to be opened: null where the app cannot tell."""

    playback_session_id: UUID | None
    position_ms: Milliseconds | None = None


class AutoUnlockPut(RequestShape):
    """To agree, `quote` is the paywall's, with the prices that the viewer was shown, and
    `daily_cap_coins` what may be spent on this series in a day without asking. To end it, neither."""

    enabled: bool
    daily_cap_coins: CapCoins | None = None
    quote: Quoted | None = None


class BalanceAnswer(AnswerShape):
    coins: int
    paid_coins: int
    bonus_coins: int


class UnlockAnswer(AnswerShape):
    """`outcome` is unlocked, already_unlocked, covered or free; only the first charges. What is covered
    is open until the viewer's subscription or pass ends, what was rented until `ends_at`."""

    outcome: Result
    episode_id: UUID
    entitlement_id: UUID | None
    price_coins: int
    paid_coins: int
    bonus_coins: int
    balance: BalanceAnswer
    ends_at: Moment | None = None


class AutoUnlockedAnswer(UnlockAnswer):
    """What was charged without a tap can be given back until `undo_until`, as long as it is not played."""

    unlock_id: UUID | None = None
    undo_until: Moment | None = None


class BundledEpisode(AnswerShape):
    """One episode of a bundle, which has an unlock of its own."""

    episode_id: UUID
    number: int
    unlock_id: UUID
    entitlement_id: UUID
    price_coins: int


class BundleUnlockAnswer(AnswerShape):
    """`outcome` is unlocked, already_unlocked or covered; only the first charges, and lists what it has
    opened. Coins are of all of it together."""

    outcome: Result
    series_id: UUID
    bundle_id: UUID | None
    price_coins: int
    paid_coins: int
    bonus_coins: int
    episodes: list[BundledEpisode]
    balance: BalanceAnswer


class AutoUnlockAnswer(AnswerShape):
    """Whether episodes of a series are unlocked without a tap, for up to how much a day."""

    series_id: UUID
    enabled: bool
    daily_cap_coins: int
    spent_today_coins: int
    agreed_at: Moment | None


class AutoUnlocksAnswer(AnswerShape):
    """The series for which the viewer has agreed to it, latest first."""

    series: list[AutoUnlockAnswer]


class UndoAnswer(AnswerShape):
    """The episode is closed again, and these coins are back where they came from."""

    unlock_id: UUID
    episode_id: UUID
    returned_coins: int
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
    code: str
    title: str
    coins: int
    paid_coins: int
    bonus_coins: int
    price: Money
    store_products: dict[str, str]
    offer_id: UUID | None = None
    kind: OfferedAs = OfferedAs.PACK
    normal_bonus_coins: int = 0
    ends_at: Moment | None = None
    stock_left: int | None = None

    def __post_init__(self) -> None:
        # Answers are kept for clients that ask again; those from before there were offers do not say it.
        if self.kind is OfferedAs.PACK:
            self.normal_bonus_coins = self.bonus_coins


class OffersQuery(RequestShape):
    """`placement` is where in the app the offers will be shown."""

    placement: Annotated[str, msgspec.Meta(max_length=50)] = ""


class OffersAnswer(AnswerShape):
    offers: list[OfferAnswer]


class ArrivalRequest(RequestShape):
    """`code` is what the link that opened the app carries."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ArrivalAnswer(AnswerShape):
    """The title that the link is about. Its paywall has the link's prices now, until `ends_at`, or for
    good where that is null."""

    series_id: UUID
    ends_at: Moment | None


class PlacementConfigAnswer(AnswerShape):
    """`config` is the app's own. `rule_id` names the rule that chose it, null where none fits."""

    code: str
    segment: Segment
    rule_id: UUID | None
    config: dict[str, Any]


class PassesAnswer(AnswerShape):
    passes: list[PassOffer]


class PaywallEpisode(AnswerShape):
    """`equivalent` is what its coins cost at most in money, null where nothing is to pay.

    `owned` was unlocked, for good or, rented, until `ends_at`; `covered` opens without coins while a
    subscription or pass lasts."""

    episode_id: UUID
    number: int
    state: EpisodeState
    price_coins: int
    equivalent: Money | None
    ends_at: Moment | None = None


class PaywallAnswer(AnswerShape):
    """Every published episode as it stands for this viewer, under one quote.

    `access_mode` says what opens the title: where it is `ad`, nobody is asked the coins that its episodes
    cost, and where it is `paid` no ad opens them.

    `options` and `offers` are what a policy shows this viewer, the ways of the first means first; `primary`
    is the means to put forward, null where nothing is locked. Hand `decision_id` to whatever it leads to; it is
    null where no policy decided.
    """

    series_id: UUID
    access_mode: Series.AccessMode
    quote: str
    quote_expires_at: Moment
    next_locked_episode_id: UUID | None
    balance: BalanceAnswer
    episodes: list[PaywallEpisode]
    options: list[PaywallOption]
    offers: list[OfferAnswer]
    primary: Means | None
    decision_id: UUID | None


class PlaybackAnswer(AnswerShape):
    """A video that may be fetched, with ranges, until `expires_at`. Ask again before it ends.

    `access_ends_at` is when the viewer's right to watch it ends: what was rented, opened for a time by an ad,
    or is covered. It is null for what is theirs for good, and what is free.

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
    access_ends_at: Moment | None = None


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


class CoversQuery(RequestShape):
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class CoverAnswer(AnswerShape):
    """Every episode opens without coins from `starts_at` to `ends_at`, or until it was taken back at
    `closed_at`. One that was bought names its purchase and its pass, that of a subscription the subscription and
    what it is today; the others were given."""

    cover_id: UUID
    source: CoverSource
    state: CoverState
    starts_at: Moment
    ends_at: Moment
    closed_at: Moment | None
    purchase_id: UUID | None
    subscription_id: UUID | None
    pass_id: UUID | None
    pass_code: str | None
    pass_title: str | None


class CoversAnswer(AnswerShape):
    """The latest given first. `covered_until` is the end of those that follow each other without a gap
    from now on, null where nothing covers this moment."""

    covered_until: Moment | None
    covers: list[CoverAnswer]
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
