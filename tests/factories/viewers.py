"""Viewers and their devices, and the headers they call with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import factory
from factory.django import DjangoModelFactory

from config import clock
from viewers import api_keys, tokens
from viewers.models import Device, Environment, Platform, Scope, Viewer

CREATED_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class ViewerFactory(DjangoModelFactory[Viewer]):
    class Meta:
        model = Viewer

    environment = Environment.PRODUCTION
    locale = "en"
    region = "US"
    created_at = CREATED_AT


class DeviceFactory(DjangoModelFactory[Device]):
    class Meta:
        model = Device

    viewer = factory.SubFactory(ViewerFactory)
    install_id = factory.LazyFunction(uuid4)
    platform = Platform.IOS
    app_version = "1.4.2"
    created_at = CREATED_AT


def clock_headers(now: datetime) -> dict[str, str]:
    """Makes it `now` for one request."""
    return {clock.HEADER: clock.header_value(now)}


def viewer_headers(device: Device, *, now: datetime) -> dict[str, str]:
    """The device's viewer calls at `now`, with a fresh access token."""
    token, _ = tokens.sign(device, now=now)
    return {"Authorization": f"Bearer {token}"} | clock_headers(now)


def pipeline_headers(
    *, now: datetime, scopes: Sequence[Scope] = (Scope.PIPELINE_READ, Scope.PIPELINE_WRITE)
) -> dict[str, str]:
    """The generation pipeline calls at `now`, with a key of its own."""
    _, plaintext = api_keys.issue(name="pipeline", scopes=scopes, now=now)
    return {"Authorization": f"Bearer {plaintext}"} | clock_headers(now)
