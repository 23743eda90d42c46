"""Many devices of one viewer reach the paywall at once, and a merge comes between: one exposure, one arm."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest

from catalog.models import Series
from payments.access import paywall, playing
from payments.access.playing import EpisodeLocked
from tests.factories import experiments
from tests.factories.viewers import ViewerFactory
from tests.proof import Proof
from tests.races.crowd import at_once, connections, locked_series
from viewers.experiments import exposures
from viewers.models import Experiment, Exposure, Viewer

CALLERS = 50

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS):
        yield


@pytest.fixture
def series(transactional_db: None) -> Series:
    return locked_series(3)


@pytest.fixture
def experiment(series: Series, now: datetime) -> Experiment:
    return experiments.free_counts(now=now)


def ask(series: Series, viewer: Viewer, now: datetime, place: int) -> str:
    """The arm that one of the callers is promised, by the paywall or at a locked episode."""
    if place % 2:
        shown = paywall.show(
            viewer_id=viewer.id, environment="production", series_id=series.id, now=now
        )
        return shown.quote.arm
    try:
        playing.play(
            viewer_id=viewer.id,
            environment="production",
            episode_id=series.episodes.get(number=9).id,
            now=now,
        )
    except EpisodeLocked:
        return ""
    return ""


def test_one_viewer_is_exposed_once_however_many_ask(
    series: Series, experiment: Experiment, now: datetime, proof: Proof
) -> None:
    for _ in range(proof.rounds(full=100)):
        viewer = ViewerFactory()

        arms = at_once([partial(ask, series, viewer, now, place) for place in range(CALLERS)])

        row = Exposure.objects.get(viewer=viewer)
        assert set(arms) - {""} == {f"{experiment.code}:{row.arm.code}"}
        assert row.propensity_parts_per_million == row.arm.share_parts_per_million

    proof.record("P25", f"one exposure, {CALLERS} simultaneous callers", violations=0)


def test_a_merge_between_them_leaves_one_exposure_that_counts(
    series: Series, experiment: Experiment, now: datetime, proof: Proof
) -> None:
    """Whoever comes first: the account has met the guest's arm, or both, and then that is marked."""
    for _ in range(proof.rounds(full=100)):
        guest, account = ViewerFactory(), ViewerFactory()
        ask(series, guest, now, 1)
        met = Exposure.objects.get(viewer=guest)

        def merge(guest: Viewer = guest, account: Viewer = account) -> str:
            exposures.carry_over(from_viewer_id=guest.id, into_viewer_id=account.id, now=now)
            return ""

        asking = [partial(ask, series, account, now, place=1)] * 9
        promised: set[str] = set(at_once([*asking, merge])) - {""}

        row = Exposure.objects.get(viewer=account)
        assert (row.carried_to, row.exposed_at, row.arm) == (None, now, met.arm)
        others = promised - {f"{experiment.code}:{met.arm.code}"}
        assert len(others) <= 1
        assert (row.conflicted_at is not None) == bool(others)
        assert Exposure.objects.get(viewer=guest).carried_to_id == account.id

    proof.record("P25", "an exposure carried over while 9 callers ask", violations=0)
