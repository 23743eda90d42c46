"""What the endpoints of buying take and answer."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from config.bodies import AnswerShape, RequestShape
from payments.models import Ownership, PriceConsent, SubscriptionState
from payments.money import Money
from payments.shapes import Moment, OfferAnswer
from payments.store.passes import PassOffer


class IntentRequest(RequestShape, kw_only=True):
    """Either `pack_id` or `pass_id`: what is about to be bought. `offer_id` is that of an offer of the pack, as
    the offers name it, and `decision_id` the paywall's, if it led here."""

    # In this order since there are keys: their digests are of the members as they follow each other.
    pack_id: UUID | None = None
    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    pass_id: UUID | None = None
    offer_id: UUID | None = None
    decision_id: UUID | None = None


class IntentAnswer(AnswerShape):
    """What to hand to the store's SDK: its product, and our opaque account token. `offer` is the pack and
    `pass_offer` the pass that was announced; the other is null. What is paid before `held_until` gets the
    offer's bonus; it is null for a pack by itself, and for a pass."""

    intent_id: UUID
    provider: str
    store_product_id: str
    account_token: UUID
    offer: OfferAnswer | None
    pass_offer: PassOffer | None = None
    held_until: Moment | None = None


ReturnUrl = Annotated[
    str, msgspec.Meta(max_length=2000, pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])")
]
SignedTransaction = Annotated[str, msgspec.Meta(min_length=1, max_length=15_000)]


class SubmitRequest(RequestShape):
    """`transaction` is what the store gave the app. Apple: the signed transaction. Google Play: a JSON text of
    `product_id`, `purchase_token` and `is_subscription`. Stripe: the id of the checkout session or of the payment.
    The fake store: what its checkout answered."""

    transaction: SignedTransaction


class BoughtKind(StrEnum):
    """What a store transaction bought."""

    COINS = "coins"
    PASS = "pass"  # noqa: S105  what one buys
    SUBSCRIPTION = "subscription"


class BoughtPass(AnswerShape):
    """A pass that was bought, and when it covers the viewer: from the purchase on or, where they were covered,
    from the end of that. A subscription's period has no `cover_id`: what is open is the subscription's to say."""

    pass_id: UUID
    code: str
    title: str
    cover_id: UUID | None
    starts_at: Moment
    ends_at: Moment


class SubscriptionAnswer(AnswerShape):
    """A subscription as its store last told of it. It opens every episode while `is_open`, to `access_until` if
    it does not renew. `renews_as` is the code of the pass that the next period is of, null where none is, or where
    its store names one that is not sold here."""

    subscription_id: UUID
    provider: str
    environment: str
    pass_id: UUID
    pass_code: str
    pass_title: str
    state: SubscriptionState
    is_open: bool
    access_until: Moment | None
    renews_as: str | None
    ownership: Ownership
    price_consent: PriceConsent
    as_of: Moment


class SubscriptionsAnswer(AnswerShape):
    """The latest begun first."""

    subscriptions: list[SubscriptionAnswer]


class PromisedOffer(AnswerShape):
    """The offer that the purchase was announced under. Where it was not `granted`, paid too late and with
    nothing left of it, the pack's ordinary coins were credited."""

    offer_id: UUID
    code: str
    bonus_coins: int
    granted: bool


class PurchaseAnswer(AnswerShape):
    """`kind` says what was bought: coins of the pack `pack_code`, `bought_pass`, or a `subscription`, whose
    latest period that was paid is `bought_pass`. One that a family's member shares has no purchase: its id,
    price and time are null. `transaction_id` is the store's name for the money, of what has none for the
    subscription."""

    purchase_id: UUID | None
    provider: str
    environment: str
    transaction_id: str
    pack_code: str | None
    coins: int
    paid_coins: int
    bonus_coins: int
    price: Money | None
    purchased_at: Moment | None
    credited_now: bool
    kind: BoughtKind = BoughtKind.COINS
    bought_pass: BoughtPass | None = None
    offer: PromisedOffer | None = None
    subscription: SubscriptionAnswer | None = None


class SubmissionState(StrEnum):
    """What has come of a transaction that could not be booked at once."""

    WAITING = "waiting"
    BOOKED = "booked"
    REFUSED = "refused"


class SubmissionAnswer(AnswerShape):
    """A transaction that was handed in. `id` is the purchase's, or until it is booked a name of its own; both can be
    asked about. `waiting` is booked by itself later; `reason` says what for: store_unavailable, payment_pending,
    rate_missing. `purchase` is what came of it where that is the viewer's own. What is `refused` waits for
    nothing: `reason` says why, such as payment_failed, or payment_overdue after four weeks. Handed in again, it is
    asked about anew."""

    id: UUID
    state: SubmissionState
    reason: str
    purchase: PurchaseAnswer | None


class RestoreRequest(RequestShape):
    """`transactions` are what the store's SDK has on this device. `transfer` says that the viewer wants what
    another viewer has."""

    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    transactions: Annotated[list[SignedTransaction], msgspec.Meta(min_length=1, max_length=20)]
    transfer: bool = False


class RestoreOutcome(StrEnum):
    """What became of one transaction that was to be restored."""

    YOURS = "yours"
    TRANSFERRED = "transferred"
    ANOTHERS = "anothers"
    WAITING = "waiting"
    INVALID = "invalid"


class RestoredAnswer(AnswerShape):
    """In the order of the request. `anothers` stays with another viewer: `can_transfer` says whether asking with
    `transfer` would give it to this one. `detail` says why something is invalid, or waits."""

    outcome: RestoreOutcome
    can_transfer: bool
    detail: str
    purchase: PurchaseAnswer | None


class RestoreAnswer(AnswerShape):
    restored: list[RestoredAnswer]


class CheckoutRequest(RequestShape):
    """Where the buyer comes back to, by https. What was paid is handed in from there."""

    success_url: ReturnUrl
    cancel_url: ReturnUrl


class CheckoutAnswer(AnswerShape):
    """`url` is the page where the buyer pays. `session_id` is what is handed in after."""

    session_id: str
    url: str
    expires_at: Moment | None


class PaymentAnswer(AnswerShape):
    """For a page of the app's own. The secret is this buyer's alone; `payment_intent_id` is handed in after."""

    payment_intent_id: str
    client_secret: str


class PortalRequest(RequestShape):
    return_url: ReturnUrl


class PortalAnswer(AnswerShape):
    """A page of the store's where the viewer sees to a subscription: card, invoices, the end of it."""

    url: str
