"""What every store adapter promises: bytes in, frozen facts out, no Django and no database.

A store tells of the same money several times: by the app that bought, by its notifications, when it is asked.
Whatever tells, the facts are the same, and what they do is the caller's to know.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Protocol, runtime_checkable
from uuid import UUID

#: A store's refund of a whole transaction that has no name of its own.
ALL = "all"


class Fault(StrEnum):
    """What is wrong with a message, or with asking for it.

    MALFORMED is no message of this store's. FORGED has no signature that holds, or names no one who may sign.
    FOREIGN is genuine, of another app or for another address. OTHER_ENVIRONMENT is genuine, of an environment
    that this deployment does not serve. GONE is what the store knows no more. UNAVAILABLE alone may pass later:
    the store, or its keys, are out of reach.
    """

    MALFORMED = "malformed"
    FORGED = "forged"
    FOREIGN = "foreign"
    OTHER_ENVIRONMENT = "other_environment"
    GONE = "gone"
    UNAVAILABLE = "unavailable"


class ProviderError(Exception):
    """A store's message could not be turned into facts, or the store not be asked.

    `retry_after_seconds` is when the store said that it may be asked again, if it did.
    """

    def __init__(
        self, reason: str, fault: Fault, *, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault
        self.retry_after_seconds = retry_after_seconds

    @property
    def permanent(self) -> bool:
        """Whether the same will never do."""
        return self.fault is not Fault.UNAVAILABLE


class Ownership(StrEnum):
    """How somebody came to what a store sold: a family's members pay nothing for theirs."""

    PURCHASED = "purchased"
    FAMILY_SHARED = "family_shared"


class Payment(StrEnum):
    """Whether what was bought is paid: pending is a slow method of paying, or a bank that still asks."""

    PAID = "paid"
    PENDING = "pending"
    FAILED = "failed"


class State(StrEnum):
    """Where a subscription is, whichever store sells it.

    PENDING waits for its first payment. CANCELLED runs to its end and does not renew. GRACE is open though the
    renewal is not paid. BILLING_RETRY and ON_HOLD are closed until it is; PAUSED, until the viewer goes on.
    """

    PENDING = "pending"
    ACTIVE = "active"
    CANCELLED = "cancelled"
    GRACE = "grace"
    BILLING_RETRY = "billing_retry"
    ON_HOLD = "on_hold"
    PAUSED = "paused"
    EXPIRED = "expired"
    REVOKED = "revoked"


class PriceConsent(StrEnum):
    """Whether a subscriber agrees to a higher price: NONE is asked."""

    NONE = "none"
    PENDING = "pending"
    AGREED = "agreed"


class Owed(StrEnum):
    """What a store waits to hear once what was bought is delivered, else it gives the money back."""

    ACKNOWLEDGE = "acknowledge"
    CONSUME = "consume"


class RefundOrigin(StrEnum):
    """Who gave money back."""

    STORE = "store"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, kw_only=True)
class StoreTransaction:
    """Something that is bought once: coins, or a pass that does not renew.

    `transaction_id` is the name of the money, under which it is credited once ever. `account_token` is ours, as
    the store was given it. `price_micros` is what was paid for all of `quantity`, with tax; None where the store
    does not say.
    """

    environment: str
    transaction_id: str
    store_product_id: str
    account_token: UUID | None
    price_micros: int | None
    currency: str
    purchased_at: datetime
    quantity: int = 1
    payment: Payment = Payment.PAID
    intent_id: UUID | None = None
    owed: Owed | None = None


@dataclass(frozen=True, kw_only=True)
class PaidPeriod:
    """One period of a subscription that has been paid, or is free by the store's offer.

    `price_micros` is what the buyer was charged. `is_prorated` where that is a difference only: they changed plans,
    and what the time cost before counts towards it. `is_paid_by_credit` where nothing was charged because the store
    owed the buyer as much.
    """

    transaction_id: str
    store_product_id: str
    starts_at: datetime
    ends_at: datetime
    price_micros: int
    currency: str
    purchased_at: datetime
    is_prorated: bool = False
    is_paid_by_credit: bool = False


@dataclass(frozen=True, kw_only=True)
class SubscriptionSnapshot:
    """A subscription as its store saw it at a moment. Of two the later one holds, whichever comes first.

    `subscription_id` stays the same through renewals. `access_until` is the end of what is open: of the period
    or of its grace, None where nothing is. `renews_as` is the product of the next period, "" if there is none.
    `replaces` is a subscription that this one took the place of, which is open no more. `period` is the last
    that was paid.
    """

    environment: str
    subscription_id: str
    store_product_id: str
    state: State
    account_token: UUID | None
    access_until: datetime | None
    renews_as: str
    as_of: datetime
    period: PaidPeriod | None
    ownership: Ownership = Ownership.PURCHASED
    price_consent: PriceConsent = PriceConsent.NONE
    replaces: str = ""
    intent_id: UUID | None = None
    owed: Owed | None = None


@dataclass(frozen=True, kw_only=True)
class StoreRefund:
    """A transaction's money went back, or did so no more. One of `refunded_at` and `reversed_at` is set.

    How much is one of `amount_micros`, with tax, and `share_parts_per_million` of what was paid; neither is all.
    """

    environment: str
    transaction_id: str
    refund_id: str = ALL
    origin: RefundOrigin = RefundOrigin.STORE
    refunded_at: datetime | None = None
    reversed_at: datetime | None = None
    amount_micros: int | None = None
    share_parts_per_million: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundQuestion:
    """A store asks, before it refunds, what became of what was bought."""

    environment: str
    transaction_id: str
    question_id: str
    asked_at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a store is told when it asks. `consumed_share` is of the coins that were bought, None where there is
    nothing to count. Without the buyer's consent no store is told anything that needs it."""

    question: RefundQuestion
    is_consented: bool
    is_delivered: bool
    consumed_share: Fraction | None


