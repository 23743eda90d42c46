"""What the tests of the App Store share: a store of our own, its payloads, and Apple's."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from demo.stores.apple.authority import Authority
from payments.providers.apple.adapter import AppleAdapter
from payments.providers.apple.settings import AppleSettings
from payments.providers.base import Fault, ProviderError, RawMessage

PAYLOADS = Path(__file__).parents[2] / "payloads" / "apple"
LOCAL = Path(__file__).resolve().parents[5] / "shared" / "vectors" / "local_only" / "apple"
#: Apple's own signature, of a consumable in Japan.
CONSUMABLE = (PAYLOADS / "consumable_transaction.jws").read_text(encoding="ascii").strip()
CONSUMABLE_BUNDLE = "com.goodheartapp"
SESSION_BUNDLE = "com.loki-project.loki-messenger"
SESSION_APP = 1470168868
BUNDLE = "app.cliffhanger"
APP = 1914
NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
TOKEN = "7e3fb20b-4cdb-47cc-936d-99d65f608138"
STORE = Authority.made(NOW)
KEY = ec.generate_private_key(ec.SECP256R1())
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def settings(**changed: Any) -> AppleSettings:
    """Of an app that is sold in a store with our own root."""
    return AppleSettings(
        **{
            "apps": {BUNDLE: APP},
            "issuer_id": "57246542-96fe-1a63-e053-0824d011072a",
            "key_id": "2X9R4HXF34",
            "private_key": KEY_PEM,
            "root_certificate": STORE.root,
        }
        | changed
    )


def apples_settings(**changed: Any) -> AppleSettings:
    """Of apps that are sold by Apple."""
    return AppleSettings(
        **{
            "apps": {SESSION_BUNDLE: SESSION_APP, CONSUMABLE_BUNDLE: 1},
            "issuer_id": "issuer",
            "key_id": "key",
            "private_key": KEY_PEM,
        }
        | changed
    )


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there", request=request)


def adapter(given: AppleSettings | None = None, answer: Any = unreachable) -> AppleAdapter:
    """An adapter whose store answers so, by default not at all."""
    return AppleAdapter(given or settings(), transport=httpx.MockTransport(answer))


def transaction(**changed: Any) -> dict[str, Any]:
    """A consumable, signed now in production. None leaves a member out."""
    payload = {
        "transactionId": "2000000000000001",
        "originalTransactionId": "2000000000000001",
        "bundleId": BUNDLE,
        "productId": "coins.500",
        "purchaseDate": milliseconds(NOW),
        "originalPurchaseDate": milliseconds(NOW),
        "quantity": 1,
        "type": "Consumable",
        "appAccountToken": TOKEN,
        "inAppOwnershipType": "PURCHASED",
        "signedDate": milliseconds(NOW),
        "environment": "Production",
        "transactionReason": "PURCHASE",
        "price": 4990,
        "currency": "USD",
    } | changed
    return {name: value for name, value in payload.items() if value is not None}


def period(**changed: Any) -> dict[str, Any]:
    """The first month of a subscription."""
    return transaction(
        **{
            "productId": "vip.month",
            "type": "Auto-Renewable Subscription",
            "subscriptionGroupIdentifier": "21000000",
            "expiresDate": milliseconds(NOW + timedelta(days=30)),
            "price": 9990,
        }
        | changed
    )


def renewal(**changed: Any) -> dict[str, Any]:
    """What is to become of that subscription: it renews as it is."""
    payload = {
        "originalTransactionId": "2000000000000001",
        "productId": "vip.month",
        "autoRenewProductId": "vip.month",
        "autoRenewStatus": 1,
        "signedDate": milliseconds(NOW),
        "environment": "Production",
        "renewalDate": milliseconds(NOW + timedelta(days=30)),
        "renewalPrice": 9990,
        "currency": "USD",
    } | changed
    return {name: value for name, value in payload.items() if value is not None}


def notification(
    type_: str,
    subtype: str | None = None,
    *,
    of: Mapping[str, Any] | None = None,
    renewing: Mapping[str, Any] | None = None,
    at: datetime = NOW,
    store: Authority = STORE,
    about: Mapping[str, Any] | None = None,
    **changed: Any,
) -> RawMessage:
    """A notification that the store signed. `about` changes its data, `changed` itself."""
    data: dict[str, Any] = {"appAppleId": APP, "bundleId": BUNDLE, "environment": "Production"}
    if of is not None:
        data["signedTransactionInfo"] = store.sign(of)
    if renewing is not None:
        data |= {"signedRenewalInfo": store.sign(renewing), "status": 1}
    payload = {
        "notificationType": type_,
        "subtype": subtype,
        "notificationUUID": "002e14d5-51f5-4503-b5a8-c3a1af68eb20",
        "version": "2.0",
        "signedDate": milliseconds(at),
        "data": data | dict(about or {}),
    } | changed
    return message(store.sign({k: v for k, v in payload.items() if v is not None}))


def message(signed: str) -> RawMessage:
    return RawMessage({}, json.dumps({"signedPayload": signed}).encode())


def apples_notification(name: str) -> RawMessage:
    """A notification that Apple signed in its sandbox, of somebody else's app."""
    path = LOCAL / f"{name}.jws"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return message(path.read_text(encoding="ascii").strip())


def refusal(ask: Any) -> tuple[Fault, str]:
    """How something is refused."""
    with pytest.raises(ProviderError) as refused:
        ask()
    return refused.value.fault, refused.value.reason
