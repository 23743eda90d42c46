"""What was announced and bought, as the API answers it."""

from datetime import datetime
from uuid import UUID

from payments import rendering
from payments.messages.restoring import Restored
from payments.messages.submissions import Booked, Standing
from payments.models import (
    MessageState,
    Ownership,
    PassIntent,
    PassPurchase,
    PriceConsent,
    Provider,
    Purchase,
    PurchaseIntent,
    StoreProduct,
    Subscription,
    SubscriptionState,
)
from payments.money import Money
from payments.providers.stripe.sales import OpenedCheckout
from payments.purchase_shapes import (
    BoughtKind,
    BoughtPass,
    CheckoutAnswer,
    IntentAnswer,
    PromisedOffer,
    PurchaseAnswer,
    RestoredAnswer,
    RestoreOutcome,
    SubmissionAnswer,
    SubmissionState,
    SubscriptionAnswer,
)
from payments.store import offers, passes, purchases, subscriptions


def intent(value: PurchaseIntent, product: StoreProduct, *, environment: str) -> IntentAnswer:
    claim = value.offer_claim
    offered = (
        offers.under(claim.offer, bonus_coins=claim.bonus_coins, environment=environment)
        if claim
        else offers.without(value.pack)
    )
    return IntentAnswer(
        intent_id=value.id,
        provider=value.provider,
        store_product_id=product.store_product_id,
        account_token=_account_token(value),
        offer=rendering.offer(offered),
        held_until=claim.held_until if claim else None,
    )


def pass_intent(value: PassIntent, product: StoreProduct) -> IntentAnswer:
    return IntentAnswer(
        intent_id=value.id,
        provider=value.provider,
        store_product_id=product.store_product_id,
        account_token=_account_token(value),
        offer=None,
        pass_offer=passes.offer(value.product),
    )


def booked(value: Booked, *, now: datetime) -> PurchaseAnswer:
    """What a transaction has bought; of a subscription, with its latest period that was paid."""
    bought, subscription = value.bought, value.subscription
    coins = bought if isinstance(bought, Purchase) else None
    of_both = bought or subscription
    if of_both is None:
        raise ValueError("nothing was booked")
    return PurchaseAnswer(
        purchase_id=bought.id if bought else None,
        provider=of_both.provider,
        environment=of_both.environment,
        transaction_id=bought.transaction_id if bought else _named(subscription),
        pack_code=coins.pack.code if coins else None,
        coins=coins.paid_coins + coins.bonus_coins if coins else 0,
        paid_coins=coins.paid_coins if coins else 0,
        bonus_coins=coins.bonus_coins if coins else 0,
        price=Money(amount_micros=bought.gross_micros, currency=bought.currency)
        if bought
        else None,
        purchased_at=bought.purchased_at if bought else None,
        credited_now=value.is_new,
        kind=_kind(value),
        bought_pass=bought_pass(bought) if isinstance(bought, PassPurchase) else None,
        offer=_promised_offer(coins) if coins else None,
        subscription=subscribed(subscription, is_open=subscriptions.is_open(subscription, at=now))
        if subscription
        else None,
    )


def bought_pass(value: PassPurchase) -> BoughtPass:
    return BoughtPass(
        pass_id=value.product_id,
        code=value.product.code,
        title=value.product.title,
        cover_id=value.cover_id,
        starts_at=value.starts_at,
        ends_at=value.ends_at,
    )


def subscribed(value: Subscription, *, is_open: bool) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        subscription_id=value.id,
        provider=value.provider,
        environment=value.environment,
        pass_id=value.product_id,
        pass_code=value.product.code,
        pass_title=value.product.title,
        state=SubscriptionState(value.state),
        is_open=is_open,
        access_until=value.access_until,
        renews_as=value.renews_as.code if value.renews_as else None,
        ownership=Ownership(value.ownership),
        price_consent=PriceConsent(value.price_consent),
        as_of=value.as_of,
    )


def submission(value: Standing, *, now: datetime) -> SubmissionAnswer:
    state = {
        MessageState.WAITING: SubmissionState.WAITING,
        MessageState.APPLIED: SubmissionState.BOOKED,
    }.get(value.state, SubmissionState.REFUSED)
    return SubmissionAnswer(
        id=value.id,
        state=state,
        reason=value.reason,
        purchase=booked(value.booked, now=now) if value.booked else None,
    )


def restored(value: Restored, *, now: datetime) -> RestoredAnswer:
    return RestoredAnswer(
        outcome=RestoreOutcome(value.outcome),
        can_transfer=value.can_transfer,
        detail=value.detail,
        purchase=booked(value.booked, now=now) if value.booked else None,
    )


def checkout(value: OpenedCheckout) -> CheckoutAnswer:
    return CheckoutAnswer(session_id=value.session_id, url=value.url, expires_at=value.expires_at)


def _account_token(value: PurchaseIntent | PassIntent) -> UUID:
    """What the store is to be told of who buys. Apple takes one word: the intent's, which names both."""
    return value.id if value.provider == Provider.APPLE else value.viewer_id


def _named(value: Subscription | None) -> str:
    return value.subscription_id if value else ""


def _kind(value: Booked) -> BoughtKind:
    if value.subscription is not None:
        return BoughtKind.SUBSCRIPTION
    return BoughtKind.COINS if isinstance(value.bought, Purchase) else BoughtKind.PASS


def _promised_offer(value: Purchase) -> PromisedOffer | None:
    claim = purchases.promised(value)
    if claim is None:
        return None
    return PromisedOffer(
        offer_id=claim.offer_id,
        code=claim.offer.code,
        bonus_coins=claim.bonus_coins,
        granted=purchases.was_granted(value),
    )
