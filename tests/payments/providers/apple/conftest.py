"""An adapter has no database."""

import pytest


@pytest.fixture(autouse=True)
def _the_ledger_holds() -> None:
    """Nothing here moves money."""
