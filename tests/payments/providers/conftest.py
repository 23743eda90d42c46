"""Adapters touch no database: nothing is to be added up after their tests."""

import pytest


@pytest.fixture(autouse=True)
def _the_ledger_holds() -> None:
    """There is none."""


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    """There is nothing to forget."""
