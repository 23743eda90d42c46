"""Google Play Billing: what an app hands in and what Google notifies of, both read back from Google.

A token or a notification is a hint; whose it is, what was bought and what became of it is Google's answer alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import httpx
import msgspec

from payments.providers import lines
from payments.providers.base import (
    Answered,
    Facts,
    Fault,
    Known,
    Listed,
    Message,
    Owed,
    ProviderError,
    RawMessage,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.google import earnings, notifications, purchases
from payments.providers.google.api import AndroidPublisher
from payments.providers.google.keys import SigningKeys, fetched_from
from payments.providers.google.lists import Lists
from payments.providers.google.names import checked_product, names_before, token_of
from payments.providers.google.notifications import (
    Notification,
    OneTimeProductNotification,
    PendingRefundReviewNotification,
    SubscriptionNotification,
    VoidedPurchaseNotification,
)
from payments.providers.google.pubsub import Envelope, PushVerifier, read_envelope
from payments.providers.google.read_back import ReadBack
from payments.providers.google.refunds import Told
from payments.providers.google.settings import GoogleSettings
from payments.providers.google.transport import Transport
from payments.providers.google.voided import Voided

PREFERENCES = frozenset({"DECLINE", "APPROVE", "NEUTRAL"})
#: Google's 30 days, less what its clock may be ahead of ours.
_LONGEST_WINDOW = timedelta(days=30) - timedelta(minutes=10)
_WHOLE_PARTS_PER_MILLION = 1_000_000
_WHOLE_MILLIUNITS = 100_000


class _HandedIn(msgspec.Struct):
    product_id: str
    purchase_token: str
    is_subscription: bool


class GoogleAdapter:
    """See ProviderAdapter, Rereads, Listens, Asks and Polled. `http` takes the place of the network.

    A one-time purchase and a subscription are named by their purchase token, a paid period by its order, and
    each of several lines as `names` says. The environment is what Google's answer says.
    """

    def __init__(
        self, settings: GoogleSettings, *, http: httpx.BaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport = Transport(http)
        self.api = AndroidPublisher(settings, transport)
        self._read_back = ReadBack(settings, self.api)
        self._lists = Lists(self.api, self._read_back)
        keys = SigningKeys(fetched_from(settings.keys_url, transport))
        self._verifier = PushVerifier(settings, keys)

    def close(self) -> None:
        """Lets go of the connections to Google; no verb works after that."""
        self._transport.close()

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        """`{"product_id", "purchase_token", "is_subscription"}`, of which Google has all that counts.

        MALFORMED also where the token bought another product than the app says.
        """
        try:
            said = msgspec.json.decode(handed_in, type=_HandedIn)
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"not a purchase: {error!s:.200}", Fault.MALFORMED) from error
        token, product_id = token_of(said.purchase_token), checked_product(said.product_id)
        facts: Facts
        if said.is_subscription:
            facts = self._read_back.subscription(token, now)
        else:
            facts = self._read_back.product(token, Told(now))
        if product_id not in _products(facts):
            raise ProviderError(f"the token did not buy {product_id}", Fault.MALFORMED)
        return facts

    def read_message(self, message: RawMessage, *, now: datetime) -> Message:
        """A push of Pub/Sub. FORGED is answered with 401 and FOREIGN with 403, if it is to come again."""
        return self._message(self._verifier.verify(message, now=now), now)

    def reread_message(self, message: RawMessage, *, now: datetime) -> Message:
        """See Rereads: the signature of a push's bearer token is not kept."""
        return self._message(read_envelope(message.body), now)

    def _message(self, envelope: Envelope, now: datetime) -> Message:
        hint = notifications.read(envelope, package_name=self._settings.package_name, now=now)
        return Message(
            environment=self._settings.environment,
            event_id=envelope.message.message_id,
            type=hint.type,
            occurred_at=hint.occurred_at,
            is_known=hint.notification is not None,
        )

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        """Asks Google. The bearer token is not looked at again: it held when the message came."""
        envelope = read_envelope(message.body)
        hint = notifications.read(envelope, package_name=self._settings.package_name, now=now)
        if hint.notification is None:
            return ()
        return self._hinted(hint.notification, hint.occurred_at, now)

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        """All lines of the subscription's token."""
        facts = self._read_back.subscription(token_of(subscription_id), now)
        if any(fact.environment != environment for fact in facts):
            raise ProviderError(f"not a subscription of {environment}", Fault.OTHER_ENVIRONMENT)
        return facts

    def histories(self) -> Sequence[str]:
        """See ProviderAdapter. Test purchases are listed among the others."""
        return (self._settings.environment,)

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        """None: Pub/Sub keeps no history. `voided`, and asking for subscriptions, tell of what was missed."""
        del environment, since, until
        return iter(())

    def listed_environments(self) -> Sequence[str]:
        """See Lists."""
        return tuple(sorted(self._settings.environments))

    def listed(
        self,
        *,
        environment: str,
        since: datetime,
        until: datetime,
        known: Iterable[Known],
        now: datetime,
    ) -> Iterator[Listed]:
        """See Lists. What is known is asked about by its names, since Google lists no sales of a time; what went
        back in it is listed, known or not."""
        yield from self._lists.of_known(known, now=now)
        since = max(since, now - _LONGEST_WINDOW)
        for voided in self.api.voided(since=since, until=until if until < now else None):
            facts = self._lists.of_voided(Voided.listed(voided, now), now)
            yield from (line for line in lines.of_facts(facts) if line.environment == environment)

    def looked_up(self, known: Known, *, now: datetime) -> Facts:
        """See Lists."""
        return self._lists.looked_up(known, now)

    def before(self, transaction_id: str) -> Iterator[str]:
        """See Numbers."""
        return names_before(transaction_id)

    def reported(self, body: bytes, *, environment: str, now: datetime) -> Iterator[Listed]:
        """See Reports. An earnings report, whose orders are looked up for the names that they have here."""
        if environment != self._settings.environment:
            raise ProviderError("earnings are of production alone", Fault.MALFORMED)
        return self._lists.of_earnings(earnings.read(body), now=now)

    def voided(self, *, since: datetime, until: datetime, now: datetime) -> Iterator[Facts]:
        """What went back in that time by when Google saw it: an order at a time, each as `facts_of` has it.

        Google knows 30 days back, and may be late, so windows of the caller overlap. What cannot be read back is
        passed over, and raised after all the others.
        """
        failed: ProviderError | None = None
        since = max(since, now - _LONGEST_WINDOW)
        seen = set()
        for voided in self.api.voided(since=since, until=until if until < now else None):
            if (one := (voided.order_id, voided.purchase_token)) in seen:
                continue
            seen.add(one)
            try:
                yield self._read_back.voided(Voided.listed(voided, now), now)
            except ProviderError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def polled(self, *, environment: str, since: datetime, until: datetime) -> Iterator[Facts]:
        """See `voided`. `until` is now; Google is given no end, which must not be ahead of its own clock."""
        del environment
        return self.voided(since=since, until=until, now=until)

    def delivered(
        self, *, environment: str, subject: str, store_product_id: str, owed: Owed
    ) -> None:
        """See Listens. What is bought once is consumed, and a subscription acknowledged."""
        del environment
        if owed is Owed.CONSUME:
            self.consume(store_product_id=store_product_id, transaction_id=subject)
        else:
            self.acknowledge(store_product_id=store_product_id, name=subject, is_subscription=True)

    def answer(self, answered: Answered) -> None:
        """See Asks. Google has the choice: of what is not in our books we know nothing, it may be older than they."""
        share = answered.consumed_share if answered.is_consented else None
        self.answer_refund_question(
            question_id=answered.question.question_id,
            preference="NEUTRAL",
            sample_content_provided=True,
            consumed_parts_per_million=(
                None if share is None else int(share * _WHOLE_PARTS_PER_MILLION)
            ),
        )

    def acknowledge(self, *, store_product_id: str, name: str, is_subscription: bool) -> None:
        """Tells Google that it was delivered, within three days of paying; else Google takes it back.

        `name` is the transaction's, or the subscription's. Doing so again changes nothing.
        """
        token = token_of(name)
        try:
            if is_subscription:
                self.api.acknowledge_subscription(store_product_id, token)
            else:
                self.api.acknowledge_product(store_product_id, token)
        except ProviderError as error:
            if not error.permanent or not self._is_acknowledged(token, is_subscription):
                raise

    def consume(self, *, store_product_id: str, transaction_id: str) -> None:
        """Lets it be bought again, and acknowledges it. Doing so again, or after it went back, changes nothing."""
        token = token_of(transaction_id)
        try:
            self.api.consume_product(store_product_id, token)
        except ProviderError as error:
            if not error.permanent or not self._is_consumed(token, store_product_id):
                raise

    def answer_refund_question(
        self,
        *,
        question_id: str,
        preference: str,
        sample_content_provided: bool,
        consumed_parts_per_million: int | None,
    ) -> None:
        """Tells Google, within 24 hours, what we would do (DECLINE, APPROVE or NEUTRAL) and what was used up."""
        order_id, _, pending = question_id.partition(" ")
        consumed = consumed_parts_per_million
        is_share = consumed is None or 0 <= consumed <= _WHOLE_PARTS_PER_MILLION
        if preference not in PREFERENCES or not pending or not is_share:
            raise ProviderError("not an answer to a refund's question", Fault.MALFORMED)
        if consumed is not None:
            consumed = consumed * _WHOLE_MILLIUNITS // _WHOLE_PARTS_PER_MILLION
        self.api.review_refund(
            order_id,
            pending_refund_token=pending,
            preference=preference,
            sample_content_provided=sample_content_provided,
            consumption_percentage_milliunits=consumed,
        )

    def _hinted(self, notification: Notification, at: datetime, now: datetime) -> Facts:
        match notification:
            case SubscriptionNotification(purchase_token=token):
                return self._read_back.subscription(token_of(token), now, heard_at=at)
            case OneTimeProductNotification(purchase_token=token):
                return self._read_back.product(token_of(token), Told(at))
            case VoidedPurchaseNotification():
                return self._read_back.voided(Voided.notified(notification, at), now)
            case PendingRefundReviewNotification():
                return (self._read_back.question(notification, at, now),)
        return ()  # the console's trial

    def _is_acknowledged(self, token: str, is_subscription: bool) -> bool:
        bought = self.api.subscription(token) if is_subscription else self.api.product(token)
        return bought.acknowledgement_state == purchases.ACKNOWLEDGED

    def _is_consumed(self, token: str, product_id: str) -> bool:
        """Or need not be, as it went back before."""
        purchase = self.api.product(token)
        return purchases.is_cancelled(purchase) or any(
            line.product_offer_details.consumption_state == purchases.CONSUMED
            for line in purchase.product_line_item
            if line.product_id == product_id
        )


def _products(facts: Facts) -> set[str]:
    """The products of facts; what a plan is to become is bought, too."""
    found = set()
    for fact in facts:
        match fact:
            case StoreTransaction():
                found.add(fact.store_product_id)
            case SubscriptionSnapshot():
                found |= {fact.store_product_id, fact.renews_as}
    return found
