"""How answers become bytes.

A module of its own: the REST framework loads its default renderer while its views, on which
`config.endpoints` builds, are still being imported.
"""

from typing import Any

import msgspec
from rest_framework.renderers import BaseRenderer


class JsonRenderer(BaseRenderer):
    """Structs, dicts and lists to JSON bytes."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)
