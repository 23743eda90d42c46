"""The fake store's adapter: verifies what `payments.providers.fake.store` signs.

Protocol: a JWS (RFC 7515) in compact form, ES256. Header `typ` is `fake-store-transaction+jwt` for a transaction,
whose payload's members are those of `_Transaction`, and `fake-store-message+jwt` for a notification, which says
its facts outright. There is one key, the store's; no other algorithm, type or key is accepted. It is not asked
anything: it remembers nothing.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from payments.providers.base import (
    Facts,
    Fault,
    Known,
    Listed,
    Message,
    ProviderError,
    RawMessage,
    RefundQuestion,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.fake.books import Books

TYPE = "fake-store-transaction+jwt"
MESSAGE_TYPE = "fake-store-message+jwt"
ALGORITHM = "ES256"

Shape = TypeVar("Shape")


class _Transaction(msgspec.Struct, forbid_unknown_fields=True):
    transaction_id: str
    product_id: str
    account_token: UUID
    environment: str
    price_micros: int
    currency: str
    purchased_at_ms: int
    intent_id: UUID | None = None


class FakeMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A notification: its name, and what it tells."""

    event_id: str
    type: str
    environment: str
    occurred_at_ms: int
    transactions: tuple[StoreTransaction, ...] = ()
    subscriptions: tuple[SubscriptionSnapshot, ...] = ()
    refunds: tuple[StoreRefund, ...] = ()
    questions: tuple[RefundQuestion, ...] = ()


class FakeStoreAdapter:
    """Verifies with the store's public key alone. Every failure is permanent: there is nobody to ask again."""

    def __init__(self, public_key: EllipticCurvePublicKey) -> None:
        self._public_key = public_key

    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        """See ProviderAdapter. A transaction, or a notification as an app may bring it."""
        if self._type(handed_in) == MESSAGE_TYPE:
            return _facts(self._opened(handed_in, MESSAGE_TYPE, FakeMessage))
        sold = self._opened(handed_in, TYPE, _Transaction)
        return (
            StoreTransaction(
                environment=sold.environment,
                transaction_id=sold.transaction_id,
                store_product_id=sold.product_id,
                account_token=sold.account_token,
                intent_id=sold.intent_id,
                price_micros=sold.price_micros,
                currency=sold.currency,
                purchased_at=_moment(sold.purchased_at_ms),
            ),
        )

    def read_message(self, message: RawMessage, *, now: datetime) -> Message:
        """See ProviderAdapter. One that tells nothing is of an unknown type."""
        told = self._message(message)
        return Message(
            environment=told.environment,
            event_id=told.event_id,
            type=told.type,
            occurred_at=_moment(told.occurred_at_ms),
            is_known=bool(_facts(told)),
        )

    def facts_of(self, message: RawMessage, *, now: datetime) -> Facts:
        """See ProviderAdapter."""
        return _facts(self._message(message))

    def subscription(self, *, environment: str, subscription_id: str, now: datetime) -> Facts:
        """See ProviderAdapter. It remembers none."""
        raise ProviderError("the fake store remembers no subscription", Fault.GONE)

    def histories(self) -> Sequence[str]:
        """See ProviderAdapter."""
        return ("production",)

    def missed(self, *, environment: str, since: datetime, until: datetime) -> Iterator[RawMessage]:
        """See ProviderAdapter. It remembers none."""
        return iter(())

    def _message(self, message: RawMessage) -> FakeMessage:
        try:
            signed = message.body.decode("ascii")
        except UnicodeDecodeError as error:
            raise ProviderError("not a signed text", Fault.MALFORMED) from error
        return self._opened(signed, MESSAGE_TYPE, FakeMessage)

    def _opened(self, signed: str, type_: str, shape: type[Shape]) -> Shape:
        if self._type(signed) != type_:
            raise ProviderError("of a type that the fake store does not sign", Fault.MALFORMED)
        if not all(map(_is_canonical, signed.split("."))):
            raise ProviderError("not base64url in the only way to write it", Fault.MALFORMED)
        try:
            claims = jwt.decode(
                signed,
                self._public_key,
                algorithms=[ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.InvalidTokenError as error:
            raise ProviderError(f"the signature is wrong: {error}", Fault.FORGED) from error
        try:
            return msgspec.convert(claims, shape)
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            raise ProviderError(f"the shape is wrong: {error}", Fault.MALFORMED) from error

    def _type(self, signed: str) -> Any:
        try:
            return jwt.get_unverified_header(signed).get("typ")
        except (jwt.InvalidTokenError, ValueError) as error:
            raise ProviderError("not a signed text", Fault.MALFORMED) from error


class FakeStoreWithBooks(FakeStoreAdapter):
    """See Lists. A fake store that remembers."""

    def __init__(self, public_key: EllipticCurvePublicKey, books: Books) -> None:
        super().__init__(public_key)
        self._books = books

    def listed_environments(self) -> Sequence[str]:
        """See Lists."""
        return ("production", "sandbox")

    def listed(
        self,
        *,
        environment: str,
        since: datetime,
        until: datetime,
        known: Iterable[Known],
        now: datetime,
    ) -> Iterator[Listed]:
        """See Lists."""
        for line in self._books.listed():
            if line.environment == environment and since <= line.occurred_at < until:
                yield line

    def looked_up(self, known: Known, *, now: datetime) -> Facts:
        """See Lists."""
        found = self._books.named(known.environment, known.transaction_id)
        if not found:
            raise ProviderError("the fake store has sold no such thing", Fault.GONE)
        return found


def _is_canonical(part: str) -> bool:
    """Whether it is written in the one way: a decoder passes over spare bits and strange characters."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(decoded).decode().rstrip("=") == part


def _facts(told: FakeMessage) -> Facts:
    return (*told.transactions, *told.subscriptions, *told.refunds, *told.questions)


def _moment(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ProviderError("at no moment that there is", Fault.MALFORMED) from error
