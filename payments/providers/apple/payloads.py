"""What the App Store signs and answers, as far as it is read here.

Names are the App Store's in snake case: App Store Server API, "JWSTransactionDecodedPayload" and
"JWSRenewalInfoDecodedPayload"; App Store Server Notifications, "responseBodyV2DecodedPayload". Times are UNIX
milliseconds, prices and percentages thousandths of a unit and of a per cent. Words and numbers that stand for
something stay as they come, since the App Store adds to them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Thousandths of a per cent in a whole.
WHOLE = 100_000

_UNTIL_YEAR_9999 = msgspec.Meta(ge=0, le=253_402_300_799_999)
#: Xcode alone has fractions.
Milliseconds = Annotated[int, _UNTIL_YEAR_9999] | Annotated[float, _UNTIL_YEAR_9999]
Identifier = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,100}\Z")]
#: The App Store's words are of capitals and underscores; whatever they become, they can be stored and shown.
Word = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{0,100}\Z")]
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]
Milliunits = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Percentage = Annotated[int, msgspec.Meta(ge=0, le=WHOLE)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]

AUTO_RENEWABLE = "Auto-Renewable Subscription"
NON_CONSUMABLE = "Non-Consumable"
ONE_TIME = frozenset({"Consumable", NON_CONSUMABLE, "Non-Renewing Subscription"})
FAMILY_SHARED = "FAMILY_SHARED"
FAMILY_REVOKE = "FAMILY_REVOKE"


def moment(milliseconds: float) -> datetime:
    """A time, exactly."""
    return EPOCH + timedelta(milliseconds=milliseconds)


class _Payload(msgspec.Struct, rename="camel", frozen=True):
    pass


class Transaction(_Payload, frozen=True):
    """A purchase, or one period of a subscription."""

    transaction_id: Identifier
    bundle_id: str
    product_id: Identifier
    purchase_date: Milliseconds
    signed_date: Milliseconds
    environment: str
    type: str
    original_transaction_id: Identifier | None = None
    expires_date: Milliseconds | None = None
    quantity: Quantity = 1
    app_account_token: str | None = None
    in_app_ownership_type: str = "PURCHASED"
    revocation_date: Milliseconds | None = None
    revocation_reason: int | None = None
    revocation_type: str | None = None
    revocation_percentage: Percentage | None = None
    is_upgraded: bool | None = None
    price: Milliunits | None = None
    currency: Currency | None = None


class Renewal(_Payload, frozen=True):
    """What is to become of a subscription. `product_id` and `renewal_date` are of its last period."""

    original_transaction_id: Identifier
    signed_date: Milliseconds
    environment: str
    product_id: Identifier | None = None
    auto_renew_product_id: Identifier | None = None
    auto_renew_status: int | None = None
    is_in_billing_retry_period: bool | None = None
    grace_period_expires_date: Milliseconds | None = None
    price_increase_status: int | None = None
    renewal_date: Milliseconds | None = None
    app_account_token: str | None = None


class About(_Payload, frozen=True):
    """The app that a notification is about, and what happened there: `data`, `summary` or `appData`."""

    bundle_id: str | None = None
    app_apple_id: int | None = None
    environment: str | None = None
    status: int | None = None
    signed_transaction_info: str | None = None
    signed_renewal_info: str | None = None
    consumption_request_reason: Word | None = None


class ExternalPurchase(_Payload, frozen=True):
    """A token of a purchase outside of the App Store."""

    external_purchase_id: str | None = None
    bundle_id: str | None = None
    app_apple_id: int | None = None

    @property
    def about(self) -> About:
        """Its environment shows in its name alone."""
        is_sandbox = (self.external_purchase_id or "").startswith("SANDBOX")
        return About(
            bundle_id=self.bundle_id,
            app_apple_id=self.app_apple_id,
            environment="Sandbox" if is_sandbox else "Production",
        )


class Notification(_Payload, frozen=True):
    """A notification of version 2. It has one of `data`, `summary`, `external_purchase_token` and `app_data`."""

    notification_type: Identifier
    signed_date: Milliseconds
    notification_uuid: Identifier = msgspec.field(name="notificationUUID")
    subtype: Word | None = None
    data: About | None = None
    summary: About | None = None
    external_purchase_token: ExternalPurchase | None = None
    app_data: About | None = None

    @property
    def about(self) -> About:
        """The app that it is about, which a notification of an unknown make does not say."""
        external = self.external_purchase_token.about if self.external_purchase_token else None
        return self.data or self.summary or external or self.app_data or About()


class Dated(_Payload, frozen=True):
    """What is read of a payload before its signature: the time of that, and where it is from."""

    signed_date: Milliseconds
    environment: str | None = None
    data: About | None = None
    app_data: About | None = None
    summary: About | None = None

    @property
    def claimed_environment(self) -> str | None:
        about = self.data or self.summary or self.app_data
        return self.environment or (about.environment if about else None)


class TransactionAnswer(_Payload, frozen=True):
    """Get Transaction Info."""

    signed_transaction_info: str


class TransactionPage(_Payload, frozen=True):
    """Get Transaction History, Get Refund History."""

    signed_transactions: Sequence[str] = ()
    revision: str | None = None
    has_more: bool | None = None


class LastTransaction(_Payload, frozen=True):
    original_transaction_id: str
    status: int
    signed_transaction_info: str
    signed_renewal_info: str


class SubscriptionGroup(_Payload, frozen=True):
    last_transactions: Sequence[LastTransaction] = ()


class StatusAnswer(_Payload, frozen=True):
    """Get All Subscription Statuses."""

    data: Sequence[SubscriptionGroup] = ()


class SentNotification(_Payload, frozen=True):
    signed_payload: str


class NotificationPage(_Payload, frozen=True):
    """Get Notification History."""

    notification_history: Sequence[SentNotification] = ()
    pagination_token: str | None = None
    has_more: bool | None = None


class TestAnswer(_Payload, frozen=True):
    """Request a Test Notification."""

    __test__ = False

    test_notification_token: str


class ErrorAnswer(_Payload, frozen=True):
    """What comes with a status that is no success."""

    error_code: int
    error_message: str = ""
