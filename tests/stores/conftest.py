"""One market for all proofs that leave it as they found it."""

import logging
from collections.abc import Iterator

import pytest

from tests.stores.market import Market, market

FULL_CUSTOMERS, CUSTOMERS = 400, 120


@pytest.fixture(scope="package")
def whole_market(request: pytest.FixtureRequest) -> Iterator[Market]:
    is_full = request.config.getoption("--prove")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a proof makes ten thousands of requests
    with market(customers=FULL_CUSTOMERS if is_full else CUSTOMERS) as made:
        yield made
    logging.getLogger("httpx").setLevel(logging.NOTSET)


@pytest.fixture
def stores(whole_market: Market) -> Iterator[Market]:
    """A market in which everything works. What a test orders to go wrong ends with it."""
    whole_market.calm()
    yield whole_market
    whole_market.calm()
