"""Server Notifications of version 2: which there are, and what they stand for.

What a notification says is in the transaction and the renewal information inside it, each signed by itself; its
type adds something to that in two cases. Notifications come at least once and in any order, so each says all
that it knows.
"""

from datetime import datetime
from typing import TypeVar

from payments.providers.apple import transactions
from payments.providers.apple.payloads import Notification, Renewal, Transaction, moment
from payments.providers.apple.verifier import Verifier
from payments.providers.base import Fact, Facts, Fault, Message, ProviderError, RefundQuestion

Payload = TypeVar("Payload", Transaction, Renewal)

REFUND = "REFUND"
REFUND_REVERSED = "REFUND_REVERSED"
CONSUMPTION_REQUEST = "CONSUMPTION_REQUEST"

#: App Store Server Notifications, "notificationType".
TYPES = frozenset(
    {
        "CONSUMPTION_REQUEST",
        "DID_CHANGE_RENEWAL_PREF",
        "DID_CHANGE_RENEWAL_STATUS",
        "DID_FAIL_TO_RENEW",
        "DID_RENEW",
        "EXPIRED",
        "EXTERNAL_PURCHASE_TOKEN",
        "GRACE_PERIOD_EXPIRED",
        "METADATA_UPDATE",
        "MIGRATION",
        "OFFER_REDEEMED",
        "ONE_TIME_CHARGE",
        "PRICE_CHANGE",
        "PRICE_INCREASE",
        "REFUND",
        "REFUND_DECLINED",
        "REFUND_REVERSED",
        "RENEWAL_EXTENDED",
        "RENEWAL_EXTENSION",
        "RESCIND_CONSENT",
        "REVOKE",
        "SUBSCRIBED",
        "TEST",
    }
)
#: "subtype". The last two are of EXTERNAL_PURCHASE_TOKEN, and no library knows them.
SUBTYPES = frozenset(
    {
        "ACCEPTED",
        "AUTO_RENEW_DISABLED",
        "AUTO_RENEW_ENABLED",
        "BILLING_RECOVERY",
        "BILLING_RETRY",
        "DOWNGRADE",
        "FAILURE",
        "GRACE_PERIOD",
        "INITIAL_BUY",
        "PENDING",
        "PRICE_INCREASE",
        "PRODUCT_NOT_FOR_SALE",
        "RESUBSCRIBE",
        "SUMMARY",
        "UNREPORTED",
        "UPGRADE",
        "VOLUNTARY",
        "ACTIVE_TOKEN_REMINDER",
        "CREATED",
    }
)


def is_known(notification: Notification) -> bool:
    """Whether anything is made of it: its type, and its subtype if it has one, have a meaning here, or it carries a
    transaction, which says by itself what became of it."""
    if notification.about.signed_transaction_info is not None:
        return True
    is_known_subtype = not notification.subtype or notification.subtype in SUBTYPES
    return notification.notification_type in TYPES and is_known_subtype


def message(environment: str, notification: Notification) -> Message:
    """What can be said of a notification without looking into what it carries."""
    type_, subtype = notification.notification_type, notification.subtype
    return Message(
        environment=environment,
        event_id=notification.notification_uuid,
        type=f"{type_}.{subtype}" if subtype else type_,
        occurred_at=moment(notification.signed_date),
        is_known=is_known(notification),
    )


def facts(
    environment: str, notification: Notification, verifier: Verifier, *, now: datetime
) -> Facts:
    """What a notification stands for: nothing, if it is about no transaction. Of what is unknown the transaction
    and the renewal information inside say what there is to say, as of all others.

    Raises ProviderError if what it carries is not the App Store's, of another app, or of another environment.
    """
    about = notification.about
    if about.signed_transaction_info is None:
        return ()
    transaction = _same(environment, *verifier.transaction(about.signed_transaction_info, now=now))
    renewal = (
        _same(environment, *verifier.renewal(about.signed_renewal_info, now=now))
        if about.signed_renewal_info is not None
        else None
    )
    told = transactions.with_renewal(
        environment,
        transaction,
        renewal,
        status=about.status,
        as_of=moment(notification.signed_date),
    )
    return told + _of_type(environment, notification, transaction)


def _of_type(environment: str, notification: Notification, transaction: Transaction) -> Facts:
    at = moment(notification.signed_date)
    added: Fact | None = None
    if notification.notification_type == REFUND and transaction.revocation_date is None:
        added = transactions.refund_at(environment, transaction, at=at)
    elif notification.notification_type == REFUND_REVERSED:
        added = transactions.reversal(environment, transaction, at=at)
    elif notification.notification_type == CONSUMPTION_REQUEST:
        added = RefundQuestion(
            environment=environment,
            transaction_id=transactions.name_of(transaction),
            question_id=notification.notification_uuid,
            asked_at=at,
            reason=notification.about.consumption_request_reason or "",
        )
    return () if added is None else (added,)


def _same(expected: str, environment: str, payload: Payload) -> Payload:
    if environment != expected:
        raise ProviderError(f"{expected} around {environment}", Fault.OTHER_ENVIRONMENT)
    return payload
