"""What tests of events and reports may ask for."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from tests.factories.viewers import DeviceFactory, viewer_headers
from viewers.models import Device


@pytest.fixture
def device(db: None) -> Device:
    """A viewer's device."""
    device: Device = DeviceFactory()
    return device


@pytest.fixture
def report(api: Client, device: Device, now: datetime) -> Callable[..., Any]:
    """Sends a batch of events, as bytes, in the name of the viewer; at `now` if not at another."""

    def send(body: bytes, *, at: datetime = now, by: Device = device) -> Any:
        return api.post(
            "/v1/events",
            body,
            content_type="application/json",
            headers=viewer_headers(by, now=at),
        )

    return send
