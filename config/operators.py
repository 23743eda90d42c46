"""Operators: the staff who sign in to the admin."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from config.second_factor import devices

GENERATED_PASSWORD_BYTES = 15
GENERATED_SECRET_BYTES = 20


class OperatorRefused(Exception):
    """The operator cannot be made; the message says why."""


@dataclass(frozen=True)
class NewOperator:
    """An operator just made, with the credentials that are known only at this moment."""

    user: User
    password: str
    otpauth_url: str


def create(
    *,
    username: str,
    password: str | None,
    secret: bytes | None,
    roles: Sequence[str] = (),
    is_superuser: bool = False,
) -> NewOperator:
    """Makes an operator who can sign in at once; missing credentials are generated.

    Raises OperatorRefused for a taken or malformed name, a weak password or an unknown role.
    """
    user = User(username=username, is_staff=True, is_superuser=is_superuser)
    password = password or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    user.set_password(password)
    try:
        user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise OperatorRefused(" ".join(error.messages)) from error
    groups = list(Group.objects.filter(name__in=roles))
    if missing := set(roles) - {group.name for group in groups}:
        raise OperatorRefused(f"There is no role named {', '.join(sorted(missing))}.")
    with transaction.atomic():
        user.save()
        user.groups.set(groups)
        device = devices.provision(
            user, secret=secret or secrets.token_bytes(GENERATED_SECRET_BYTES)
        )
    return NewOperator(user=user, password=password, otpauth_url=device.config_url)


def start_over(user: User) -> str:
    """A new password for an operator who lost their second factor; both old ones end here.

    Every open session ends too. At the next sign-in a new second factor is enrolled.
    """
    password = secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    with transaction.atomic():
        devices.forget(user)
        user.set_password(password)
        user.save(update_fields=["password"])
    return password
