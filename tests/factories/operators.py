"""Operators of the admin, and clients that are signed in as one."""

from collections.abc import Iterator

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import clock, roles
from config.second_factor import devices

SECRET = b"twenty secret bytes!"
SAMPLE_ID = "0199f0c2-7b1e-7c3a-9f10-2b6a4d8e0c11"


def operator(username: str = "dana", *, role: str = "", is_superuser: bool = False) -> User:
    """An enrolled operator without a password: enough for a client that is signed in."""
    user = User(username=username, is_staff=True, is_superuser=is_superuser)
    user.set_unusable_password()
    user.save()
    devices.provision(user, secret=SECRET)
    if role:
        user.groups.add(_group(role))
    return user


def _group(role: str) -> Group:
    """`migrate` wrote the roles; a test that empties every table takes them away."""
    if not Group.objects.filter(name=role).exists():
        roles.write()
    return Group.objects.get(name=role)


def past_password(user: User) -> Client:
    """A client that gave the password and no code."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def signed_in(user: User) -> Client:
    """A client that gave both."""
    client = past_password(user)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = TOTPDevice.objects.get(user=user).persistent_id
    session.save()
    return client


def code_of(user: User) -> str:
    """What the operator's app shows now."""
    return devices.current_code(user, at=clock.read())


def admin_urls(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, str]]:
    """Every named URL of the admin with its name, for objects that need not exist."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from admin_urls(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name, reverse(f"admin:{pattern.name}", kwargs=_sample(pattern))


def _sample(pattern: URLPattern) -> dict[str, object]:
    names = {**pattern.pattern.converters, **pattern.pattern.regex.groupindex}
    return {name: _value(name, pattern) for name in names}


def _value(name: str, pattern: URLPattern) -> object:
    converter = type(pattern.pattern.converters.get(name)).__name__
    if name == "app_label":
        return "payments"
    return 1 if converter == "IntConverter" else SAMPLE_ID
