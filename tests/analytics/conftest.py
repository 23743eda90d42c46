"""What tests of events and reports may ask for."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

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


@pytest.fixture
def own_lake(settings: Settings, tmp_path: Path) -> Path:
    """A lake in a folder of the test's own, and exports beside it."""
    folder = tmp_path / "lake"
    lake = settings.STORAGES["lake"]
    exports = settings.STORAGES["exports"]
    settings.STORAGES = settings.STORAGES | {
        "lake": {**lake, "OPTIONS": {**lake["OPTIONS"], "location": folder}},
        "exports": {**exports, "OPTIONS": {**exports["OPTIONS"], "location": tmp_path / "exports"}},
    }
    settings.DATA_DIR = tmp_path
    return folder