Fact = StoreTransaction | SubscriptionSnapshot | StoreRefund | RefundQuestion
Facts = tuple[Fact, ...]


class ListedKind(StrEnum):
    """What a line of a store's list says of money: REVERSAL is a refund that is no more."""

    SALE = "sale"
    REFUND = "refund"
    REVERSAL = "reversal"


@dataclass(frozen=True)
class Fee:
    """What a store kept for a line, less than nothing where it gave back; in the currency that it settles in."""

    amount_micros: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Money that a store took, or gave back, by its own list.

    `line_id` is the store's name of the line, the same whenever it is listed; of a refund it is the refund's.
    `transaction_id` and `subscription_id` are named as in facts. `amount_micros` is what the buyer paid or got
    back, with tax; None is all of it for a refund, and what the list does not say for a sale. `has_amount` is
    False where a refund's part is not known as an amount.
    """

    kind: ListedKind
    environment: str
    line_id: str
    transaction_id: str
    amount_micros: int | None
    currency: str
    occurred_at: datetime
    subscription_id: str = ""
    has_amount: bool = True
    fee: Fee | None = None


@dataclass(frozen=True, kw_only=True)
class Known:
    """A transaction that a store is asked about. `subscription_id` is "" unless it paid a period."""

    environment: str
    transaction_id: str
    purchased_at: datetime
    subscription_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A store's message whose signature holds, as far as it can be read without asking anybody.

    `event_id` is the store's own name for it, the same when it is sent again. `type` is the store's word, with a
    subtype after a dot. One that is not known stands for no facts.
    """

    environment: str
    event_id: str
    type: str
    occurred_at: datetime
    is_known: bool


@dataclass(frozen=True)
class RawMessage:
    """A message as it came, or as a store's history has it."""

    headers: Mapping[str, str]
    body: bytes


class ProviderAdapter(Protocol):
    """The verbs of a store. All of them raise ProviderError; what asks the store is called outside of any
    transaction."""

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        """What an app hands in after buying: verified, and asked about where the store has to be."""
        ...

    def read_message(self, message: RawMessage, *, now: datetime) -> Message:
        """A notification, verified over its raw bytes. Asks nobody but for keys."""
        ...

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        """What a verified notification stands for, read back from the store where it only hints."""
        ...

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        """A subscription as the store sees it now."""
        ...

    def histories(self) -> Sequence[str]:
        """The environments of which `missed` is asked, each by itself: one that does not answer holds up no other.
        A store that keeps all in one names that under which its messages stand."""
        ...

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        """Messages of that time by an environment's own history, those that came among them."""
        ...


@runtime_checkable
class Rereads(Protocol):
    """A store whose messages cannot be verified again: what signs them is not kept."""

    def reread_message(self, message: RawMessage, *, now: datetime) -> Message:
        """What `read_message` answers, of a message that held when it came. Raises ProviderError."""
        ...


@runtime_checkable
class Listens(Protocol):
    """A store that waits to hear that what it sold was delivered. Both raise ProviderError; what was told before
    is no error."""

    def delivered(
        self, *, environment: str, subject: str, store_product_id: str, owed: Owed
    ) -> None:
        """`subject` is the name of a transaction or subscription."""
        ...


@runtime_checkable
class Asks(Protocol):
    """A store that asks before it refunds."""

    def answer(self, answered: Answered) -> None:
        """Raises ProviderError."""
        ...


@runtime_checkable
class GivesBack(Protocol):
    """A store that gives money back when we say so."""

    def give_back(
        self,
        *,
        environment: str,
        transaction_id: str,
        refund_id: str,
        amount_micros: int,
        now: datetime,
    ) -> None:
        """`refund_id` is ours, and the name that the store tells of it by; the same again is the same refund.
        Raises ProviderError."""
        ...


@runtime_checkable
class Polled(Protocol):
    """A store some of whose facts come by no message."""

    def polled(self, *, environment: str, since: datetime, until: datetime) -> Iterator[Facts]:
        """What happened in that time by an environment's own list, those that came by a message among them. Of which
        environments there are any, `histories` says. Raises ProviderError."""
        ...


@runtime_checkable
class Lists(Protocol):
    """A store whose own word on money can be held against our books. All of it raises ProviderError."""

    def listed_environments(self) -> Sequence[str]:
        """Of which there is anything to list."""
        ...

    def listed(
        self,
        *,
        environment: str,
        since: datetime,
        until: datetime,
        known: Iterable[Known],
        now: datetime,
    ) -> Iterator[Listed]:
        """Money of [since, until) by the store's own list; and of what it lists by no time, what it says of each
        that is known to us. What it does not know has no line."""
        ...

    def looked_up(self, known: Known, *, now: datetime) -> Facts:
        """All that the store says of one transaction today: what was bought, and what of it went back.

        GONE is what it does not know, FOREIGN what somebody else sold with the same account.
        """
        ...


@runtime_checkable
class Numbers(Lists, Protocol):
    """A store that numbers the periods of a subscription, and tells of the last that is paid alone."""

    def before(self, transaction_id: str) -> Iterator[str]:
        """The names of the periods before the one of this name, the latest first: `looked_up` takes them. Asks
        nobody."""
        ...


@runtime_checkable
class Reports(Protocol):
    """A store that tells in a file what it settled."""

    def reported(self, body: bytes, *, environment: str, now: datetime) -> Iterator[Listed]:
        """The lines of a file. MALFORMED is none of this store's; may ask the store what lines are about."""
        ...
