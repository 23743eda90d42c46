"""Public reads: the same bytes for everyone, with ETag, Cache-Control and a short local memory.

Answers are remembered in the process for a moment, so a hot list costs neither a query nor a
render. `seconds` bounds the staleness here, and again in each cache that the answer passes through.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags

from config import clock

View = Callable[..., Any]


def public(*, seconds: int) -> Callable[[View], View]:
    """Wraps a URL's view callable; only its 200 answers are remembered."""

    def decorate(view: View) -> View:
        @wraps(view)
        def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            simulated = settings.SIMULATED_CLOCK and clock.HEADER in request.headers
            if request.method not in {"GET", "HEAD"} or simulated:
                response: HttpResponse = view(request, *args, **kwargs)
                return response
            key = _key(request)
            kept: tuple[bytes, str] | None = caches["local"].get(key)
            if kept is None:
                response = view(request, *args, **kwargs)
                if response.status_code != 200:
                    return response
                content = bytes(response.render().content)  # type: ignore[attr-defined]
                kept = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
                caches["local"].set(key, kept, seconds)
            return _answer(request, *kept, seconds=seconds)

        return serve

    return decorate


def _key(request: HttpRequest) -> str:
    language = request.headers.get("Accept-Language", "")
    parts = "\n".join((request.path, request.META.get("QUERY_STRING", ""), language))
    return hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()


def _answer(request: HttpRequest, content: bytes, etag: str, *, seconds: int) -> HttpResponse:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag in {tag.removeprefix("W/") for tag in known}:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(content, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = f"public, max-age={seconds}"
    response["Vary"] = "Accept-Language"
    return response
