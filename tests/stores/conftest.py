"""One market for all proofs that leave it as they found it."""

import logging
from collections.abc import Iterator

import pytest

from tests.stores.market import Market, market

CUSTOMERS = 400


@pytest.fixture(scope="package")
def whole_market() -> Iterator[Market]:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a proof makes ten thousands of requests
    with market(customers=CUSTOMERS) as made:
        yield made
    logging.getLogger("httpx").setLevel(logging.NOTSET)


@pytest.fixture
def stores(whole_market: Market) -> Iterator[Market]:
    """A market in which everything works. What a test orders to go wrong ends with it."""
    whole_market.calm()
    yield whole_market
    whole_market.calm()
