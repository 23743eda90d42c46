"""A store that could not be believed keeps the service from starting."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
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
STRIPE = {"STRIPE_SECRET_KEY": "sk_live_abc", "STRIPE_WEBHOOK_SECRETS": "whsec_abc"}


def complaints(settings: Settings, changes: dict[str, Any]) -> list[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    return [str(found.msg) for found in run_checks(tags=["stores"])]


@pytest.mark.parametrize("changes", [{}, APPLE, STRIPE, APPLE | STRIPE])
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
        (STRIPE | {"STRIPE_SECRET_KEY": "sk_test_abc"}, "none of Stripe's production"),
        (STRIPE | {"STRIPE_WEBHOOK_SECRETS": ""}, "anybody could sign"),
        ({"GOOGLE_PACKAGE_NAME": "com.example.app", "GOOGLE_SERVICE_ACCOUNT": "{"}, ""),
    ],
)
def test_names_what_stands_against_a_store(
    settings: Settings, changes: dict[str, Any], why: str
) -> None:
    (found,) = complaints(settings, changes)

    assert why in found
