"""The App Store's adapter: Apple's signatures, notifications and Server API as facts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import partial
from typing import Any, TypeVar

import httpx
import msgspec

from payments.providers import lines
from payments.providers.apple import notifications, transactions
from payments.providers.apple.api import AppStoreApi, Door
from payments.providers.apple.payloads import (
    WHOLE,
    LastTransaction,
    Notification,
    Transaction,
    moment,
)
from payments.providers.apple.settings import AppleSettings
from payments.providers.apple.verifier import Verifier, decoded
from payments.providers.base import (
    Answered,
    Facts,
    Fault,
    Known,
    Listed,
    Message,
    ProviderError,
    RawMessage,
    RefundQuestion,
    SubscriptionSnapshot,
)

MAXIMUM_BODY_BYTES = 256 * 1024
#: A transaction signed longer ago may have been refunded since: it is asked about before it counts.
FRESH_FOR = timedelta(hours=1)
#: Notification history goes no further back ("startDate").
HISTORY = timedelta(days=180)
MARGIN = timedelta(minutes=5)

Told = TypeVar("Told")


class Delivery(StrEnum):
    """Whether the buyer got what was bought ("deliveryStatus")."""

    DELIVERED = "DELIVERED"
    QUALITY_ISSUE = "UNDELIVERED_QUALITY_ISSUE"
    WRONG_ITEM = "UNDELIVERED_WRONG_ITEM"
    SERVER_OUTAGE = "UNDELIVERED_SERVER_OUTAGE"
    OTHER = "UNDELIVERED_OTHER"


class Preference(StrEnum):
    """What we would have the App Store do ("refundPreference")."""

    DECLINE = "DECLINE"
    GRANT_FULL = "GRANT_FULL"
    GRANT_PRORATED = "GRANT_PRORATED"


class _Body(msgspec.Struct, rename="camel"):
    signed_payload: str


class AppleAdapter:
    """See ProviderAdapter. One for a process: it remembers the chains that it has verified, and keeps its
    connections until it is closed."""

    def __init__(
        self, settings: AppleSettings, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._verifier = Verifier(settings)
        self._api = AppStoreApi(settings, transport=transport)

    def close(self) -> None:
        """Ends its connections. It cannot ask any more."""
        self._api.close()

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        """See ProviderAdapter. What is handed in is a signed transaction, StoreKit's `jwsRepresentation`: its
        number alone would let anybody take what others bought.

        A subscription is asked about, as is a purchase whose signature is older than an hour. If the App Store
        cannot say, a fresh signature is enough for what was bought with it.
        """
        environment, transaction = self._verifier.transaction(handed_in, now=now)
        is_fresh = now - moment(transaction.signed_date) <= FRESH_FOR
        if transactions.is_subscription(transaction):
            return self._subscribed(environment, transaction, is_fresh=is_fresh, now=now)
        if is_fresh:
            return transactions.by_itself(environment, transaction)
        return self._transaction(
            self._api.doors(environment, transaction.bundle_id), transaction.transaction_id, now
        )

    def read_message(self, message: RawMessage, *, now: datetime) -> Message:
        """See ProviderAdapter."""
        return notifications.message(*self._notification(message, now))

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        """See ProviderAdapter. A notification carries all that it stands for: nobody is asked."""
        environment, notification = self._notification(message, now)
        return notifications.facts(environment, notification, self._verifier, now=now)

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        """See ProviderAdapter."""
        return self._subscription(self._api.doors(environment), subscription_id, now)

    def histories(self) -> Sequence[str]:
        """See ProviderAdapter."""
        return tuple(dict.fromkeys(door.environment for door in self._api.doors()))

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        """See ProviderAdapter. Of the last 180 days before `until` at most."""
        for signed in self._sent(environment, since, until):
            yield RawMessage({}, msgspec.json.encode(_Body(signed)))

    def transaction(
        self, transaction_id: str, *, now: datetime, environment: str | None = None
    ) -> Facts:
        """A transaction as the App Store has it now, looked for in production before the sandbox."""
        return self._transaction(self._api.doors(environment), transaction_id, now)

    def history(
        self, transaction_id: str, *, now: datetime, environment: str | None = None
    ) -> Facts:
        """All that whoever owns a transaction ever bought, oldest first, refunds among it. Periods of
        subscriptions come as snapshots of when they were bought."""
        return self._all_of(self._api.history, transaction_id, now, environment)

    def refunds(
        self, transaction_id: str, *, now: datetime, environment: str | None = None
    ) -> Facts:
        """The same of what was refunded."""
        return self._all_of(self._api.refunds, transaction_id, now, environment)

    def answer_refund_question(
        self,
        question: RefundQuestion,
        *,
        consumed_share: Fraction | None,
        consented: bool,
        delivery: Delivery = Delivery.DELIVERED,
        sample_provided: bool = True,
        preference: Preference | None = None,
    ) -> bool:
        """Tells the App Store how much of a purchase was used, if its buyer consented to that; whether it did.

        `consumed_share` is of the whole, told to a thousandth of a per cent, half of that up; None for a
        subscription, whose share the App Store counts itself. A prorated refund of what was not used at all is
        told as a full one, which the App Store asks for ("consumptionPercentage"). Raises ValueError for a
        share that is none.
        """
        if consumed_share is not None and not 0 <= consumed_share <= 1:
            raise ValueError(f"a share of {consumed_share}")
        if not consented:
            return False
        body: dict[str, Any] = {
            "customerConsented": True,
            "sampleContentProvided": sample_provided,
            "deliveryStatus": delivery.value,
        }
        if consumed_share is not None:
            percentage = int(consumed_share * WHOLE + Fraction(1, 2))
            body["consumptionPercentage"] = percentage
            if preference is Preference.GRANT_PRORATED and percentage == 0:
                preference = Preference.GRANT_FULL
        if preference is not None:
            body["refundPreference"] = preference.value
        self._api.first(
            self._api.doors(question.environment),
            lambda door: self._api.consumed(door, question.transaction_id, body),
        )
        return True

    def answer(self, answered: Answered) -> None:
        """See Asks. Whether a refund is granted is left to the App Store."""
        self.answer_refund_question(
            answered.question,
            consumed_share=answered.consumed_share,
            consented=answered.is_consented,
            delivery=Delivery.DELIVERED if answered.is_delivered else Delivery.OTHER,
        )

    def listed_environments(self) -> Sequence[str]:
        """See Lists."""
        return self.histories()

    def listed(
        self,
        *,
        environment: str,
        since: datetime,
        until: datetime,
        known: Iterable[Known],
        now: datetime,
    ) -> Iterator[Listed]:
        """See Lists. The App Store has no list of a time: it is asked for all that whoever made a known purchase
        ever bought, and for what it has notified of, whoever bought that."""
        told: set[str] = set()
        for one in known:
            if one.transaction_id in told:
                continue
            for line in lines.of_facts(self._owned_with(one, now)):
                told.add(line.transaction_id)
                yield line
        for signed in self._sent(environment, since, until):
            yield from lines.of_facts(self._told(signed, environment, now))

    def looked_up(self, known: Known, *, now: datetime) -> Facts:
        """See Lists."""
        return self.transaction(known.transaction_id, now=now, environment=known.environment)

    def _told(self, signed: str, environment: str, now: datetime) -> Facts:
        """Nothing of what cannot be read: the inbox has it, and rings."""
        try:
            of, notification = self._verifier.notification(signed, now=now)
            if of != environment:
                return ()
            return notifications.facts(of, notification, self._verifier, now=now)
        except ProviderError as error:
            if not error.permanent:
                raise
            return ()

    def _sent(self, environment: str, since: datetime, until: datetime) -> Iterator[str]:
        """Signed notifications of that time, come or not."""
        since = max(since, until - HISTORY + MARGIN)
        for door in self._api.doors(environment):
            yield from self._api.notifications(door, since=since, until=until)

    def _owned_with(self, known: Known, now: datetime) -> Facts:
        """What is in the history of a transaction's owner, and the transaction, should it not be in there."""
        try:
            history = self.history(known.transaction_id, now=now, environment=known.environment)
            if known.transaction_id in {line.transaction_id for line in lines.of_facts(history)}:
                return history
            return history + self.looked_up(known, now=now)
        except ProviderError as error:
            if error.fault in {Fault.GONE, Fault.MALFORMED}:
                return ()
            raise

    def request_test_notification(self, *, environment: str) -> list[str]:
        """Has the App Store send a TEST notification for every app; answers their tokens."""
        return [self._api.test_notification(door) for door in self._api.doors(environment)]

    def _notification(self, message: RawMessage, now: datetime) -> tuple[str, Notification]:
        if len(message.body) > MAXIMUM_BODY_BYTES:
            raise ProviderError("the notification is larger than 256 KB", Fault.MALFORMED)
        signed = decoded(message.body, _Body).signed_payload
        return self._verifier.notification(signed, now=now)

    def _subscribed(
        self, environment: str, transaction: Transaction, *, is_fresh: bool, now: datetime
    ) -> Facts:
        bought = transactions.by_itself(environment, transaction)
        doors = self._api.doors(environment, transaction.bundle_id)
        try:
            current = self._subscription(doors, transactions.subscription_id(transaction), now)
        except ProviderError as error:
            has_ended = transaction.revocation_date is not None or transaction.is_upgraded
            if error.fault not in {Fault.UNAVAILABLE, Fault.GONE} or not is_fresh or has_ended:
                raise
            return bought
        if transaction.transaction_id in _periods(current):
            return current
        return bought + current

    def _subscription(self, doors: list[Door], subscription_id: str, now: datetime) -> Facts:
        return self._api.first(
            doors, lambda door: self._subscription_behind(door, subscription_id, now)
        )

    def _subscription_behind(self, door: Door, subscription_id: str, now: datetime) -> Facts:
        answer = self._api.statuses(door, subscription_id)
        for group in answer.data:
            for last in group.last_transactions:
                if last.original_transaction_id == subscription_id:
                    return _told_by_store(partial(self._current, door, last, now))
        raise ProviderError("the App Store has no such subscription", Fault.GONE)

    def _current(self, door: Door, last: LastTransaction, now: datetime) -> Facts:
        transaction = self._opened(door, last.signed_transaction_info, now)
        environment, renewal = self._verifier.renewal(last.signed_renewal_info, now=now)
        return transactions.with_renewal(
            environment,
            transaction,
            renewal,
            status=last.status,
            as_of=moment(max(transaction.signed_date, renewal.signed_date)),
        )

    def _transaction(self, doors: list[Door], transaction_id: str, now: datetime) -> Facts:
        def ask(door: Door) -> Facts:
            signed = self._api.transaction(door, transaction_id)
            return _told_by_store(lambda: self._each(door, [signed], now))

        return self._api.first(doors, ask)

    def _all_of(
        self,
        ask: Callable[[Door, str], Iterator[str]],
        transaction_id: str,
        now: datetime,
        environment: str | None,
    ) -> Facts:
        def told(door: Door) -> Facts:
            signed = list(ask(door, transaction_id))
            return _told_by_store(lambda: self._each(door, signed, now))

        return self._api.first(self._api.doors(environment), told)

    def _each(self, door: Door, signed: Iterable[str], now: datetime) -> Facts:
        return tuple(
            fact
            for one in signed
            for fact in transactions.by_itself(door.environment, self._opened(door, one, now))
        )

    def _opened(self, door: Door, signed: str, now: datetime) -> Transaction:
        environment, transaction = self._verifier.transaction(signed, now=now)
        if environment != door.environment:
            raise ProviderError(f"{door.environment} told of {environment}", Fault.MALFORMED)
        return transaction


def _told_by_store(read: Callable[[], Told]) -> Told:
    """What the App Store answered, read. That it cannot be read says nothing of what was asked."""
    try:
        return read()
    except ProviderError as error:
        raise ProviderError(f"the answer is {error.reason}", Fault.UNAVAILABLE) from error


def _periods(facts: Facts) -> set[str]:
    return {
        fact.period.transaction_id
        for fact in facts
        if isinstance(fact, SubscriptionSnapshot) and fact.period is not None
    }
