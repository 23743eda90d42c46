"""Short-lived URLs that play one version for one viewer.

On our own media view the URL carries a sealed token, which names viewer, episode, version, file and
expiry and is checked by computation alone. The file's name in it is random, so that holding one
token tells nothing about any other file. On S3 the URL is the storage's own presigned one, bound to
path and expiry. Whoever calls `issue` has checked that the viewer may watch.
"""

import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

from catalog import media, playback_sessions
from catalog.models import EpisodeVersion
from config import seals
from config.problems import Problem

PURPOSE = "playback"
MAXIMUM_TOKEN_CHARACTERS = 600

#: Format 1: expiry in Unix seconds, then viewer, episode and version; the file's name follows.
_FORMAT = 1
_CLAIMS = struct.Struct(">BQ16s16s16s")


class PlaybackRefused(Problem):
    code = "playback_refused"
    title = "This playback URL is expired, altered or another viewer's; ask for a new one"


@dataclass(frozen=True, kw_only=True)
class Playback:
    """What a player needs to play a version until `expires_at`, and what it reports under."""

    session_id: UUID
    url: str
    expires_at: datetime
    mime: str
    width: int
    height: int
    duration_ms: int
    version_id: UUID


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a verified token allows."""

    viewer_id: UUID
    episode_id: UUID
    version_id: UUID
    storage_key: str
    expires_at: datetime


def issue(
    *, version: EpisodeVersion, viewer_id: UUID, now: datetime, ends_at: datetime | None = None
) -> Playback:
    """A URL that plays `version` for PLAYBACK_SECONDS from `now`, to whole seconds; no longer than until
    `ends_at`, rounded up to one, where the viewer may watch only until then.

    Reads no row if `version.media` and `version.episode` are loaded.
    """
    begins = int(now.timestamp())
    expires = begins + settings.PLAYBACK_SECONDS
    if ends_at is not None:
        expires = min(expires, math.ceil(ends_at.timestamp()))
    asset = version.media
    if media.is_served_here():
        grant = Grant(
            viewer_id=viewer_id,
            episode_id=version.episode_id,
            version_id=version.id,
            storage_key=asset.storage_key,
            expires_at=datetime.fromtimestamp(expires, UTC),
        )
        url = f"{settings.PUBLIC_URL}/media/video/{sealed(grant)}"
    else:
        url = media.presigned_url(asset, ttl_seconds=expires - begins)
    return Playback(
        session_id=playback_sessions.issue(
            viewer_id=viewer_id,
            series_id=version.episode.series_id,
            episode_id=version.episode_id,
            version_id=version.id,
            now=now,
        ),
        url=url,
        expires_at=datetime.fromtimestamp(expires, UTC),
        mime=asset.content_type,
        width=version.width,
        height=version.height,
        duration_ms=version.duration_ms,
        version_id=version.id,
    )


def sealed(grant: Grant) -> str:
    """The token that says `grant`."""
    claims = _CLAIMS.pack(
        _FORMAT,
        int(grant.expires_at.timestamp()),
        grant.viewer_id.bytes,
        grant.episode_id.bytes,
        grant.version_id.bytes,
    )
    return seals.seal(PURPOSE, claims + grant.storage_key.encode())


def verify(token: str, *, now: datetime) -> Grant:
    """What `token` allows at `now`. Raises PlaybackRefused, without saying which part failed."""
    if len(token) > MAXIMUM_TOKEN_CHARACTERS:
        raise PlaybackRefused
    try:
        payload = seals.unseal(PURPOSE, token)
    except seals.SealBroken as error:
        raise PlaybackRefused from error
    if payload[:1] != bytes([_FORMAT]):
        raise PlaybackRefused
    _, expires, viewer, episode, version = _CLAIMS.unpack_from(payload)
    expires_at = datetime.fromtimestamp(expires, UTC)
    if expires_at <= now:
        raise PlaybackRefused
    return Grant(
        viewer_id=UUID(bytes=viewer),
        episode_id=UUID(bytes=episode),
        version_id=UUID(bytes=version),
        storage_key=payload[_CLAIMS.size :].decode(),
        expires_at=expires_at,
    )
