"""The same world that the contracts are held in, and somebody who means it ill."""

import pytest
from django.test import Client

from tests.contracts.conftest import made_world, world

__all__ = ["made_world", "world"]


@pytest.fixture
def stranger(db: None) -> Client:
    """An HTTP client that sees a 500 as one, and is not let off the CSRF check."""
    return Client(raise_request_exception=False, enforce_csrf_checks=True)
