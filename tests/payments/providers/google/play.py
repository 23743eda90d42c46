"""A Google that answers as it is told, over a transport that takes the place of the network."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm

from payments.providers.base import RawMessage
from payments.providers.google.adapter import GoogleAdapter
from payments.providers.google.settings import GoogleSettings

PAYLOADS = Path(__file__).parents[2] / "payloads" / "google_play"
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
PACKAGE = "com.example.drama"
TOKEN = "opaque-token.AO-J1Ox_1"
AUDIENCE = "https://api.example.com/v1/stores/google"
EMAIL = "push@example.iam.gserviceaccount.com"
SUBSCRIBED = "GPA.5555-6666-7777-88888"
SUBSCRIPTION = "projects/example/subscriptions/play"

KEY = generate_private_key(65537, 2048)
OTHER_KEY = generate_private_key(65537, 2048)
ACCOUNT_KEY = generate_private_key(65537, 2048)

Answering = Callable[[httpx.Request], httpx.Response]


def settings(**changes: Any) -> GoogleSettings:
    """Of one app, on a Google that is nowhere."""
    pem = ACCOUNT_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    given = {
        "package_name": PACKAGE,
        "service_account": {
            "type": "service_account",
            "client_email": "reader@example.iam.gserviceaccount.com",
            "private_key": pem,
            "token_uri": "https://nowhere.invalid/token",
        },
        "push_audience": AUDIENCE,
        "push_email": EMAIL,
        "push_subscription": SUBSCRIPTION,
        "api_url": "https://play.test",
        "token_url": "https://play.test/token",
        "keys_url": "https://play.test/certs",
    }
    return GoogleSettings(**(given | changes))


class Play:
    """Answers by path below the app, 404 otherwise. `asked` is what was asked, tokens and keys aside."""

    def __init__(self, **changes: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[httpx.Request] = []
        self.tokens = 0
        self.keys_asked = 0
        self.documents: Answering = lambda _: httpx.Response(200, json=jwks(KEY))
        self.access: Answering = lambda _: httpx.Response(
            200, json={"access_token": f"ya29.{self.tokens}", "expires_in": 3600}
        )
        self.adapter = GoogleAdapter(settings(**changes), http=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.tokens += 1
            return self.access(request)
        if request.url.path == "/certs":
            self.keys_asked += 1
            return self.documents(request)
        self.asked.append(request)
        path = request.url.path.removeprefix(f"/androidpublisher/v3/applications/{PACKAGE}/")
        answer = self.answers.get(path)
        if answer is None:
            return refusal(404, "notFound")
        if callable(answer):
            made: httpx.Response = answer(request)
            return made
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def has_product(self, token: str = TOKEN, **changes: Any) -> None:
        """Google knows a purchase by this token."""
        self.answers[f"purchases/productsv2/tokens/{token}"] = product(**changes)

    def has_subscription(
        self, state: str = "ACTIVE", *, token: str = TOKEN, **changes: Any
    ) -> None:
        """Google knows a subscription by this token, and the order of its first period but of a test's."""
        self.answers[f"purchases/subscriptionsv2/tokens/{token}"] = subscription(state, **changes)
        if changes.get("testPurchase") is None:
            first = order(orderId=SUBSCRIBED, lineItems=[order_line("vip", **period())])
            self.answers.setdefault(f"orders/{SUBSCRIBED}", first)

    def has_order(self, **changes: Any) -> None:
        """Google knows an order."""
        made = order(**changes)
        self.answers[f"orders/{made['orderId']}"] = made


def refusal(
    status: int, reason: str = "", *, message: str = "no", **headers: str
) -> httpx.Response:
    """As Google says no."""
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    return httpx.Response(status, json={"error": error}, headers=headers)


def product(**changes: Any) -> dict[str, Any]:
    """A ProductPurchaseV2 of one pack of coins, paid; None takes a member away."""
    made = {
        "kind": "androidpublisher#productPurchaseV2",
        "orderId": "GPA.1111-2222-3333-44444",
        "productLineItem": [line()],
        "purchaseStateContext": {"purchaseState": "PURCHASED"},
        "purchaseCompletionTime": "2026-11-28T11:59:00.250Z",
        "acknowledgementState": "ACKNOWLEDGEMENT_STATE_PENDING",
        "regionCode": "AU",
        "obfuscatedExternalAccountId": "0192f0a0-0000-7000-8000-000000000001",
        "obfuscatedExternalProfileId": "0192f0a0-0000-7000-8000-000000000002",
    }
    return _changed(made, changes)


def line(product_id: str = "coins_500", **details: Any) -> dict[str, Any]:
    """A ProductLineItem."""
    given = {"quantity": 1, "consumptionState": "CONSUMPTION_STATE_YET_TO_BE_CONSUMED"}
    return {"productId": product_id, "productOfferDetails": given | details}


