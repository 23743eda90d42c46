"""System checks that refuse settings under which the service would be unsafe.

They run with every management command and before the web server takes traffic. Each has an id to
silence or search for, and a hint that says what to do.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured

from config import keyring

MINIMUM_SECRET_KEY_CHARACTERS = 50
MINIMUM_ADDRESS_SECRET = re.compile(r"[A-Za-z0-9_-]{32,100}")


def _refuse(code: str, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"cliffhanger.{code}")


def _secret_key() -> CheckMessage | None:
    try:
        characters = len(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django's answer to an empty one, whoever asks
        characters = 0
    if characters >= MINIMUM_SECRET_KEY_CHARACTERS:
        return None
    return _refuse(
        "E001",
        f"SECRET_KEY is missing or shorter than {MINIMUM_SECRET_KEY_CHARACTERS} characters.",
        "Set SECRET_KEY, or SECRET_KEY_FILE, to a long random text.",
    )


def _keyring() -> CheckMessage | None:
    try:
        keyring.parse(settings.KEYRING)
    except keyring.BadKeyring as error:
        return _refuse(
            "E002",
            f"KEYRING cannot be used: {error}.",
            "Make one with `manage.py new_key`, and set KEYRING or KEYRING_FILE.",
        )
    return None


def _hosts() -> CheckMessage | None:
    if settings.ALLOWED_HOSTS and not any("*" in host for host in settings.ALLOWED_HOSTS):
        return None
    return _refuse(
        "E003", "ALLOWED_HOSTS is empty or a wildcard.", "Name the hosts this service answers to."
    )


def _debug() -> CheckMessage | None:
    if not settings.DEBUG:
        return None
    return _refuse("E004", "DEBUG is on.", "Unset DEBUG; its pages show settings and code.")


def _simulated_clock() -> CheckMessage | None:
    if not settings.SIMULATED_CLOCK:
        return None
    return _refuse(
        "E005",
        "SIMULATED_CLOCK is on: a caller with a signed header could choose the time.",
        "Unset SIMULATED_CLOCK.",
    )


def _fake_store() -> CheckMessage | None:
    if not settings.FAKE_STORE:
        return None
    return _refuse(
        "E006", "FAKE_STORE is on: anybody could buy coins for nothing.", "Unset FAKE_STORE."
    )


def _fake_ad_network() -> CheckMessage | None:
    if not settings.FAKE_AD_NETWORK:
        return None
    return _refuse(
        "E010",
        "FAKE_AD_NETWORK is on: anybody could open episodes without watching an ad.",
        "Unset FAKE_AD_NETWORK.",
    )


def _ad_keys() -> CheckMessage | None:
    if settings.ADMOB_KEYS_URL.lower().startswith("https://"):
        return None
    return _refuse(
        "E011",
        "ADMOB_KEYS_URL is not https: who is on the way could hand us a key of their own.",
        "Unset ADMOB_KEYS_URL, or name an https address.",
    )


def _store_addresses() -> CheckMessage | None:
    names = (
        "APPLE_API_URL",
        "APPLE_SANDBOX_API_URL",
        "GOOGLE_API_URL",
        "GOOGLE_TOKEN_URL",
        "GOOGLE_KEYS_URL",
        "STRIPE_API_URL",
    )
    wrong = [name for name in names if not getattr(settings, name).lower().startswith("https://")]
    if not wrong:
        return None
    return _refuse(
        "E012",
        f"{', '.join(wrong)}: not https. Who is on the way could say that anything was paid.",
        "Unset them, or name https addresses.",
    )


def _store_root() -> CheckMessage | None:
    if not settings.APPLE_ROOT_CERTIFICATE:
        return None
    return _refuse(
        "E013",
        "APPLE_ROOT_CERTIFICATE is set: whoever has its key could sell for nothing.",
        "Unset APPLE_ROOT_CERTIFICATE.",
    )


def _ad_callback_secret() -> CheckMessage | None:
    covers_little = settings.PANGLE_SECURITY_KEYS or (
        settings.APPLOVIN_EVENT_KEYS and settings.APPLOVIN_TEMPLATE == "event_token"
    )
    secret = settings.AD_CALLBACK_SECRET
    if MINIMUM_ADDRESS_SECRET.fullmatch(secret) or not (secret or covers_little):
        return None
    return _refuse(
        "E014",
        "AD_CALLBACK_SECRET is missing, short, or no part of an address: an ad network's signature that "
        "covers little would stand alone.",
        "Set AD_CALLBACK_SECRET to 32 or more letters and digits.",
    )


def _provisional_ads() -> CheckMessage | None:
    if not settings.PROVISIONAL_AD_NETWORKS:
        return None
    return Caution(
        "PROVISIONAL_AD_NETWORKS is set: apps are believed that their ads were watched.",
        hint="Keep those placements' rewards small, and unset it where nobody shows such ads.",
        id="cliffhanger.W002",
    )


def _database_role() -> CheckMessage | None:
    if settings.DATABASE_ROLE:
        return None
    return _refuse(
        "E007",
        "DATABASE_ROLE is empty: the application could rewrite the ledger.",
        "Leave DATABASE_ROLE unset, or name the role the service should assume.",
    )


def _second_factor() -> CheckMessage | None:
    if settings.ADMIN_SECOND_FACTOR:
        return None
    return _refuse(
        "E008", "ADMIN_SECOND_FACTOR is off.", "Unset it; staff pages move money and prices."
    )


def _durable() -> CheckMessage | None:
    if settings.EMBEDDED_DURABLE:
        return None
    return _refuse(
        "E009",
        "EMBEDDED_DURABLE is off: an acknowledged payment could be lost with the power.",
        "Unset EMBEDDED_DURABLE.",
    )


def _cache_apart() -> CheckMessage | None:
    if settings.CACHE_URL != settings.REDIS_URL:
        return None
    return Caution(
        "The cache and the task queue share one Redis.",
        hint="Set CACHE_URL to a second process: an evicting cache drops queued tasks.",
        id="cliffhanger.W001",
    )


PRODUCTION_CHECKS: Sequence[Callable[[], CheckMessage | None]] = (
    _secret_key,
    _keyring,
    _hosts,
    _debug,
    _simulated_clock,
    _fake_store,
    _fake_ad_network,
    _ad_keys,
    _store_addresses,
    _store_root,
    _ad_callback_secret,
    _provisional_ads,
    _database_role,
    _second_factor,
    _durable,
    _cache_apart,
)


@register(Tags.security)
def production_is_safe(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Every unsafe value of a production process, each as its own message."""
    if not settings.PRODUCTION:
        return []
    return [message for check in PRODUCTION_CHECKS if (message := check()) is not None]
