"""What every test may ask for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """The test database is created by the owner of the schema."""
    settings.DATABASES["default"]["OPTIONS"]["assume_role"] = None


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """From here on every test runs as the application role, as production does.

    Only TRUNCATE is added, in the test database alone: it is how transactional tests clean up.
    """
    role = settings.DATABASE_ROLE
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(f'GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO "{role}"')
        _reconnect_as(role)
    yield
    # The owner made the database, and only the owner may drop it.
    with django_db_blocker.unblock():
        _reconnect_as(None)


def _reconnect_as(role: str | None) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["OPTIONS"]["assume_role"] = role


@pytest.fixture
def now() -> datetime:
    """A moment that tests count from."""
    return datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def api(db: None) -> Iterator[Client]:
    """An HTTP client that raises nothing: a failure inside the server is a 500 it can see."""
    yield Client(raise_request_exception=False)
