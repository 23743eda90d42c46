"""So few accounts may open ad sessions on one device, and from one block of addresses, in a day."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ads import origins
from ads.models import AdOrigin, AdSession, Placement
from catalog.models import Series
from config import client_address
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode
from viewers.models import Device


def opened(
    api: Client,
    series: Series,
    device: Device,
    *,
    now: datetime,
    address: str = "8.8.8.1",
    number: int = 9,
) -> Any:
    body = {"placement": "paywall", "episode_id": str(episode(series, number))}
    return api.post(
        "/v1/ads/sessions",
        body,
        "application/json",
        headers=viewer_headers(device, now=now),
        REMOTE_ADDR=address,
    )


def test_the_last_account_on_a_device_is_refused_until_tomorrow(
    api: Client, placement: Placement, series: Series, now: datetime, settings: Settings
) -> None:
    settings.AD_ACCOUNTS_PER_DEVICE = 2
    install = uuid4()
    first, second, third = (DeviceFactory(install_id=install) for _ in range(3))

    assert [opened(api, series, one, now=now).status_code for one in (first, second)] == [201, 201]
    refused = opened(api, series, third, now=now)

    assert (refused.status_code, refused.json()["code"]) == (429, "ad_accounts_crowded")
    assert (refused.json()["where"], refused["Retry-After"]) == ("device", "43201")
    # It has left nothing, and whoever has a place keeps it.
    assert not AdSession.objects.filter(viewer_id=third.viewer_id).exists()
    assert not AdOrigin.objects.filter(viewer_id=third.viewer_id).exists()
    assert opened(api, series, first, now=now, number=10).status_code == 201
    assert opened(api, series, third, now=now + timedelta(days=1)).status_code == 201
    sandbox = DeviceFactory(install_id=install, viewer__environment="sandbox")
    assert opened(api, series, sandbox, now=now).status_code == 201


def test_neighbours_share_their_block_whose_address_nobody_can_read(
    api: Client, placement: Placement, series: Series, now: datetime, settings: Settings
) -> None:
    settings.AD_ACCOUNTS_PER_ADDRESS = 2
    devices = [DeviceFactory() for _ in range(5)]

    told = [
        opened(api, series, device, now=now, address=address).json().get("where")
        for device, address in zip(
            devices, ["8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.9.1", "10.0.0.1"], strict=True
        )
    ]

    assert told == [None, None, "address", None, None]
    kept = AdOrigin.objects.filter(kind="address").order_by("id")
    assert len({bytes(row.origin) for row in kept}) == 2
    assert all(len(row.origin) == 32 and b"8.8" not in bytes(row.origin) for row in kept)
    assert origins.prune(now=now + timedelta(days=7)) == 0
    assert origins.prune(now=now + timedelta(days=8)) == AdOrigin.objects.count() + 7
    assert not AdOrigin.objects.exists()


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("8.8.8.77", "8.8.8.0/24"),
        ("2606:4700:10:1::/64", "2606:4700:10::/48"),
        ("127.0.0.1", None),
        ("192.168.1.4", None),
        (None, None),
    ],
)
def test_a_block_is_of_the_internet(address: str | None, block: str | None) -> None:
    assert client_address.block(address) == block
