"""How many accounts may open ad sessions on one device, and from one block of addresses, in a day.

Who makes accounts by the dozen to earn by ads does so on few devices. An account takes its place when it opens
a session, as an open session takes one of the cap. `ads_take_origins` counts, under locks.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection

from ads import limits
from ads.models import AdOrigin, OriginKind
from config import client_address, keyring
from config.problems import Problem
from viewers.models import Environment

KEPT = timedelta(days=7)
PRUNED_AT_ONCE = 1000

_PURPOSE = "ad-origins"
_TAKE = "SELECT ads_take_origins(%s, %s, %s, %s, %s, %s, %s, %s)"


class AdAccountsCrowded(Problem):
    """`where` is `device` or `address`."""

    code = "ad_accounts_crowded"
    title = "Too many accounts have watched ads here today; try again tomorrow"


def take(
    *,
    viewer_id: UUID,
    environment: str,
    device_id: UUID | None,
    address: str | None,
    now: datetime,
) -> None:
    """A place for the account on its device and from its address, in one statement; nothing in the sandbox.

    Part of the transaction that opens the session. Raises AdAccountsCrowded (with `where`, `resets_at`).
    """
    if environment != Environment.PRODUCTION or (device_id is None and address is None):
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            [
                viewer_id,
                environment,
                device_id,
                _hashed(address, now),
                settings.AD_ACCOUNTS_PER_DEVICE,
                settings.AD_ACCOUNTS_PER_ADDRESS,
                limits.reporting_day(now),
                now,
            ],
        )
        (full,) = cursor.fetchone()
    if full:
        raise _crowded(OriginKind(full), now)


def prune(*, now: datetime) -> int:
    """Deletes some of the rows of days long over; returns how many, 0 at the end."""
    old = AdOrigin.objects.filter(day__lt=limits.reporting_day(now - KEPT)).order_by("day")
    ids = list(old.values_list("id", flat=True)[:PRUNED_AT_ONCE])
    deleted, _ = AdOrigin.objects.filter(id__in=ids).delete()
    return deleted


def _hashed(address: str | None, now: datetime) -> bytes | None:
    block = client_address.block(address)
    if block is None:
        return None
    keys = keyring.keys_for(_PURPOSE)
    message = f"{limits.reporting_day(now)} {block}".encode()
    return keys.mac(message, key_id=keys.signing_id)


def _crowded(where: OriginKind, now: datetime) -> AdAccountsCrowded:
    midnight = limits.next_midnight(now)
    refusal = AdAccountsCrowded(where=where, resets_at=midnight)
    refusal.headers = {"Retry-After": str(int((midnight - now).total_seconds()) + 1)}
    return refusal
