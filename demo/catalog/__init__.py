"""A catalogue of real film serials, 1912 to 1920, with posters and clips drawn on demand.

`load()` reads the serials, `render_all()` draws their media into a cache, and `series_payload()`
gives the body that publishes one. Nothing here knows Django or the network.
"""

from __future__ import annotations

from demo.catalog.beats import Beat, beats, duration_ms
from demo.catalog.clips import ClipRenderError, render_clip
from demo.catalog.payloads import series_payload
from demo.catalog.posters import render_poster
from demo.catalog.rendering import Rendered, render_all, sha256_of
from demo.catalog.serial import Chapter, InvalidSerialError, Look, Serial, Text, load

__all__ = [
    "Beat",
    "Chapter",
    "ClipRenderError",
    "InvalidSerialError",
    "Look",
    "Rendered",
    "Serial",
    "Text",
    "beats",
    "duration_ms",
    "load",
    "render_all",
    "render_clip",
    "render_poster",
    "series_payload",
    "sha256_of",
]
