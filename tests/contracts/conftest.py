"""A world to call into, with media in a folder of its own."""

from datetime import datetime
from pathlib import Path

import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from tests.contracts.world import World


@pytest.fixture
def world(db: None, settings: Settings, tmp_path: Path, now: datetime) -> World:
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media", "base_url": "/media/"},
        }
    }
    caches["local"].clear()
    return World(now)
