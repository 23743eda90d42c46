"""A world to call into, with media in a folder of its own."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import transaction
from django.test import override_settings

from ads import adapters
from tests import served_stripe
from tests.contracts.world import NETWORK_SETTINGS, World


@pytest.fixture(scope="module")
def made_world(
    django_db_setup: None,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    now: datetime,
) -> Iterator[World]:
    """The world's rows, made once for a file: what a test adds to them goes with its own savepoint."""
    media = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": tmp_path_factory.mktemp("media"), "base_url": "/media/"},
    }
    with (
        override_settings(STORAGES=settings.STORAGES | {"default": media}, **NETWORK_SETTINGS),
        served_stripe.selling(tmp_path_factory.mktemp("stripe")) as stripe,
        django_db_blocker.unblock(),
        transaction.atomic(),
    ):
        adapters._adapters.cache_clear()
        yield World(now, stripe)
        transaction.set_rollback(True)
    adapters._adapters.cache_clear()


@pytest.fixture
def world(made_world: World, db: None) -> World:
    """The world as it was made."""
    caches["local"].clear()
    return deepcopy(made_world, {id(made_world.stripe): made_world.stripe})
