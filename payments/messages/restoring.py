"""What a viewer had bought and wants back on this device: shown to whoever has it, and given by its policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from config.problems import Problem
from payments.messages import inbox, refused_claims, submissions
from payments.messages.asking import Patience
from payments.messages.submissions import Booked, Waits
from payments.models import Subscription
from payments.providers.base import Fact, SubscriptionSnapshot
from payments.store import purchases, subscriptions


class Outcome(StrEnum):
    """What became of one transaction. ANOTHERS stays with another viewer."""

    YOURS = "yours"
    TRANSFERRED = "transferred"
    ANOTHERS = "anothers"
    WAITING = "waiting"
    INVALID = "invalid"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """`can_transfer` says of what is another's that asking for it would give it. `detail` is why it is invalid,
    or waits."""

    outcome: Outcome
    booked: Booked | None = None
    can_transfer: bool = False
    detail: str = ""


def restore(
    handed_in: Sequence[str], *, viewer_id: UUID, provider: str, is_asked: bool, now: datetime
) -> Sequence[Restored]:
    """Each of what the store's SDK has on the device, in its order. Raises ProviderUnknown.

    What was never booked is, for its owner. A subscription that is another's goes to the viewer where they ask
    for it and its product's policy allows it, some times in a month at most; coins and passes stay where they
    were credited. What the store does not answer for in time waits, and once it has not answered, all that is left.
    Asks stores: called outside of any transaction.
    """
    purchases.adapter(provider)
    patience = Patience()
    return [
        _restored(
            one,
            viewer_id=viewer_id,
            provider=provider,
            is_asked=is_asked,
            patience=patience,
            now=now,
        )
        for one in handed_in
    ]


def _restored(
    handed_in: str,
    *,
    viewer_id: UUID,
    provider: str,
    is_asked: bool,
    patience: Patience,
    now: datetime,
) -> Restored:
    found: Sequence[Fact] = ()
    try:
        found = submissions.read(provider=provider, handed_in=handed_in, patience=patience, now=now)
        booked = submissions.book(found, viewer_id=viewer_id, provider=provider, now=now)
    except Waits as why:
        return _kept(handed_in, why, viewer_id=viewer_id, provider=provider, now=now)
    except purchases.TransactionOfAnotherViewer:
        applied = submissions.book_for_its_owner(
            found, viewer_id=viewer_id, provider=provider, now=now
        )
        restored = _of_another(found, viewer_id, provider, is_asked, now)
        # What is theirs for the asking is refused to nobody.
        if restored.outcome is Outcome.ANOTHERS and not restored.can_transfer:
            refused_claims.note(applied, viewer_id=viewer_id, provider=provider, now=now)
        return restored
    except Problem as refusal:
        return Restored(outcome=Outcome.INVALID, detail=refusal.code)
    return Restored(outcome=Outcome.YOURS, booked=booked)


def _kept(handed_in: str, why: Waits, *, viewer_id: UUID, provider: str, now: datetime) -> Restored:
    try:
        submissions.keep(
            viewer_id=viewer_id, provider=provider, handed_in=handed_in, why=why, now=now
        )
    except inbox.TooManySubmissions as refusal:
        return Restored(outcome=Outcome.INVALID, detail=refusal.code)
    return Restored(outcome=Outcome.WAITING, detail=why.code)


def _of_another(
    found: Sequence[Fact], viewer_id: UUID, provider: str, is_asked: bool, now: datetime
) -> Restored:
    subscription = _subscription(found, provider)
    if subscription is None or not subscriptions.may_transfer(subscription, now=now):
        return Restored(outcome=Outcome.ANOTHERS)
    if not is_asked:
        return Restored(outcome=Outcome.ANOTHERS, can_transfer=True)
    outcome = subscriptions.transfer(subscription, viewer_id=viewer_id, operator_id=None, now=now)
    if outcome == "kept":
        return Restored(outcome=Outcome.ANOTHERS)
    if outcome == "too_often":
        return Restored(outcome=Outcome.ANOTHERS, detail="transferred_too_often")
    booked = submissions.book(found, viewer_id=viewer_id, provider=provider, now=now)
    return Restored(outcome=Outcome.TRANSFERRED, booked=booked)


def _subscription(found: Sequence[Fact], provider: str) -> Subscription | None:
    for fact in found:
        if isinstance(fact, SubscriptionSnapshot):
            return (
                Subscription.objects.filter(
                    provider=provider,
                    environment=fact.environment,
                    subscription_id=fact.subscription_id,
                )
                .select_related("product")
                .first()
            )
    return None
