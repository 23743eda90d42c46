"""How the catalog's values look on a page."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog import media
from catalog.models import EpisodeVersion, MediaAsset


def image(poster: MediaAsset | None) -> SafeString | str:
    """A poster small enough for a list, nothing without one."""
    url = media.poster_url(poster)
    return format_html('<img src="{}" alt="" height="64" loading="lazy">', url) if url else ""


def seconds(version: EpisodeVersion | None) -> str:
    """How long a version plays, nothing without one."""
    return f"{version.duration_ms / 1000:.1f} s" if version else ""
