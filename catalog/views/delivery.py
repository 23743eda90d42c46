"""Media to players and pages: posters to anyone, videos to whoever holds a live token."""

import re
from datetime import datetime

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request

from catalog import files, media, playback
from catalog.playback import PlaybackRefused
from config.endpoints import Endpoint, operation
from config.problems import NotFound
from viewers import tokens

_POSTER = re.compile(r"[A-Za-z0-9_-]{16,64}\.(jpg|png|webp)")
_BEARER = re.compile(r"bearer (.*)", re.IGNORECASE | re.DOTALL)
_TYPES = {kind.extension: content_type for content_type, kind in media.KINDS.items()}

FOREVER = "public, max-age=31536000, immutable"
UNSTORED = "private, no-store"


class PosterEndpoint(Endpoint):
    @operation(summary="A poster", answer=OpenApiTypes.BINARY, refusals=(NotFound,), any_query=True)
    def get(self, request: Request, *, now: datetime, name: str) -> HttpResponseBase:
        """A poster's address never changes its content."""
        form = _POSTER.fullmatch(name)
        if form is None:
            raise NotFound
        return files.serve(
            self.http_request(),
            storage_key=f"{media.POSTERS}/{name}",
            content_type=_TYPES[form[1]],
            headers={"Cache-Control": FOREVER},
        )


class VideoEndpoint(Endpoint):
    @operation(
        summary="A video",
        answer=OpenApiTypes.BINARY,
        refusals=(PlaybackRefused, NotFound),
        any_query=True,
    )
    def get(self, request: Request, *, now: datetime, token: str) -> HttpResponseBase:
        """Plays what the token says until it expires. Reads no row."""
        grant = playback.verify(token, now=now)
        _refuse_other_viewer(request, grant, now)
        return files.serve(
            self.http_request(),
            storage_key=grant.storage_key,
            content_type=_TYPES[grant.storage_key.rpartition(".")[2]],
            headers={"Cache-Control": UNSTORED},
        )


def _refuse_other_viewer(request: Request, grant: playback.Grant, now: datetime) -> None:
    """Players may send no credential; one that names another viewer shows a shared URL.

    A credential that cannot be verified names nobody: an access token that expires mid-play must
    not stop what the URL still allows.
    """
    form = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if form is None:
        return
    try:
        caller = tokens.verify(form[1], now=now)
    except (tokens.TokenInvalid, tokens.TokenExpired):
        return
    if caller.viewer_id != grant.viewer_id:
        raise PlaybackRefused