def order(**changes: Any) -> dict[str, Any]:
    """An Order of one pack of coins."""
    made = {
        "orderId": "GPA.1111-2222-3333-44444",
        "purchaseToken": TOKEN,
        "state": "PROCESSED",
        "createTime": "2026-11-28T11:58:00Z",
        "lineItems": [order_line()],
        "orderHistory": {"processedEvent": {"eventTime": "2026-11-28T11:59:00Z"}},
    }
    return _changed(made, changes)


def order_line(product_id: str = "coins_500", **changes: Any) -> dict[str, Any]:
    """A LineItem of an order."""
    made = {
        "productId": product_id,
        "total": money("4", 990_000_000),
        "oneTimePurchaseDetails": {"quantity": 1},
    }
    return _changed(made, changes)


def period(starts: str = "2026-11-28T11:00:00Z", ends: str = "2026-12-28T11:00:00Z") -> Any:
    """The members of an order's line that make it one of a subscription."""
    return {
        "oneTimePurchaseDetails": None,
        "subscriptionDetails": {"servicePeriodStartTime": starts, "servicePeriodEndTime": ends},
    }


def money(units: str, nanos: int = 0, currency: str = "AUD") -> dict[str, Any]:
    return {"currencyCode": currency, "units": units, "nanos": nanos}


def subscription(state: str = "ACTIVE", **changes: Any) -> dict[str, Any]:
    """A SubscriptionPurchaseV2."""
    made = {
        "subscriptionState": f"SUBSCRIPTION_STATE_{state}",
        "startTime": "2026-11-28T11:00:00Z",
        "latestOrderId": SUBSCRIBED,
        "acknowledgementState": "ACKNOWLEDGEMENT_STATE_PENDING",
        "externalAccountIdentifiers": {
            "obfuscatedExternalAccountId": "0192f0a0-0000-7000-8000-000000000001"
        },
        "lineItems": [subscription_line()],
    }
    return _changed(made, changes)


def subscription_line(product_id: str = "vip", **changes: Any) -> dict[str, Any]:
    """A SubscriptionPurchaseLineItem that renews."""
    made = {
        "productId": product_id,
        "expiryTime": "2026-12-28T11:00:00Z",
        "latestSuccessfulOrderId": SUBSCRIBED,
        "autoRenewingPlan": {"autoRenewEnabled": True, "recurringPrice": money("16", 990_000_000)},
        "offerDetails": {"basePlanId": "monthly"},
    }
    return _changed(made, changes)


def _changed(made: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


# --- pushes -----------------------------------------------------------------------------------------


def jwks(*keys: RSAPrivateKey, first_id: int = 1) -> dict[str, Any]:
    """A key document; the keys' ids are numbers."""
    return {
        "keys": [
            {
                **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                "kid": str(number),
                "alg": "RS256",
                "use": "sig",
            }
            for number, key in enumerate(keys, first_id)
        ]
    }


def claims(**changes: Any) -> dict[str, Any]:
    """What Google says of a push that is ours; None takes a claim away."""
    issued = int(NOW.timestamp()) - 60
    made = {
        "aud": AUDIENCE,
        "azp": "113774264463038321964",
        "email": EMAIL,
        "email_verified": True,
        "exp": issued + 3600,
        "iat": issued,
        "iss": "https://accounts.google.com",
        "sub": "113774264463038321964",
    }
    return _changed(made, changes)


def bearer(key: RSAPrivateKey = KEY, *, kid: str = "1", **changes: Any) -> str:
    """A token that says whatever is wanted, signed well."""
    said = json.dumps(claims(**changes)).encode()
    return jwt.api_jws.encode(said, key, "RS256", headers={"kid": kid, "typ": "JWT"})


def data(**notification: Any) -> bytes:
    """A DeveloperNotification, at the moment of the push."""
    made = {
        "version": "1.0",
        "packageName": PACKAGE,
        "eventTimeMillis": str(int((NOW - timedelta(minutes=1)).timestamp() * 1000)),
    }
    return json.dumps(_changed(made, notification)).encode()


def push(content: bytes = b"", *, token: str | None = None, **envelope: Any) -> RawMessage:
    """A push of Pub/Sub, signed for us unless a token is given."""
    message = {
        "data": base64.b64encode(content or data(testNotification={"version": "1.0"})).decode(),
        "messageId": "136969346945",
        "publishTime": "2026-11-28T11:59:30Z",
        "attributes": {},
    }
    body = {"message": message, "subscription": SUBSCRIPTION} | envelope
    return RawMessage(
        {"authorization": f"Bearer {bearer() if token is None else token}"},
        json.dumps(body).encode(),
    )


def hint(token: str = TOKEN, kind: int = 4) -> RawMessage:
    """A push about a subscription."""
    return push(data(subscriptionNotification={"notificationType": kind, "purchaseToken": token}))
