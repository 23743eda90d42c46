"""What an app hands in after buying: booked at once where its store answers, kept until then where it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from config.problems import NotFound
from payments.messages import inbox
from payments.models import ChangeCause, MessageState, StoreMessage, Subscription
from payments.providers.base import Fact
from payments.store import facts, purchases
from payments.store.checkout import Bought
from payments.store.exchange import RateMissing
from payments.store.facts import Applied, Telling
from payments.store.owners import Unclaimed
from viewers.models import Environment


@dataclass(frozen=True)
class Submitted:
    """What came of it: something bought, a subscription, or both; or what is `waiting` for its store."""

    bought: Bought | None = None
    subscription: Subscription | None = None
    is_new: bool = False
    waiting: StoreMessage | None = None


def read(
    *, viewer_id: UUID, provider: str, handed_in: str, now: datetime
) -> Sequence[Fact] | StoreMessage:
    """What a store says of what was handed in; or the message that it waits as, where the store does not answer.

    Asks the store: called outside of any transaction. Raises ProviderUnknown and TransactionInvalid.
    """
    try:
        return purchases.read(provider=provider, handed_in=handed_in, now=now)
    except purchases.StoreUnavailable:
        return inbox.keep_submission(
            provider=provider,
            environment=Environment.PRODUCTION,
            handed_in=handed_in,
            viewer_id=viewer_id,
            code="store_unavailable",
            now=now,
        )


def book(
    found: Sequence[Fact], *, viewer_id: UUID, provider: str, handed_in: str, now: datetime
) -> Submitted:
    """Books what a store says, in the caller's transaction. It is its owner's, who need not be the viewer.

    What nobody has paid yet waits. Raises what `facts.apply` raises, and TransactionOfAnotherViewer where all of
    it is booked and another's.
    """
    telling = Telling(cause=ChangeCause.SUBMITTED, viewer_id=viewer_id)
    try:
        applied = [facts.apply(fact, provider=provider, telling=telling, now=now) for fact in found]
    except Unclaimed as error:
        raise purchases.TransactionInvalid("It names an account that is not here.") from error
    except RateMissing:
        return _waiting("rate_missing", viewer_id, provider, handed_in, now)
    if not applied or any(one.is_pending for one in applied):
        return _waiting("payment_pending", viewer_id, provider, handed_in, now)
    for one in applied:
        inbox.wake(one.subject, provider=provider, now=now)
    return _own(applied, viewer_id)


def found(submission_id: UUID, *, viewer_id: UUID) -> StoreMessage:
    """What the viewer has handed in. Raises NotFound."""
    message = StoreMessage.objects.filter(id=submission_id, submitted_by_id=viewer_id).first()
    if message is None:
        raise NotFound
    return message


def is_waiting(message: StoreMessage) -> bool:
    """Whether something may still come of it."""
    return message.state == MessageState.WAITING


def _waiting(code: str, viewer_id: UUID, provider: str, handed_in: str, now: datetime) -> Submitted:
    message = inbox.keep_submission(
        provider=provider,
        environment=Environment.PRODUCTION,
        handed_in=handed_in,
        viewer_id=viewer_id,
        code=code,
        now=now,
    )
    return Submitted(waiting=message)


def _own(applied: Sequence[Applied], viewer_id: UUID) -> Submitted:
    mine = [
        one
        for one in applied
        if (one.bought and one.bought.viewer_id == viewer_id)
        or (one.subscription and one.subscription.viewer_id == viewer_id)
    ]
    if not mine:
        raise purchases.TransactionOfAnotherViewer
    last = mine[-1]
    return Submitted(
        bought=last.bought,
        subscription=last.subscription,
        is_new=any(one.is_new for one in mine),
    )
