"""Playback sessions: ids that prove by themselves which playback we allowed.

Every playback URL comes with a session id, and what a player reports of that playback carries it.
The id is a UUID of version 8 (RFC 9562 section 5.8): 48 bits of Unix milliseconds, 12 random bits,
and the first 62 bits of an HMAC-SHA-256 over those and over viewer, series, episode and version.
So it is checked by computation alone, reporting costs no read and playing no write, and nobody can
report having watched what was not opened for them.
"""

import os
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from config import keyring

PURPOSE = "playback-session"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME_AND_NOISE = struct.Struct(">QH")
_NOISE_BITS = 12
_TAG_BITS = 62
_VERSION_8 = 0x8 << 76
_VARIANT = 0x2 << _TAG_BITS


class PlaybackSessionForged(Exception):
    """The id was not issued by us for this viewer, series, episode and version."""


def issue(
    *, viewer_id: UUID, series_id: UUID, episode_id: UUID, version_id: UUID, now: datetime
) -> UUID:
    """A new session id for a playback that begins at `now`. The caller has checked the right to it."""
    milliseconds = (now - _EPOCH) // _MILLISECOND
    noise = int.from_bytes(os.urandom(2)) >> 16 - _NOISE_BITS
    keys = keyring.keys_for(PURPOSE)
    claims = _claims(milliseconds, noise, viewer_id, series_id, episode_id, version_id)
    tag = _tag(keys, claims, key_id=keys.signing_id)
    return UUID(int=milliseconds << 80 | _VERSION_8 | noise << 64 | _VARIANT | tag)


def verify(
    session_id: UUID, *, viewer_id: UUID, series_id: UUID, episode_id: UUID, version_id: UUID
) -> datetime:
    """The moment the session was issued. Raises PlaybackSessionForged.

    Every key of the ring is tried: the id has no room to name one.
    """
    value = session_id.int
    milliseconds, noise = value >> 80, value >> 64 & (1 << _NOISE_BITS) - 1
    claims = _claims(milliseconds, noise, viewer_id, series_id, episode_id, version_id)
    keys = keyring.keys_for(PURPOSE)
    for key_id in keys.by_id:
        tag = _tag(keys, claims, key_id=key_id)
        # Compared whole, so that version and variant are part of what must match. Timing tells
        # nothing: the reply is the same after the whole batch, and a guess is one in 2^62.
        if value == milliseconds << 80 | _VERSION_8 | noise << 64 | _VARIANT | tag:
            return _EPOCH + milliseconds * _MILLISECOND
    raise PlaybackSessionForged


def _claims(milliseconds: int, noise: int, *identifiers: UUID) -> bytes:
    return _TIME_AND_NOISE.pack(milliseconds, noise) + b"".join(
        identifier.bytes for identifier in identifiers
    )


def _tag(keys: keyring.PurposeKeys, claims: bytes, *, key_id: str) -> int:
    return int.from_bytes(keys.mac(claims, key_id=key_id)[:8]) >> 64 - _TAG_BITS
