"""A new guest on a device."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from viewers import refresh_tokens
from viewers.models import Device, Environment, Platform, Viewer
from viewers.refresh_tokens import IssuedTokens


def register_guest(
    *,
    install_id: UUID,
    platform: Platform,
    app_version: str,
    locale: str,
    region: str,
    now: datetime,
) -> tuple[Viewer, Device, IssuedTokens]:
    """Makes a new viewer in production, each time it is called.

    An install id is the client's word and no secret, so it never opens a viewer that exists:
    whoever learnt somebody's id would have their coins.
    """
    with transaction.atomic(durable=True):
        viewer = Viewer.objects.create(
            environment=Environment.PRODUCTION,
            locale=locale,
            region=region,
            created_at=now,
            last_seen_at=now,
        )
        device = Device.objects.create(
            viewer=viewer,
            install_id=install_id,
            platform=platform,
            app_version=app_version,
            created_at=now,
        )
        return viewer, device, refresh_tokens.open_family(device=device, now=now)
