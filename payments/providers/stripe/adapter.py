"""Stripe's adapter: the verbs of every store, and those that only Stripe has."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import httpx

from payments.providers.base import (
    Facts,
    Fault,
    Fee,
    Known,
    Listed,
    ListedKind,
    Message,
    ProviderError,
    RawMessage,
    StoreRefund,
)
from payments.providers.stripe import facts, metadata, webhooks
from payments.providers.stripe.api import ADDRESS, StripeApi
from payments.providers.stripe.currencies import micros, smallest_units
from payments.providers.stripe.events import Reader, is_known, is_ours
from payments.providers.stripe.objects import (
    BalanceTransaction,
    Event,
    Refund,
    moment,
    name_of,
)
from payments.providers.stripe.sales import OpenedCheckout, OpenedPayment, Sale, Settlement

_CHECKOUT = re.compile(r"cs_[A-Za-z0-9_]{1,250}")
_PAYMENT = re.compile(r"pi_[A-Za-z0-9]{1,250}")
_INVOICE = re.compile(r"in_[A-Za-z0-9]{1,250}")
_MONEY = re.compile(r"(pi|in)_[A-Za-z0-9]{1,250}")
#: Lines of the balance that move a buyer's money; of an adjustment, which is a dispute's, the sign says which way.
_KINDS: Mapping[str, ListedKind] = {
    "charge": ListedKind.SALE,
    "payment": ListedKind.SALE,
    "refund": ListedKind.REFUND,
    "payment_refund": ListedKind.REFUND,
    "refund_failure": ListedKind.REVERSAL,
    "payment_failure_refund": ListedKind.REVERSAL,
}
_CHARGES = frozenset({"charge", "payment"})
_SUBSCRIPTION = re.compile(r"sub_[A-Za-z0-9_]{1,250}")
_KEY_OF = {
    "production": re.compile(r"(sk|rk)_live_[!-~]+"),
    "sandbox": re.compile(r"(sk|rk)_test_[!-~]+"),
}


@dataclass(frozen=True, kw_only=True)
class StripeSettings:
    """One account, of one environment.

    `webhook_secrets` are all that may sign: during a rotation the new one and the old one, the new one first.
    For `grace_days` after the last paid period a subscription stays open while Stripe tries to collect.
    `portal_configuration` names one of the dashboard's, "" is its default.
    """

    environment: str
    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_address: str = ADDRESS
    grace_days: int = 7
    portal_configuration: str = ""

    def __post_init__(self) -> None:
        if not _KEY_OF[self.environment].fullmatch(self.secret_key):
            raise ValueError(f"the secret key is none of Stripe's {self.environment}")
        if not self.webhook_secrets or not all(self.webhook_secrets):
            raise ValueError("without a webhook secret anybody could sign")


class StripeAdapter:
    """See ProviderAdapter, and what only Stripe has: checkouts, payments, the portal, refunds, settlements."""

    def __init__(
        self, settings: StripeSettings, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._api = StripeApi(
            key=settings.secret_key,
            environment=settings.environment,
            address=settings.api_address,
            transport=transport,
        )
        self._reader = Reader(
            self._api,
            environment=settings.environment,
            grace=timedelta(days=settings.grace_days),
        )

    def close(self) -> None:
        """Ends all connections; nothing can be asked after."""
        self._api.close()

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        """What came of a checkout session or a payment intent, by its id. Nothing, if nobody has paid yet.

        That the buyer came back from the page says nothing, so it is asked.
        """
        if _CHECKOUT.fullmatch(handed_in):
            session = self._api.checkout(handed_in)
            if metadata.read(session.metadata) is None:
                raise ProviderError("a checkout that we did not open", Fault.FOREIGN)
            return self._reader.of_checkout(session, now)
        if _PAYMENT.fullmatch(handed_in):
            payment = self._api.payment(handed_in)
            if metadata.read(payment.metadata) is None:
                raise ProviderError("a payment that we did not open", Fault.FOREIGN)
            bought = facts.of_payment(payment)
            return () if bought is None else (bought,)
        raise ProviderError("no id of a checkout or a payment", Fault.MALFORMED)

    def read_message(self, message: RawMessage, *, now: datetime) -> Message:
        """See ProviderAdapter. Asks nobody."""
        webhooks.verify(message, secrets=self._settings.webhook_secrets, now=now)
        event = self._event(message)
        return webhooks.message_of(event, is_known=is_known(event.type))

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        """See ProviderAdapter. The signature was for the time of arrival and is not looked at again."""
        return self._reader.facts_of(self._event(message), now=now)

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        """See ProviderAdapter."""
        self._check_is(environment)
        if not _SUBSCRIPTION.fullmatch(subscription_id):
            raise ProviderError("no id of a subscription", Fault.MALFORMED)
        return (self._reader.snapshot(subscription_id, now),)

    def histories(self) -> Sequence[str]:
        """See ProviderAdapter."""
        return (self._settings.environment,)

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        """See ProviderAdapter. Newest first, of the last 30 days; sealed, so that `read_message` takes them.

        Stripe lists all that happens to the account: what a webhook of ours would not be sent is passed over.
        """
        self._check_is(environment)
        for body in self._api.events(since=since, until=until):
            if is_ours(webhooks.type_of(body)):
                yield webhooks.sealed(body, secrets=self._settings.webhook_secrets)

    def open_checkout(
        self,
        sale: Sale,
        *,
        success_url: str,
        cancel_url: str,
        customer_id: str = "",
        expires_at: datetime | None = None,
        idempotency_key: str,
    ) -> OpenedCheckout:
        """A page of Stripe's to pay on. `{CHECKOUT_SESSION_ID}` in `success_url` becomes the session's id."""
        session = self._api.create_checkout(
            sale,
            success_url=success_url,
            cancel_url=cancel_url,
            customer_id=customer_id,
            expires_at=expires_at,
            idempotency_key=idempotency_key,
        )
        if not session.url:
            raise ProviderError("a checkout without a page", Fault.UNAVAILABLE)
        expires = session.expires_at
        return OpenedCheckout(
            session_id=session.id, url=session.url, expires_at=moment(expires) if expires else None
        )

    def open_payment(self, sale: Sale, *, idempotency_key: str) -> OpenedPayment:
        """A payment to be made in a page or an app of ours."""
        payment = self._api.create_payment(sale, idempotency_key=idempotency_key)
        if not payment.client_secret:
            raise ProviderError("a payment without a client secret", Fault.UNAVAILABLE)
        return OpenedPayment(payment_intent_id=payment.id, client_secret=payment.client_secret)

    def buyer_of(self, subscription_id: str) -> UUID | None:
        """The account token that a subscription was sold under, None if it was sold without."""
        if not _SUBSCRIPTION.fullmatch(subscription_id):
            raise ProviderError("no id of a subscription", Fault.MALFORMED)
        told = metadata.read(self._api.subscription(subscription_id).metadata)
        return told.account_token if told else None

    def open_portal(self, subscription_id: str, *, return_url: str, idempotency_key: str) -> str:
        """The address of Stripe's page where that subscription's buyer cancels or pays otherwise."""
        if not _SUBSCRIPTION.fullmatch(subscription_id):
            raise ProviderError("no id of a subscription", Fault.MALFORMED)
        return self._api.create_portal(
            customer_id=name_of(self._api.subscription(subscription_id).customer),
            return_url=return_url,
            configuration=self._settings.portal_configuration,
            idempotency_key=idempotency_key,
        ).url

    def refund(
        self,
        transaction_id: str,
        *,
        amount_micros: int | None = None,
        refund_id: str = "",
        idempotency_key: str,
        now: datetime,
    ) -> StoreRefund:
        """Gives back a transaction's money, all that is left of it or `amount_micros`, and says so as a fact.

        `refund_id` is our name for it, by which it is told of from then on: one that Stripe has under that name
        is answered, since Stripe forgets idempotency keys after a day, and nothing is given back.
        """
        if _INVOICE.fullmatch(transaction_id):
            payment_id = self._api.payment_of(transaction_id)
        else:
            payment_id = transaction_id
        if not _PAYMENT.fullmatch(payment_id):
            raise ProviderError("nothing was paid that could go back", Fault.MALFORMED)
        payment = self._api.payment(payment_id)
        refund = self._asked_before(payment_id, refund_id) or self._api.create_refund(
            payment_intent_id=payment_id,
            amount=None
            if amount_micros is None
            else smallest_units(amount_micros, payment.currency),
            told={
                **(payment.metadata or {}),
                **({metadata.REFUND: refund_id} if refund_id else {}),
            },
            idempotency_key=idempotency_key,
        )
        return facts.of_refund(
            refund,
            transaction_id=transaction_id,
            environment=self._settings.environment,
            now=now,
        )

    def _asked_before(self, payment_id: str, refund_id: str) -> Refund | None:
        if not refund_id:
            return None
        found = self._api.refunds_of(payment_id)
        return next(
            (one for one in found if metadata.refund_named(one.metadata) == refund_id), None
        )

    def settlements(self, *, since: datetime, until: datetime) -> Iterator[Settlement]:
        """What Stripe credited and kept of every payment of a time: its fees, to the micro."""
        names: dict[str, _Named] = {}
        for line in self._api.balance_transactions(since=since, until=until):
            if line.amount - line.fee != line.net:
                raise ProviderError(f"{line.id} does not add up", Fault.UNAVAILABLE)
            paid_micros, paid_currency = _paid(line)
            money = self._money_of(line, names)
            yield Settlement(
                settlement_id=line.id,
                kind=line.type,
                source_id=_source_of(line),
                source_name=_named_by_us(line) or _source_of(line),
                transaction_id=money.name,
                is_ours=money.is_ours,
                paid_micros=paid_micros,
                paid_currency=paid_currency,
                amount_micros=micros(line.amount, line.currency),
                fee_micros=micros(line.fee, line.currency),
                net_micros=micros(line.net, line.currency),
                currency=line.currency.upper(),
                exchange_rate=line.exchange_rate,
                occurred_at=moment(line.created),
                available_at=moment(line.available_on),
            )

    def listed_environments(self) -> Sequence[str]:
        """See Lists."""
        return (self._settings.environment,)

    def listed(
        self,
        *,
        environment: str,
        since: datetime,
        until: datetime,
        known: Iterable[Known],
        now: datetime,
    ) -> Iterator[Listed]:
        """See Lists. The account's balance has it all, whoever knows of it."""
        del known, now
        self._check_is(environment)
        for line in self.settlements(since=since, until=until):
            kind = _KINDS.get(line.kind)
            if line.kind == "adjustment" and line.source_id.startswith(("dp_", "du_")):
                kind = ListedKind.REFUND if line.amount_micros < 0 else ListedKind.REVERSAL
            # What is not ours is another program's, with the same account.
            if kind is None or not line.transaction_id or not line.is_ours:
                continue
            # Of a payment each line counts by itself, of a refund what became of it.
            name = line.settlement_id if kind is ListedKind.SALE else line.source_name
            yield Listed(
                kind=kind,
                environment=environment,
                line_id=name,
                transaction_id=line.transaction_id,
                amount_micros=line.paid_micros,
                currency=line.paid_currency,
                has_amount=line.paid_micros is not None,
                occurred_at=line.occurred_at,
                fee=Fee(line.fee_micros, line.currency),
            )

    def looked_up(self, known: Known, *, now: datetime) -> Facts:
        """See Lists."""
        self._check_is(known.environment)
        if _CHECKOUT.fullmatch(known.transaction_id):
            return self._reader.of_checkout(self._api.checkout(known.transaction_id), now)
        if not _MONEY.fullmatch(known.transaction_id):
            raise ProviderError("no name of a payment or an invoice", Fault.GONE)
        return self._reader.of_money(known.transaction_id, now)

    def _check_is(self, environment: str) -> None:
        if environment != self._settings.environment:
            raise ProviderError(f"asked of {environment}", Fault.OTHER_ENVIRONMENT)

    def _money_of(self, line: BalanceTransaction, names: dict[str, "_Named"]) -> "_Named":
        """The name of a line's money. Asked once for each payment that does not say it itself."""
        source = line.source
        if source is None or isinstance(source, str):
            return _Named("", is_ours=False)
        payment = name_of(source.payment_intent)
        if not payment or metadata.read(source.metadata):
            return _Named(payment, is_ours=bool(payment))
        if payment not in names:
            names[payment] = self._named(payment, is_charge=line.type in _CHARGES)
        return names[payment]

    def _named(self, payment_id: str, *, is_charge: bool) -> "_Named":
        """A payment whose line does not say whose it is. A charge has what its payment was told when it was
        made, a refund or a dispute need not."""
        invoice = self._api.invoice_paid_by(payment_id)
        if invoice is not None:
            return _Named(invoice.id, is_ours=metadata.read(invoice.told) is not None)
        told = None if is_charge else metadata.read(self._api.payment(payment_id).metadata)
        return _Named(payment_id, is_ours=told is not None)

    def _event(self, message: RawMessage) -> Event:
        event = webhooks.read(message.body)
        if event.environment != self._settings.environment:
            raise ProviderError(f"an event of {event.environment}", Fault.OTHER_ENVIRONMENT)
        return event


@dataclass(frozen=True)
class _Named:
    """The name of a line's money, and whether we sold it."""

    name: str
    is_ours: bool


def _source_of(line: BalanceTransaction) -> str:
    return line.source if isinstance(line.source, str) else line.source.id if line.source else ""


def _named_by_us(line: BalanceTransaction) -> str:
    """What we call the refund that a line is of, if we asked for it: as facts name it."""
    source = None if isinstance(line.source, str) else line.source
    return metadata.refund_named(source.metadata) if source is not None else ""


def _paid(line: BalanceTransaction) -> tuple[int | None, str]:
    """What the buyer paid or got back, without a sign, and their currency."""
    source = None if isinstance(line.source, str) else line.source
    if source is not None and source.amount is not None and source.currency is not None:
        return micros(abs(source.amount), source.currency), source.currency.upper()
    if line.exchange_rate is not None:
        return None, ""
    return micros(abs(line.amount), line.currency), line.currency.upper()
