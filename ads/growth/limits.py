"""How much may be had from one device, from one part of the network, and by everybody in a day.

Counts are kept by hashes. A device's is of the random id that its app made; an address is kept as a keyed
hash of the day and of its block, a /24 or an IPv6 /48: what a household, an office or a mast is given. An
address that cannot be believed, or is nobody's on the internet, is of one block with all others like it, so that
it is no way around.
"""

import hashlib
from datetime import date, datetime
from uuid import UUID

import msgspec
from django.conf import settings

from ads.models import LimitCount
from config import client_address, keyring

PRUNED_AT_ONCE = 1000

_PURPOSE = "growth-limits"
#: Since when everything is counted that is counted for good.
_EVER = date(1970, 1, 1)


class Limit(msgspec.Struct, frozen=True):
    """So often at most: as the SQL functions take it."""

    name: str
    subject: str
    since: date
    at_most: int


def per_device(name: str, install_id: UUID, *, at_most: int) -> Limit:
    """Of all accounts of one installation of the app, for good."""
    digest = hashlib.sha256(b"device " + install_id.bytes).hexdigest()
    return Limit(name, digest, _EVER, at_most)


def per_block(name: str, address: str | None, *, at_most: int, now: datetime) -> Limit:
    """Of all who call from one block of addresses, in a day of the reporting zone.

    `address` is as `config.client_address` reads it.
    """
    day, keys = _day(now), keyring.keys_for(_PURPOSE)
    message = f"{day} {client_address.block(address) or 'unknown'}".encode()
    return Limit(name, keys.mac(message, key_id=keys.signing_id).hex(), day, at_most)


def per_day(name: str, *, at_most: int, now: datetime) -> Limit:
    """Of everybody together, in a day of the reporting zone."""
    return Limit(name, "", _day(now), at_most)


def encoded(limits: list[Limit]) -> str:
    """As the SQL functions take them."""
    return msgspec.json.encode(limits).decode()


def prune(*, now: datetime) -> int:
    """Deletes some counts of days that are over; returns how many."""
    old = LimitCount.objects.filter(since__lt=_day(now), since__gt=_EVER).values("id")
    deleted, _ = LimitCount.objects.filter(id__in=old[:PRUNED_AT_ONCE]).delete()
    return deleted


def _day(now: datetime) -> date:
    return now.astimezone(settings.REPORTING_ZONE).date()
