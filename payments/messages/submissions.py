"""What an app hands in after buying: booked at once where its store answers, kept until then where it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from config.problems import NotFound, Problem
from payments.messages import inbox, settling
from payments.messages.asking import Patience
from payments.models import (
    ChangeCause,
    MessageState,
    PassPurchase,
    Purchase,
    StoreMessage,
    Subscription,
)
from payments.providers.base import Fact
from payments.store import facts, purchases
from payments.store.checkout import Bought
from payments.store.exchange import RateMissing
from payments.store.facts import Applied, Telling
from payments.store.owners import Unclaimed
from viewers.models import Viewer
from viewers.tokens import TokenInvalid


class PaymentFailed(Problem):
    code = "payment_failed"
    title = "The store says that this was not paid, and will not be"


class Waits(Exception):
    """Nothing of it can be booked yet. `code` says why: store_unavailable, payment_pending or rate_missing."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Booked:
    """What came of it for the viewer: something bought, a subscription, or both."""

    bought: Bought | None
    subscription: Subscription | None
    is_new: bool


@dataclass(frozen=True)
class Standing:
    """A submission, and what has come of it. What waits is booked by itself; `reason` is what it waits for, or
    why it is parked or ended."""

    id: UUID
    state: MessageState
    reason: str = ""
    booked: Booked | None = None


def read(*, provider: str, handed_in: str, patience: Patience, now: datetime) -> Sequence[Fact]:
    """What its store says of what was handed in. Asks the store: called outside of any transaction.

    What of it says that money went back takes effect at once, whatever becomes of the rest. Raises ProviderUnknown
    and TransactionInvalid, and Waits where the store does not answer, or has not been paid.
    """
    purchases.adapter(provider)
    try:
        found = patience.ask(
            provider, partial(purchases.read, provider=provider, handed_in=handed_in, now=now)
        )
    except purchases.StoreUnavailable as error:
        raise Waits("store_unavailable") from error
    if not found:
        raise Waits("payment_pending")
    facts.apply_apart(found, provider=provider, telling=Telling(ChangeCause.SUBMITTED), now=now)
    return found


def book(found: Sequence[Fact], *, viewer_id: UUID, provider: str, now: datetime) -> Booked:
    """Books what a store says, all of it or nothing.

    It is its owner's, who need not be who hands it in. Raises what `facts.apply` raises, Waits, PaymentFailed where
    nothing of it was paid, and TransactionOfAnotherViewer where all of it is another's: then nothing is booked.
    """
    for fact in found:
        purchases.refuse_unstorable(fact)
    with transaction.atomic():
        # Whoever applies a message holds its row when they come to what it is about: so it is here.
        for subject in sorted({facts.subject(fact) for fact in found}):
            settling.wake(subject, provider=provider, now=now)
        applied = _applied(found, viewer_id, provider, now)
        _refuse_unpaid(applied)
        return _own(applied, viewer_id)


def book_for_its_owner(
    found: Sequence[Fact], *, viewer_id: UUID, provider: str, now: datetime
) -> Sequence[Applied]:
    """Books what a viewer has handed in that is another's: whose app was closed before it could. Whoever refuses it
    to the viewer has that kept, see `refused_claims`."""
    with transaction.atomic():
        return _applied(found, viewer_id, provider, now)


def keep(*, viewer_id: UUID, provider: str, handed_in: str, why: Waits, now: datetime) -> Standing:
    """Keeps what was handed in and cannot be booked yet. The same again is the same, and is asked about anew if
    nothing has come of it. Raises TooManySubmissions."""
    message = inbox.keep_submission(
        provider=provider, handed_in=handed_in, viewer_id=viewer_id, code=why.code, now=now
    )
    if message.state != MessageState.WAITING and _bought(message) is None:
        message = inbox.hand_in_again(message, code=why.code, now=now)
    return _standing(message)


def standing(named: UUID, *, viewer_id: UUID) -> Standing:
    """What has come of what the viewer handed in, by the name that it was kept under or the purchase's. Raises
    NotFound."""
    message = StoreMessage.objects.filter(id=named, submitted_by_id=viewer_id).first()
    if message is not None:
        return _standing(message)
    for purchase in (Purchase.objects, PassPurchase.objects):
        bought: Bought | None = purchase.filter(id=named, viewer_id=viewer_id).first()
        if bought is not None:
            return Standing(named, MessageState.APPLIED, booked=_booked(bought))
    raise NotFound


def _applied(
    found: Sequence[Fact], viewer_id: UUID, provider: str, now: datetime
) -> Sequence[Applied]:
    telling = Telling(cause=ChangeCause.SUBMITTED, viewer_id=viewer_id)
    try:
        applied = facts.apply_all(found, provider=provider, telling=telling, now=now)
    except Unclaimed as error:
        _refuse_who_is_gone(viewer_id)
        raise purchases.TransactionInvalid("It names an account that is not here.") from error
    except RateMissing as error:
        raise Waits("rate_missing") from error
    if any(one.is_pending for one in applied):
        raise Waits("payment_pending")
    return applied


def _refuse_who_is_gone(viewer_id: UUID) -> None:
    """An access token is believed without a read, and may outlive its viewer. Raises TokenInvalid."""
    if not Viewer.objects.filter(id=viewer_id, erased_at=None).exists():
        raise TokenInvalid("The viewer it was issued to is gone.")


def _refuse_unpaid(applied: Sequence[Applied]) -> None:
    """Raises PaymentFailed: what nobody has paid is nobody's."""
    is_there = any(one.bought or one.subscription for one in applied)
    if not is_there and any(one.is_failed for one in applied):
        raise PaymentFailed


def _own(applied: Sequence[Applied], viewer_id: UUID) -> Booked:
    mine = [
        one
        for one in applied
        if (one.bought and one.bought.viewer_id == viewer_id)
        or (one.subscription and one.subscription.viewer_id == viewer_id)
    ]
    if not mine:
        raise purchases.TransactionOfAnotherViewer
    # A store may say of a subscription without a period after it has said it with one.
    last = next((one for one in reversed(mine) if one.bought), mine[-1])
    return Booked(
        bought=last.bought,
        subscription=last.subscription,
        is_new=any(one.is_new for one in mine),
    )


def _standing(message: StoreMessage) -> Standing:
    state = MessageState(message.state)
    if state != MessageState.APPLIED:
        return Standing(message.id, state, message.code)
    return Standing(message.id, state, booked=_bought(message))


def _bought(message: StoreMessage) -> Booked | None:
    """What is there under the name that the message was about, if it is whose app handed it in."""
    mine = {"provider": message.provider, "viewer_id": message.submitted_by_id}
    for purchase in (Purchase.objects, PassPurchase.objects):
        bought: Bought | None = purchase.filter(transaction_id=message.subject, **mine).first()
        if bought is not None:
            return _booked(bought)
    subscription = (
        Subscription.objects.filter(subscription_id=message.subject, **mine)
        .select_related("product", "renews_as")
        .first()
    )
    if subscription is None:
        return None
    return Booked(
        bought=subscription.periods.order_by("-id").first(),
        subscription=subscription,
        is_new=False,
    )


def _booked(bought: Bought) -> Booked:
    subscription = bought.subscription if isinstance(bought, PassPurchase) else None
    return Booked(bought=bought, subscription=subscription, is_new=False)
