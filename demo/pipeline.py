"""The generation pipeline's side of the API: series pushed whole, files by their content."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from demo.answers import SeriesPushed
from demo.transport import Refused, Transport

CONTENT_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4"}


class PipelineClient:
    """Pushes with an API key of scope `pipeline:write`. Raises Refused and Unreachable."""

    def __init__(self, transport: Transport, *, api_key: str) -> None:
        self._transport = transport
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def push(
        self, external_id: str, payload: Mapping[str, Any], *, files: Mapping[str, Path]
    ) -> SeriesPushed:
        """Make the series what `payload` says. `files` maps the SHA-256 of each file it names.

        The series goes first: the service answers which files it lacks, and only those are
        uploaded. A push that was applied before costs one request.
        """
        try:
            return self._put_series(external_id, payload)
        except Refused as refusal:
            if refusal.code != "media_missing":
                raise
            missing = refusal.members["sha256s"]
        for sha256 in missing:
            self._put_media(sha256, files[sha256])
        return self._put_series(external_id, payload)

    def _put_series(self, external_id: str, payload: Mapping[str, Any]) -> SeriesPushed:
        response = self._transport.send(
            "PUT", f"/v1/pipeline/series/{external_id}", json=payload, headers=self._headers
        )
        return msgspec.json.decode(response.content, type=SeriesPushed)

    def _put_media(self, sha256: str, file: Path) -> None:
        self._transport.send(
            "PUT",
            f"/v1/pipeline/media/{sha256}",
            content=file.read_bytes(),
            headers={**self._headers, "Content-Type": CONTENT_TYPES[file.suffix]},
        )


def sha256_of(file: Path) -> str:
    """The name a file has in pushes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
