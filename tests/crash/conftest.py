"""One instance for all proofs that kill what it runs, and leave it as it was."""

import os
from collections.abc import Iterator

import pytest

from tests.crash import failpoints
from tests.crash.instance import Instance, running

LEASE_SECONDS = 3
FULL_VIEWERS, VIEWERS = 500, 32
#: Whom nobody else asks for anything, so that nobody audits what they have.
FULL_BYSTANDERS, BYSTANDERS = 16, 2


@pytest.fixture(scope="package")
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    is_full = request.config.getoption("--prove")
    with pytest.MonkeyPatch.context() as patch:
        # What died is taken over soon, so that many deaths fit in a test.
        patch.setitem(os.environ, "FLUSH_LEASE_SECONDS", str(LEASE_SECONDS))
        viewers = FULL_VIEWERS if is_full else VIEWERS
        bystanders = FULL_BYSTANDERS if is_full else BYSTANDERS
        with running(viewers=viewers + bystanders) as running_instance:
            whole = running_instance.population
            running_instance.population = whole.part(0, viewers)
            running_instance.bystanders = whole.part(viewers, viewers + bystanders)
            failpoints.install(running_instance)
            yield running_instance
