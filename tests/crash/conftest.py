"""One instance for all proofs that kill what it runs, and leave it as it was."""

import os
from collections.abc import Iterator

import pytest

from tests.crash import failpoints
from tests.crash.instance import Instance, running

LEASE_SECONDS = 3
FULL_VIEWERS, VIEWERS = 500, 32


@pytest.fixture(scope="package")
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    is_full = request.config.getoption("--prove")
    with pytest.MonkeyPatch.context() as patch:
        # What died is taken over soon, so that many deaths fit in a test.
        patch.setitem(os.environ, "FLUSH_LEASE_SECONDS", str(LEASE_SECONDS))
        with running(viewers=FULL_VIEWERS if is_full else VIEWERS) as running_instance:
            failpoints.install(running_instance)
            yield running_instance
