"""What tests of the catalog may ask for."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django.fixtures import Settings

from tests.factories.viewers import pipeline_headers


@pytest.fixture(autouse=True)
def own_media(settings: Settings, tmp_path: Path) -> Path:
    """Media in a folder of the test's own."""
    folder = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": folder, "base_url": "/media/"},
        }
    }
    return folder


@pytest.fixture(autouse=True)
def _forget_public_answers() -> None:
    """Public answers are remembered for seconds; one test's are not the next one's."""
    caches["local"].clear()


class Pipeline:
    """The generation pipeline, with a key that may write."""

    def __init__(self, client: Client, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    def push(self, external_id: str, body: Any) -> Any:
        return self.client.put(
            f"/v1/pipeline/series/{external_id}",
            body,
            content_type="application/json",
            headers=self.headers,
        )

    def upload(self, sha256: str, content: bytes, content_type: str) -> Any:
        return self.client.put(
            f"/v1/pipeline/media/{sha256}",
            content,
            content_type=content_type,
            headers=self.headers,
        )


@pytest.fixture
def pipeline(api: Client, now: datetime) -> Pipeline:
    return Pipeline(api, pipeline_headers(now=now))
