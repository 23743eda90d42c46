"""Operators start experiments in different layers at the same moment."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest

from payments.desk.experiments import MAXIMUM_PRICE_LAYERS
from payments.prices.terms import Adjustment
from tests.factories import experiments
from tests.factories.operators import operator
from tests.races.crowd import at_once, connections, locked_series
from viewers.experiments import lifecycle
from viewers.experiments.lifecycle import ExperimentRefused
from viewers.models import Experiment, ExperimentState

CALLERS = 6

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS):
        yield


def start(experiment: Experiment, operator_id: int, now: datetime) -> str:
    try:
        lifecycle.ask(experiment_id=experiment.id, operator_id=operator_id, now=now)
    except ExperimentRefused as refusal:
        return str(refusal)
    return "started"


def test_prices_differ_in_no_more_layers_than_may_be_however_many_start(now: datetime) -> None:
    locked_series(3)
    dana = operator("dana", role="pricing")
    cheap = {"other": Adjustment(scale_parts_per_million=900_000)}
    for _ in range(MAXIMUM_PRICE_LAYERS - 1):
        experiments.running(asked=cheap, now=now)
    drafts = [experiments.draft(asked=cheap, now=now) for _ in range(CALLERS)]

    said = at_once([partial(start, draft, dana.id, now) for draft in drafts])

    assert said.count("started") == 1
    assert sum("other layers already" in one for one in said) == CALLERS - 1
    running = Experiment.objects.filter(state=ExperimentState.RUNNING)
    assert running.values("layer").distinct().count() == MAXIMUM_PRICE_LAYERS
