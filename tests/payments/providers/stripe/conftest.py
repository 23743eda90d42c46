"""A Stripe for the tests of its adapter, which has no database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.payments.providers.stripe.shop import Shop


@pytest.fixture(autouse=True)
def _the_ledger_holds() -> None:
    """Nothing here moves money."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A Stripe of its own: time that goes on in another's would renew what this one sold."""
    with opened(tmp_path) as shop:
        yield shop


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Shop]:
    """An account of its own, in which nothing has happened."""
    with opened(tmp_path / "other") as shop:
        yield shop


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    shop = Shop(folder)
    try:
        yield shop
    finally:
        shop.close()
