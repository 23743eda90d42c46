"""From a draft to an end: who has to agree, what is refused, and what nobody can change meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, ProgrammingError, transaction

from payments.models import ArmTerms
from payments.prices.terms import Adjustment
from tests.factories import experiments
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator
from tests.factories.payments import default_plan
from viewers.experiments import lifecycle
from viewers.experiments.lifecycle import DecidedBefore, ExperimentRefused, SamePerson
from viewers.models import Arm, Experiment, ExperimentState, Exposure, Layer, Varies

DAY = timedelta(days=1)
DEAR = Adjustment(scale_parts_per_million=1_600_000)
CHEAP = Adjustment(scale_parts_per_million=900_000)


@pytest.fixture
def dana(db: None) -> User:
    return operator("dana", role="pricing")


@pytest.fixture
def erin(db: None) -> User:
    return operator("erin", role="pricing")


@pytest.fixture(autouse=True)
def _a_title(db: None) -> None:
    default_plan()
    episodes_of(SeriesFactory(state="published"), range(1, 13))


def ask(experiment: Experiment, who: User, now: datetime) -> Experiment:
    return lifecycle.ask(experiment_id=experiment.id, operator_id=who.id, now=now)


def agree(experiment: Experiment, who: User, now: datetime) -> Experiment:
    return lifecycle.agree(experiment_id=experiment.id, operator_id=who.id, now=now)


def refused(experiment: Experiment, who: User, now: datetime) -> str:
    """What is said; and nothing is changed."""
    before = Experiment.objects.filter(id=experiment.id).values().get()
    with pytest.raises(ExperimentRefused) as refusal:
        ask(experiment, who, now)
    assert Experiment.objects.filter(id=experiment.id).values().get() == before
    return str(refusal.value)


def test_a_small_one_is_started_by_its_author(dana: User, now: datetime) -> None:
    started = ask(experiments.draft(asked={"other": CHEAP}, now=now), dana, now)

    assert (started.state, started.needs_second) == (ExperimentState.RUNNING, False)
    assert (started.starts_at, started.agreed_by, started.agreed_at) == (now, dana, now)


@pytest.mark.parametrize(
    ("limit", "value"), [("PRICE_SOLO_TITLES", 0), ("PRICE_SOLO_RISE_PERCENT", 50)]
)
def test_one_that_reaches_far_waits_for_somebody_else(
    dana: User, erin: User, now: datetime, settings: Any, limit: str, value: int
) -> None:
    setattr(settings, limit, value)
    experiment = ask(experiments.draft(asked={"other": DEAR}, now=now), dana, now)
    assert (experiment.state, experiment.starts_at) == (ExperimentState.WAITING, None)
    with pytest.raises(SamePerson, match="somebody else"):
        agree(experiment, dana, now)
    assert Experiment.objects.get().state == ExperimentState.WAITING

    started = agree(experiment, erin, now + DAY)

    assert (started.state, started.starts_at) == (ExperimentState.RUNNING, now + DAY)
    assert (started.asked_by, started.agreed_by) == (dana, erin)


def test_what_waits_can_go_back_and_be_edited(dana: User, now: datetime) -> None:
    experiment = ask(experiments.draft(asked={"other": DEAR}, now=now), dana, now)
    lifecycle.return_to_draft(experiment_id=experiment.id)

    Experiment.objects.update(question="Another?")
    assert ask(experiment, dana, now).state == ExperimentState.WAITING


def test_it_ends_once(dana: User, now: datetime) -> None:
    experiment = experiments.running(now=now)
    ended = lifecycle.end(experiment_id=experiment.id, operator_id=dana.id, now=now + DAY)
    assert (ended.state, ended.ended_at, ended.ended_by) == ("ended", now + DAY, dana)
    for again in (
        lambda: lifecycle.end(experiment_id=experiment.id, operator_id=dana.id, now=now),
        lambda: ask(experiment, dana, now),
        lambda: agree(experiment, dana, now),
    ):
        with pytest.raises(DecidedBefore, match="ended already"):
            again()
    assert Experiment.objects.get().ended_at == now + DAY


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"shares": {"control": 1_000_000}}, "two arms or more"),
        ({"shares": {"control": 500_000, "other": 499_999}}, "add up to 99.9999 %"),
        ({"shares": {"control": 500_000, "other": 500_001}}, "add up to 100"),
        ({"control": "nobody"}, "Exactly one arm is the control"),
        ({"starts_at": datetime(2026, 3, 14, 11, 0, tzinfo=UTC)}, "The moment has passed"),
        ({"planned_viewers": 0}, "how many viewers are planned"),
        ({"asked": {}, "varies": Varies.PRICE}, "arm other does not say what it asks"),
        ({"asked": {"other": CHEAP, "control": DEAR}}, "The control control is asked what everybody"),
        ({"asked": {"other": CHEAP}, "varies": Varies.OFFER}, "has no prices"),
        ({"asked": {"other": Adjustment(free_count=3)}}, "leaves the free episodes as they are"),
        ({"asked": {"other": CHEAP}, "varies": Varies.FREE_COUNT}, "leaves the price as it is"),
        ({"asked": {"other": Adjustment(price_coins=600)}}, "is far from what episodes cost"),
        (
            {"asked": {"other": Adjustment(scale_parts_per_million=10_000_000)}},
            "600 coins an episode is far",
        ),
        ({"asked": {"other": Adjustment(price_coins=60)}}, "asks what everybody is asked"),
        ({"asked": {"other": Adjustment(scale_parts_per_million=0)}}, "nothing costs anything"),
        (
            {
                "shares": {"control": 400_000, "a": 300_000, "b": 300_000},
                "asked": {"a": CHEAP, "b": CHEAP},
            },
            "a and b ask the same",
        ),
    ],
)  # fmt: skip
def test_refuses_what_would_answer_nothing(
    dana: User, now: datetime, given: dict[str, Any], says: str
) -> None:
    assert says in refused(experiments.draft(now=now, **given), dana, now)


def test_says_everything_that_is_to_mend_at_once(dana: User, now: datetime) -> None:
    said = refused(
        experiments.draft({"only": 400_000}, now=now, control="", planned_viewers=0), dana, now
    )

    for part in ("two arms", "Exactly one", "40 %", "planned"):
        assert part in said


def test_experiments_of_a_layer_never_share_viewers(dana: User, now: datetime) -> None:
    layer = experiments.layer("prices", holdout=100_000, now=now)

    def draft(start: int, end: int, **given: Any) -> Experiment:
        return experiments.draft(
            now=now, **{"layer": layer} | given, slice_from=start, slice_to=end
        )

    first = ask(draft(100_000, 500_000, code="first"), dana, now)
    assert "first 10 % of the layer prices" in refused(draft(50_000, 90_000), dana, now)
    second = draft(499_999, 700_000)
    assert "first has 10 % to 50 % of the layer prices" in refused(second, dana, now)
    for apart in (
        draft(500_000, 700_000),
        draft(400_000, 450_000, layer=experiments.layer(now=now)),
    ):
        assert ask(apart, dana, now).state == ExperimentState.RUNNING

    lifecycle.end(experiment_id=first.id, operator_id=dana.id, now=now)
    third = draft(100_000, 500_000)
    assert ask(third, dana, now).state == ExperimentState.RUNNING


def test_prices_differ_in_no_more_than_a_few_layers(dana: User, now: datetime) -> None:
    for _ in range(4):
        experiments.running(asked={"other": CHEAP}, now=now)
    fifth = experiments.draft(asked={"other": CHEAP}, now=now)
    assert "4 other layers already" in refused(fifth, dana, now)
    assert ask(experiments.draft(now=now), dana, now).state == ExperimentState.RUNNING


def test_the_holdout_of_all_is_that_of_its_start(dana: User, now: datetime, settings: Any) -> None:
    settings.EXPERIMENT_HOLDOUT_PARTS_PER_MILLION = 50_000
    experiment = experiments.running(now=now)
    settings.EXPERIMENT_HOLDOUT_PARTS_PER_MILLION = 90_000

    assert Experiment.objects.get(id=experiment.id).global_holdout_parts_per_million == 50_000


def change_share(experiment: Experiment) -> None:
    experiment.arms.filter(code="other").update(share_parts_per_million=1)


def add_arm(experiment: Experiment) -> None:
    Arm.objects.create(experiment=experiment, code="third", share_parts_per_million=1)


def move_terms(experiment: Experiment) -> None:
    ArmTerms.objects.filter(arm__experiment=experiment).update(
        arm=experiment.arms.get(code="control")
    )


def drop_arm(experiment: Experiment) -> None:
    experiment.arms.filter(code="control").delete()


CHANGES: dict[str, Callable[[Experiment], Any]] = {
    "salt": lambda one: Experiment.objects.filter(id=one.id).update(salt="another"),
    "slice": lambda one: Experiment.objects.filter(id=one.id).update(slice_to=10),
    "horizon": lambda one: Experiment.objects.filter(id=one.id).update(horizon_hours=24),
    "draft": lambda one: Experiment.objects.filter(id=one.id).update(state="draft"),
    "start": lambda one: Experiment.objects.filter(id=one.id).update(starts_at=None),
    "share": change_share,
    "arm": add_arm,
    "no arm": drop_arm,
    "terms": move_terms,
    "no terms": lambda one: ArmTerms.objects.filter(arm__experiment=one).delete(),
    "layer": lambda one: Layer.objects.filter(id=one.layer_id).update(salt="another"),
    "holdout": lambda one: Layer.objects.update(holdout_parts_per_million=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nobody_changes_what_is_compared(
    now: datetime, change: Callable[[Experiment], Any]
) -> None:
    """The database refuses it, whatever code asks; the same change of a draft is made."""
    experiment = experiments.running(asked={"other": CHEAP}, now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        change(experiment)

    Experiment.objects.filter(id=experiment.id).update(
        state=ExperimentState.ENDED, ended_at=now, ended_by=experiment.asked_by
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        change(experiment)


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"draft", "start"}))
def test_a_draft_is_edited_freely(now: datetime, name: str) -> None:
    CHANGES[name](experiments.draft(asked={"other": CHEAP}, now=now))


def test_an_experiment_that_ran_is_never_deleted(now: datetime) -> None:
    experiment = experiments.running(now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        experiment.delete()


def test_an_exposure_is_never_deleted(now: datetime) -> None:
    assert settings.DATABASE_ROLE
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        Exposure.objects.all()._raw_delete("default")
