"""An operator's authenticator and recovery codes, kept by django-otp.

Codes, their replay guard and their throttle live in real time: django-otp reads the machine's
clock itself, and a simulated one must not make an old code good again.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from datetime import datetime

import django_otp
from django.contrib.auth.models import User
from django.db import transaction
from django_otp.models import Device
from django_otp.oath import hotp
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import clock

RECOVERY_CODES = 10
#: RFC 4226 section 4, requirement R6: a shared secret has at least 128 bits.
MINIMUM_SECRET_BYTES = 16
MAXIMUM_SECRET_BYTES = 40


class CodeRefused(Exception):
    """The code opens nothing; the message says why, for the person who typed it."""


class SecretInvalid(Exception):
    """A TOTP secret that no authenticator would take; the message says why."""


class NoCode(Exception):
    """There is no code to show for this operator now; the message says why."""


def is_enrolled(user: User) -> bool:
    """True once the operator has confirmed an authenticator; from then on a code is asked."""
    enrolled: bool = django_otp.user_has_device(user)
    return enrolled


def begin_enrolment(user: User, *, pending_id: int | None) -> TOTPDevice:
    """The authenticator that this session is about to confirm, made anew unless it has one.

    A new one replaces every pending one of the operator: a secret that somebody else was shown
    with the same password can then no longer be confirmed.
    """
    pending = TOTPDevice.objects.filter(user=user, confirmed=False)
    found = pending.filter(id=pending_id).first()
    if found is not None:
        return found
    pending.delete()
    return TOTPDevice.objects.create(user=user, name="Authenticator", confirmed=False)


def confirm_enrolment(user: User, *, pending_id: int | None, code: str) -> TOTPDevice:
    """Makes the pending authenticator the operator's second factor. Raises CodeRefused.

    Refused too when another session has enrolled in between: a password alone never adds a factor
    to an account that has one.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(id=user.id)
        device = TOTPDevice.objects.filter(user=user, confirmed=False, id=pending_id).first()
        if device is None or is_enrolled(user):
            refusal = "This enrolment was replaced by another one. Start again."
        elif pause := _pause(device):
            refusal = pause
        elif not device.verify_token(_plain(code)):
            refusal = "This is not the code your app shows. Check its clock, and try the next one."
        else:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            return device
    # Raised outside, so that the failed attempt is committed and the throttle sees it.
    raise CodeRefused(refusal)


def verify(user: User, *, code: str) -> Device:
    """The device that `code` proves; each code works once. Raises CodeRefused."""
    plain = _plain(code)
    kind = TOTPDevice if len(plain) == 6 and plain.isdigit() else StaticDevice
    device = kind.objects.filter(user=user, confirmed=True).first()
    if device is None:
        raise CodeRefused("This is neither a code of your app nor a recovery code.")
    if pause := _pause(device):
        raise CodeRefused(pause)
    if django_otp.verify_token(user, device.persistent_id, plain) is None:
        raise CodeRefused("This code is wrong, or was used before.")
    return device


def replace_recovery_codes(user: User) -> Sequence[str]:
    """New recovery codes; every older one stops working. They are shown once and not again."""
    with transaction.atomic():
        User.objects.select_for_update().get(id=user.id)
        device, _ = StaticDevice.objects.get_or_create(
            user=user, defaults={"name": "Recovery codes"}
        )
        device.token_set.all().delete()
        codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
        device.token_set.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def recovery_codes_left(user: User) -> int:
    """How many recovery codes were not used yet."""
    left: int = StaticToken.objects.filter(device__user=user).count()
    return left


def provision(user: User, *, secret: bytes) -> TOTPDevice:
    """Gives an operator a confirmed authenticator whose secret was agreed outside the web."""
    return TOTPDevice.objects.create(user=user, name="Authenticator", key=secret.hex())


def forget(user: User) -> None:
    """Takes the second factor away. Joins the caller's transaction, which must end the sessions:
    one that knew only the password could otherwise enrol an authenticator of its own.
    """
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()


def current_code(user: User, *, at: datetime) -> str:
    """A code that the operator could type now: this half minute's, or the next if it was used.

    Raises NoCode without an authenticator, or when both were used already.
    """
    device = TOTPDevice.objects.filter(user=user, confirmed=True).first()
    if device is None:
        raise NoCode(f"{user.get_username()} has no authenticator.")
    present = (int(at.timestamp()) - device.t0) // device.step
    step = max(present, device.last_t + 1)
    if step > present + device.tolerance:
        wait_seconds = device.t0 + (step - device.tolerance) * device.step - int(at.timestamp())
        raise NoCode(f"The codes of this minute are used up. Ask again in {wait_seconds} s.")
    return f"{hotp(device.bin_key, step, device.digits):0{device.digits}d}"


def read_secret(text: str) -> bytes:
    """A secret written in base32, as authenticators show it. Raises SecretInvalid."""
    plain = _plain(text).upper().rstrip("=")
    try:
        secret = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except (binascii.Error, ValueError) as error:
        raise SecretInvalid("The secret is not base32.") from error
    if not MINIMUM_SECRET_BYTES <= len(secret) <= MAXIMUM_SECRET_BYTES:
        raise SecretInvalid(
            f"The secret has {len(secret)} bytes; {MINIMUM_SECRET_BYTES} to "
            f"{MAXIMUM_SECRET_BYTES} are needed."
        )
    return secret


def written_secret(device: TOTPDevice) -> str:
    """The secret in base32, for typing it into an authenticator by hand."""
    return base64.b32encode(device.bin_key).decode().rstrip("=")


def _plain(code: str) -> str:
    """What was meant: apps group digits, people write recovery codes in capitals."""
    return "".join(code.replace("-", " ").split()).lower()


def _pause(device: Device) -> str:
    """Why no code is taken at this moment, right or wrong; empty when one would be."""
    is_allowed, pause = device.verify_is_allowed()
    if is_allowed:
        return ""
    wait_seconds = max(math.ceil((pause["locked_until"] - clock.read()).total_seconds()), 1)
    return (
        f"Wrong codes in a row: {pause['failure_count']}. "
        f"The next one is looked at in {wait_seconds} s."
    )
