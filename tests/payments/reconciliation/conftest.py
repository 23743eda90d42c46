"""A store to compare with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.payments.reconciliation.books import Shop, remembering


@pytest.fixture
def shop(db: None, tmp_path: Path) -> Iterator[Shop]:
    with remembering(tmp_path) as made:
        yield made
