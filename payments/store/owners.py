"""Whose a purchase is: what the store was told when it was made, never whose device tells of it."""

from collections.abc import Iterable
from uuid import UUID

from payments.models import PassIntent, PassPurchase, Purchase, PurchaseIntent, Subscription
from viewers.models import Viewer


class Unclaimed(Exception):
    """Nobody is known to have bought it: it names no account of ours, and no app has handed it in.

    `subject` is the store's name for what it was, where that is told.
    """

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.subject = subject


def of_token(token: UUID) -> UUID | None:
    """The viewer behind an account token: an intent's, or their own id. None if it is neither."""
    for intents in (PurchaseIntent.objects, PassIntent.objects):
        found = intents.filter(id=token).values_list("viewer_id", flat=True).first()
        if found is not None:
            return found
    return Viewer.objects.filter(id=token).values_list("id", flat=True).first()


def of_transaction(
    *,
    provider: str,
    environment: str,
    transaction_id: str,
    token: UUID | None,
    intent_id: UUID | None = None,
    handed_in_by: UUID | None,
) -> UUID:
    """Whose a transaction is: who has it already, else whom its token names, else whose its intent is, else, without
    a token, who handed it in first. Raises Unclaimed."""
    name = {"provider": provider, "environment": environment, "transaction_id": transaction_id}
    for booked in (Purchase.objects, PassPurchase.objects):
        found: UUID | None = booked.filter(**name).values_list("viewer_id", flat=True).first()
        if found is not None:
            return found
    return _told((token, intent_id)) or _holder(token, handed_in_by)


def of_subscription(
    *,
    provider: str,
    environment: str,
    subscription_id: str,
    replaces: str,
    token: UUID | None,
    intent_id: UUID | None = None,
    handed_in_by: UUID | None,
) -> UUID:
    """The same of a subscription. Without a token, one that names nobody and took another's place is that one's
    viewer's. Raises Unclaimed."""
    known = Subscription.objects.filter(provider=provider, environment=environment)
    owner = (
        known.filter(subscription_id=subscription_id).values_list("viewer_id", flat=True).first()
    )
    if owner is None:
        owner = _told((token, intent_id))
    if owner is None and token is None and replaces:
        owner = known.filter(subscription_id=replaces).values_list("viewer_id", flat=True).first()
    return owner or _holder(token, handed_in_by)


def _told(words: Iterable[UUID | None]) -> UUID | None:
    """Whom the first of these names that names anybody: apps give stores words of their own in the same places."""
    for word in words:
        if word is not None and (found := of_token(word)) is not None:
            return found
    return None


def _holder(token: UUID | None, handed_in_by: UUID | None) -> UUID:
    """Of what names nobody: who handed it in, unless it is some account's that is not here."""
    if token is not None or handed_in_by is None:
        raise Unclaimed
    return handed_in_by
