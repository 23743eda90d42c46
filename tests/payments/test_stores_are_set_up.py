"""A store that could not be believed keeps the service from starting."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.checks import run_checks
from pytest_django.fixtures import Settings

KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
APPLE = {
    "APPLE_APPS": ["com.example.app:1234567890"],
    "APPLE_ENVIRONMENTS": ["production", "sandbox"],
    "APPLE_ISSUER_ID": "issuer",
    "APPLE_KEY_ID": "KEYID12345",
    "APPLE_PRIVATE_KEY": KEY,
}
ACCOUNT = {
    "type": "service_account",
    "client_email": "reader@example.iam.gserviceaccount.com",
    "private_key": rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
}
GOOGLE = {
    "GOOGLE_PACKAGE_NAME": "com.example.app",
    "GOOGLE_SERVICE_ACCOUNT": json.dumps(ACCOUNT),
    "GOOGLE_PUSH_AUDIENCE": "https://api.example.com/v1/webhooks/google",
    "GOOGLE_PUSH_EMAIL": "push@example.iam.gserviceaccount.com",
    "GOOGLE_PUSH_SUBSCRIPTION": "projects/example/subscriptions/play",
}
STRIPE = {"STRIPE_SECRET_KEY": "sk_live_abc", "STRIPE_WEBHOOK_SECRETS": "whsec_abc"}


def complaints(settings: Settings, changes: dict[str, Any]) -> list[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    return [str(found.msg) for found in run_checks(tags=["stores"])]


@pytest.mark.parametrize("changes", [{}, APPLE, GOOGLE, STRIPE, APPLE | GOOGLE | STRIPE])
def test_says_nothing_of_stores_that_can_be_believed(
    settings: Settings, changes: dict[str, Any]
) -> None:
    assert complaints(settings, changes) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (APPLE | {"APPLE_ENVIRONMENTS": ["production", "xcode"]}, "environments are"),
        (APPLE | {"APPLE_ENVIRONMENTS": ["local_testing"]}, "environments are"),
        (APPLE | {"APPLE_ENVIRONMENTS": []}, "environments are"),
        (APPLE | {"APPLE_APPS": ["com.example.app"]}, "needs its app's number"),
        (APPLE | {"APPLE_ROOT_CERTIFICATE": "/nowhere/root.cer"}, "No such file"),
        (APPLE | {"APPLE_ISSUER_ID": ""}, "issuer id and its key id"),
        (APPLE | {"APPLE_KEY_ID": ""}, "issuer id and its key id"),
        (APPLE | {"APPLE_APPS": [":1234567890"]}, "bundle id is empty"),
        (STRIPE | {"STRIPE_SECRET_KEY": "sk_test_abc"}, "none of Stripe's production"),
        (STRIPE | {"STRIPE_WEBHOOK_SECRETS": ""}, "anybody could sign"),
        (GOOGLE | {"GOOGLE_SERVICE_ACCOUNT": "{"}, ""),
        (GOOGLE | {"GOOGLE_SERVICE_ACCOUNT": "[]"}, ""),
        (GOOGLE | {"GOOGLE_SERVICE_ACCOUNT": json.dumps(ACCOUNT | {"private_key": "no"})}, ""),
        (GOOGLE | {"GOOGLE_PACKAGE_NAME": "app"}, "no package name"),
        (GOOGLE | {"GOOGLE_PUSH_AUDIENCE": ""}, "audience"),
        (GOOGLE | {"GOOGLE_PUSH_EMAIL": ""}, "anybody could"),
        (GOOGLE | {"GOOGLE_PUSH_SUBSCRIPTION": "play"}, "projects/"),
    ],
)
def test_names_what_stands_against_a_store(
    settings: Settings, changes: dict[str, Any], why: str
) -> None:
    (found,) = complaints(settings, changes)

    assert why in found
