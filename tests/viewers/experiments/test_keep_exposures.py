"""What a viewer has met is kept once, and goes with them when two viewers are found to be one."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.factories import experiments
from tests.factories.viewers import ViewerFactory
from viewers.experiments import arms, exposures, lifecycle
from viewers.experiments.arms import Assigned
from viewers.experiments.definitions import definition
from viewers.models import Experiment, Exposure, Varies, Viewer

HOUR = timedelta(hours=1)
THREE = {"a": 300_000, "b": 300_000, "control": 400_000}


@pytest.fixture
def experiment(db: None, now: datetime) -> Experiment:
    return experiments.running(THREE, now=now, code="banner")


def arm_of(viewer: Viewer, at: datetime) -> Assigned | None:
    return arms.arm_for(viewer_id=viewer.id, experiment="banner", at=at)


def viewer_in(experiment: Experiment, arm: str, **given: Any) -> Viewer:
    for viewer in iter(lambda: ViewerFactory(**given), None):
        found = definition(experiment.id).arm_of(viewer.id, created_at=viewer.created_at)
        if found is not None and found.code == arm:
            return viewer
    raise AssertionError


def expose(viewer: Viewer, at: datetime) -> None:
    assigned = arm_of(viewer, at)
    assert assigned is not None
    exposures.expose(
        viewer_id=viewer.id, environment=viewer.environment, assigned=[assigned], now=at
    )


def kept(viewer: Viewer) -> dict[str, Any]:
    row = Exposure.objects.get(viewer=viewer)
    return {
        "arm": row.arm.code,
        "exposed_at": row.exposed_at,
        "is_conflicted": row.conflicted_at is not None,
    }


@pytest.mark.parametrize("arm", THREE)
def test_the_first_moment_is_kept_with_the_arm_and_its_chance(
    experiment: Experiment, now: datetime, arm: str
) -> None:
    viewer = viewer_in(experiment, arm)
    assert not arm_of(viewer, now).is_exposed
    expose(viewer, now)
    expose(viewer, now + HOUR)

    row = Exposure.objects.get()
    assert (row.viewer, row.experiment, row.arm.code) == (viewer, experiment, arm)
    assert (row.exposed_at, row.environment) == (now, "production")
    assert row.propensity_parts_per_million == THREE[arm]
    assert arm_of(viewer, now + HOUR).is_exposed


def test_a_second_time_takes_no_statement(
    experiment: Experiment, now: datetime, django_assert_num_queries: Any
) -> None:
    viewer = viewer_in(experiment, "a")
    expose(viewer, now)
    with django_assert_num_queries(1):
        expose(viewer, now)


def test_there_is_no_arm_before_the_start_after_the_end_or_in_the_sandbox(
    experiment: Experiment, now: datetime
) -> None:
    viewer, tester = viewer_in(experiment, "a"), ViewerFactory(environment="sandbox")
    assert arm_of(viewer, now).arm.code == "a"
    assert arm_of(viewer, now - timedelta(microseconds=1)) is None
    assert arm_of(tester, now) is None
    assert arms.arm_for(viewer_id=viewer.id, experiment="unknown", at=now) is None
    lifecycle.end(experiment_id=experiment.id, operator_id=experiment.asked_by_id, now=now + HOUR)
    assert arm_of(viewer, now + HOUR) is None
    assert arm_of(viewer, now + HOUR - timedelta(microseconds=1)).arm.code == "a"


def test_nothing_is_kept_of_the_sandbox(experiment: Experiment, now: datetime) -> None:
    viewer = viewer_in(experiment, "a")
    assigned = arm_of(viewer, now)
    assert assigned is not None
    exposures.expose(viewer_id=viewer.id, environment="sandbox", assigned=[assigned], now=now)
    assert Exposure.objects.count() == 0


def test_the_arms_of_one_kind_come_together(experiment: Experiment, now: datetime) -> None:
    other = experiments.running(now=now, varies=Varies.OFFER)
    viewer = ViewerFactory()
    found = {
        varies: [
            one.experiment.code for one in arms.arms_of(viewer_id=viewer.id, varies=varies, at=now)
        ]
        for varies in ((Varies.PLACEMENT,), (Varies.OFFER,), (Varies.PLACEMENT, Varies.OFFER))
    }
    assert list(found.values()) == [["banner"], [other.code], ["banner", other.code]]


def test_an_exposure_goes_with_the_guest_whatever_the_hash_of_the_account(
    experiment: Experiment, now: datetime
) -> None:
    guest, account = viewer_in(experiment, "a"), viewer_in(experiment, "b")
    expose(guest, now)
    exposures.carry_over(from_viewer_id=guest.id, into_viewer_id=account.id, now=now + HOUR)

    assert kept(account) == {"arm": "a", "exposed_at": now, "is_conflicted": False}
    assert arm_of(account, now + HOUR).label == "banner:a"
    assert arm_of(account, now + HOUR - timedelta(microseconds=1)).label == "banner:b"
    counting = Exposure.objects.filter(carried_to=None)
    assert [row.viewer for row in counting] == [account]


@pytest.mark.parametrize(("guest_hours", "stands"), [(0, "a"), (2, "b")])
def test_of_two_arms_the_earlier_stands_and_the_conflict_is_marked(
    experiment: Experiment, now: datetime, guest_hours: int, stands: str
) -> None:
    guest, account = viewer_in(experiment, "a"), viewer_in(experiment, "b")
    expose(guest, now + guest_hours * HOUR)
    expose(account, now + HOUR)
    merged_at = now + 3 * HOUR
    exposures.carry_over(from_viewer_id=guest.id, into_viewer_id=account.id, now=merged_at)

    earliest = now + min(guest_hours, 1) * HOUR
    assert kept(account) == {"arm": stands, "exposed_at": earliest, "is_conflicted": True}
    assert Exposure.objects.get(viewer=account).conflicted_at == merged_at
    assert arm_of(account, merged_at).arm.code == stands
    assert arm_of(account, merged_at - timedelta(microseconds=1)).arm.code == "b"


def test_two_exposures_in_one_arm_are_the_earlier(experiment: Experiment, now: datetime) -> None:
    guest, account = viewer_in(experiment, "a"), viewer_in(experiment, "a")
    expose(account, now + HOUR)
    expose(guest, now)
    for _ in range(2):
        exposures.carry_over(from_viewer_id=guest.id, into_viewer_id=account.id, now=now + 2 * HOUR)

    assert kept(account) == {"arm": "a", "exposed_at": now, "is_conflicted": False}
    assert Exposure.objects.count() == 2


def test_a_conflict_outlasts_a_second_merge(experiment: Experiment, now: datetime) -> None:
    first, second, last = (viewer_in(experiment, arm) for arm in ("a", "b", "a"))
    for hours, viewer in enumerate((first, second, last)):
        expose(viewer, now + hours * HOUR)
    exposures.carry_over(from_viewer_id=first.id, into_viewer_id=second.id, now=now + 4 * HOUR)
    exposures.carry_over(from_viewer_id=second.id, into_viewer_id=last.id, now=now + 5 * HOUR)

    assert kept(last) == {"arm": "a", "exposed_at": now, "is_conflicted": True}
    assert Exposure.objects.filter(carried_to=None).get().viewer == last


@pytest.mark.parametrize("has_met", [True, False])
def test_after_several_merges_the_arm_of_every_moment_is_known(
    experiment: Experiment, now: datetime, has_met: bool
) -> None:
    last, first, account = (viewer_in(experiment, arm) for arm in ("control", "a", "b"))
    expose(last, now)
    expose(first, now + HOUR)
    if has_met:
        expose(account, now + 2 * HOUR)
    for hours, guest in ((3, first), (4, last)):
        exposures.carry_over(
            from_viewer_id=guest.id, into_viewer_id=account.id, now=now + hours * HOUR
        )

    asked = [arm_of(account, now + hours * HOUR - timedelta(seconds=1)) for hours in range(2, 6)]
    assert [one.arm.code for one in asked if one] == ["b", "b", "a", "control"]


@pytest.mark.django_db
def test_a_viewer_who_had_come_too_early_keeps_what_the_guest_has_met(now: datetime) -> None:
    new_only = experiments.running(THREE, now=now, code="banner", new_viewers_only=True)
    guest = viewer_in(new_only, "b", created_at=now)
    account = ViewerFactory(created_at=now - HOUR)
    assert arm_of(account, now) is None
    expose(guest, now)
    exposures.carry_over(from_viewer_id=guest.id, into_viewer_id=account.id, now=now + HOUR)

    assert arm_of(account, now + HOUR).label == "banner:b"


def test_merging_a_viewer_with_themselves_changes_nothing(
    experiment: Experiment, now: datetime
) -> None:
    viewer = viewer_in(experiment, "a")
    expose(viewer, now)
    before = Exposure.objects.values().get()
    exposures.carry_over(from_viewer_id=viewer.id, into_viewer_id=viewer.id, now=now + HOUR)
    assert Exposure.objects.values().get() == before
