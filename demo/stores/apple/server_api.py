"""The App Store Server API, for whoever has its key: what `payments.providers.apple.api` asks."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from demo.stores.apple.books import AUTO_RENEWABLE, Books, Notice, Purchase
from demo.stores.apple.shop import Shop
from demo.stores.messages import Answer, Rejected, Request
from demo.stores.peer import Route

PAGE = 20
AUDIENCE = "appstoreconnect-v1"
TOKEN_MAXIMUM_SECONDS = 3600
LEEWAY_SECONDS = 60
#: Notification history goes no further back.
HISTORY_MILLISECONDS = 180 * 24 * 3600 * 1000
#: The first part of an address says which store it is: the App Store has a host for each.
ENVIRONMENTS = {"production": "Production", "sandbox": "Sandbox"}
DELIVERY_STATUSES = frozenset(
    {
        "DELIVERED",
        "UNDELIVERED_QUALITY_ISSUE",
        "UNDELIVERED_WRONG_ITEM",
        "UNDELIVERED_SERVER_OUTAGE",
        "UNDELIVERED_OTHER",
    }
)
PREFERENCES = frozenset({"DECLINE", "GRANT_FULL", "GRANT_PRORATED"})

Handler = Callable[[Request, "re.Match[str]", str], Answer]


class Credentials(msgspec.Struct, frozen=True):
    """The names that go with the key."""

    issuer_id: str
    key_id: str


class Consumption(msgspec.Struct, rename="camel", frozen=True):
    """ConsumptionRequest."""

    customer_consented: bool
    sample_content_provided: bool
    delivery_status: str
    consumption_percentage: int | None = None
    refund_preference: str | None = None


class Window(msgspec.Struct, rename="camel", frozen=True):
    """NotificationHistoryRequest, as far as it is kept to."""

    start_date: int
    end_date: int
    only_failures: bool = False
    transaction_id: str | None = None


class ServerApi:
    """Answers of the shop's books, signed."""

    def __init__(self, shop: Shop, credentials: Credentials, key: EllipticCurvePrivateKey) -> None:
        self._shop = shop
        self._credentials = credentials
        self._key = key.public_key()

    def routes(self) -> Sequence[Route]:
        addresses: Sequence[tuple[str, str, Handler]] = [
            ("GET", "v1/transactions/([^/]+)", self._transaction),
            ("GET", "v2/history/([^/]+)", self._history),
            ("GET", "v1/subscriptions/([^/]+)", self._statuses),
            ("GET", "v2/refund/lookup/([^/]+)", self._refunds),
            ("PUT", "v2/transactions/consumption/([^/]+)", self._consumption),
            ("POST", "v1/notifications/history", self._notifications),
            ("POST", "v1/notifications/test", self._test),
            ("GET", "v1/notifications/test/([^/]+)", self._test_status),
        ]
        return [
            Route(method, f"/({'|'.join(ENVIRONMENTS)})/inApps/{pattern}", self._guarded(handler))
            for method, pattern, handler in addresses
        ]

    def _guarded(self, handler: Handler) -> Callable[[Request, "re.Match[str]"], Answer]:
        def answer(request: Request, match: "re.Match[str]") -> Answer:
            self._authenticate(request)
            self._shop.catch_up()
            return handler(request, match, ENVIRONMENTS[match[1]])

        return answer

    def _authenticate(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme != "Bearer" or jwt.get_unverified_header(token).get("kid") != (
                self._credentials.key_id
            ):
                raise jwt.InvalidTokenError("no token of this key")
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["ES256"],
                audience=AUDIENCE,
                issuer=self._credentials.issuer_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise Rejected(Answer(401, b"Unauthenticated\n\n", "text/plain")) from error
        if (
            claims["exp"] - claims["iat"] > TOKEN_MAXIMUM_SECONDS
            or claims.get("bid") != self._shop.app.bundle_id
        ):
            raise Rejected(Answer(401, b"Unauthenticated\n\n", "text/plain"))

    def _transaction(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        with self._shop.books.reading() as books:
            purchase = _purchase(books, match[2], environment)
            return Answer.of({"signedTransactionInfo": self._signed(purchase)})

    def _history(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        with self._shop.books.reading() as books:
            purchases = _of_owner(books, _purchase(books, match[2], environment))
            return self._page(request, purchases, environment)

    def _refunds(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        with self._shop.books.reading() as books:
            purchases = _of_owner(books, _purchase(books, match[2], environment))
            refunded = sorted(
                (one for one in purchases if one.revocation),
                key=lambda one: one.revocation["revocationDate"],
            )
            return self._page(request, refunded, environment)

    def _statuses(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        groups: dict[str, list[dict[str, Any]]] = {}
        with self._shop.books.reading() as books:
            for one in _of_owner(books, _purchase(books, match[2], environment)):
                subscription = books.subscriptions.get(one.original_transaction_id)
                if subscription is None or subscription.last != one.transaction_id:
                    continue
                now = self._shop.now()
                groups.setdefault(one.group or "", []).append(
                    {
                        "originalTransactionId": one.original_transaction_id,
                        "status": subscription.status,
                        "signedTransactionInfo": self._signed(one),
                        "signedRenewalInfo": self._shop.authority.sign(
                            subscription.payload(one, now)
                        ),
                    }
                )
        data = [
            {"subscriptionGroupIdentifier": group, "lastTransactions": lasts}
            for group, lasts in groups.items()
        ]
        return Answer.of({**self._app(environment), "data": data})

    def _consumption(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        told = _read(request, Consumption)
        with self._shop.books.changing() as books:
            purchase = _purchase(books, match[2], environment)
            _check(told, purchase)
            books.consumption.append(
                {"transactionId": match[2], **msgspec.to_builtins(told), "at": self._shop.now()}
            )
        return Answer(status=202)

    def _notifications(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        window = _read(request, Window)
        if window.start_date < self._shop.now() - HISTORY_MILLISECONDS:
            raise _refused(400, 4000012, "The start date is earlier than the earliest allowed.")
        if window.start_date >= window.end_date:
            raise _refused(400, 4000013, "The end date is not later than the start date.")
        start = _mark(request.argument("paginationToken"), 4000014)
        arrived = self._shop.arrived()
        with self._shop.books.reading() as books:
            found = [
                one
                for one in books.notices
                if one.environment == environment
                and window.start_date <= one.signed_at <= window.end_date
                and not (window.only_failures and one.uuid in arrived)
                and _is_about(one, window.transaction_id)
            ]
        told: dict[str, Any] = {
            "notificationHistory": [
                {"signedPayload": self._shop.signed_payload(one), "sendAttempts": []}
                for one in found[start : start + PAGE]
            ],
            "hasMore": start + PAGE < len(found),
        }
        if told["hasMore"]:
            told["paginationToken"] = str(start + PAGE)
        return Answer.of(told)

    def _test(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        if not self._shop.app.notify.get(environment):
            raise _refused(404, 4040007, "No App Store Server Notification URL found.")
        return Answer.of({"testNotificationToken": self._shop.test(environment)})

    def _test_status(self, request: Request, match: "re.Match[str]", environment: str) -> Answer:
        with self._shop.books.reading() as books:
            for one in books.notices:
                if one.uuid == match[2] and one.type == "TEST" and one.environment == environment:
                    return Answer.of({"signedPayload": self._shop.signed_payload(one)})
        raise _refused(404, 4040008, "Either the test notification token is expired or unknown.")

    def _signed(self, purchase: Purchase) -> str:
        return self._shop.authority.sign(purchase.payload(self._shop.now()))

    def _page(self, request: Request, purchases: Sequence[Purchase], environment: str) -> Answer:
        start = _mark(request.argument("revision"), 4000005)
        end = min(start + PAGE, len(purchases))
        return Answer.of(
            {
                **self._app(environment),
                "revision": str(end),
                "hasMore": end < len(purchases),
                "signedTransactions": [self._signed(one) for one in purchases[start:end]],
            }
        )

    def _app(self, environment: str) -> dict[str, Any]:
        app = self._shop.app
        return {
            "environment": environment,
            "bundleId": app.bundle_id,
            "appAppleId": app.app_apple_id,
        }


def _purchase(books: Books, transaction_id: str, environment: str) -> Purchase:
    if not transaction_id.isdecimal():
        raise _refused(400, 4000006, "Invalid transaction id.")
    found = books.purchases.get(transaction_id)
    if found is None or found.environment != environment:
        raise _refused(404, 4040010, "Transaction id not found.")
    return found


def _of_owner(books: Books, purchase: Purchase) -> list[Purchase]:
    """Everything of the same account; without one, of the same original transaction."""
    token, original = purchase.account_token, purchase.original_transaction_id
    return [
        one
        for one in books.purchases.values()
        if one.environment == purchase.environment
        and (one.account_token == token if token else one.original_transaction_id == original)
    ]


def _check(told: Consumption, purchase: Purchase) -> None:
    percentage, preference = told.consumption_percentage, told.refund_preference
    if not told.customer_consented:
        raise _refused(400, 4000035, "Invalid request. The customer consented field is invalid.")
    if told.delivery_status not in DELIVERY_STATUSES:
        raise _refused(400, 4000036, "Invalid request. The delivery status field is invalid.")
    if preference is not None and preference not in PREFERENCES:
        raise _refused(400, 4000044, "Invalid request. The refund preference field is invalid.")
    if percentage is not None and not 0 <= percentage <= 100_000:
        raise _refused(400, 4000000, "Bad request. The consumption percentage is invalid.")
    if preference == "GRANT_PRORATED":
        is_subscription = purchase.type == AUTO_RENEWABLE
        if (percentage is not None) if is_subscription else not percentage:
            raise _refused(400, 4000000, "Bad request. The consumption percentage is invalid.")


def _is_about(notice: Notice, transaction_id: str | None) -> bool:
    told = notice.transaction or {}
    return transaction_id is None or transaction_id in {
        told.get("transactionId"),
        told.get("originalTransactionId"),
    }


def _mark(text: str, code: int) -> int:
    if text and not text.isdecimal():
        raise _refused(400, code, "Invalid request. The mark of the page is invalid.")
    return int(text or 0)


def _read(request: Request, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(request.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(400, 4000000, f"Bad request. {error}") from error


def _refused(status: int, code: int, message: str) -> Rejected:
    return Rejected(Answer.of({"errorCode": code, "errorMessage": message}, status=status))
