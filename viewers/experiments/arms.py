"""Which arms a viewer is in at a moment.

An exposure that is kept beats the hash: who has met an arm stays in it, after a merge under another id,
too. Experiments run in production only; a sandbox viewer is in none.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, UUIDField, When
from django.db.models.functions import JSONObject

from config.ids import uuid7
from viewers.experiments.definitions import ArmDefinition, Definition, definition
from viewers.models import (
    Environment,
    Experiment,
    ExperimentState,
    Exposure,
    FormerArm,
    Viewer,
)

NOBODY = UUID(int=0)
#: How many ids are drawn to find one in an arm, and how many in it to find one who is apart.
DRAWS = 20_000
CANDIDATES = 50


@dataclass(frozen=True)
class Assigned:
    """A viewer's arm of one experiment. `is_exposed`: they have met what the arms do differently."""

    experiment: Definition
    arm: ArmDefinition
    is_exposed: bool

    @property
    def label(self) -> str:
        """`free-count-2026:five`, as quotes and unlocks carry it."""
        return f"{self.experiment.code}:{self.arm.code}"


def running(viewer_id: UUID, *, varies: Collection[str], at: datetime) -> ArraySubquery:
    """The experiments that run at a moment, with the arm that the viewer has met, for `assigned`.

    Part of a query of the caller's, so that who must know the arms need not ask twice.
    """
    return ArraySubquery(
        _running(viewer_id, at)
        .filter(varies__in=varies)
        .order_by("id")
        .values(found=JSONObject(id="id", met="met"))
    )


def joined_at(viewer_id: UUID) -> Subquery:
    """When a viewer of production came, for `assigned`; null for all others, who are in no experiment."""
    return Subquery(
        Viewer.objects.filter(id=viewer_id, environment=Environment.PRODUCTION).values("created_at")
    )


def assigned(
    found: Iterable[Mapping[str, Any]], *, viewer_id: UUID, created_at: datetime | None
) -> Sequence[Assigned]:
    """The viewer's arms, of what `running` and `joined_at` have found."""
    if created_at is None:
        return []
    arms = (_assigned(row, viewer_id, created_at) for row in found)
    return [one for one in arms if one is not None]


def arms_of(*, viewer_id: UUID, varies: Collection[str], at: datetime) -> Sequence[Assigned]:
    """The viewer's arms of all experiments on something that run at a moment, in one query."""
    return _asked(viewer_id, _running(viewer_id, at).filter(varies__in=varies))


def arm_for(*, viewer_id: UUID, experiment: str, at: datetime) -> Assigned | None:
    """The viewer's arm of the experiment with this code, in one query.

    None if it does not run at that moment or they are not in it: what they get then is what everybody
    gets. Nothing is logged; that is `exposures.expose`, at the moment when the arms part.
    """
    found = _asked(viewer_id, _running(viewer_id, at).filter(code=experiment))
    return found[0] if found else None


def running_at(at: datetime, *, varies: Collection[str]) -> Sequence[Definition]:
    """The experiments on something that run at a moment, the oldest first."""
    rows = _running(NOBODY, at).filter(varies__in=varies).order_by("id")
    return [definition(one) for one in rows.values_list("id", flat=True)]


def newcomer_in(
    experiment: Definition, arm: ArmDefinition, *, others: Sequence[Definition] = (), at: datetime
) -> UUID | None:
    """The id of somebody who would fall to this arm if they came at a moment.

    Of the others they are in the control or not at all, if such a one is soon found. None where hardly
    anybody falls to the arm.
    """
    drawn = (uuid7() for _ in range(DRAWS))
    within = (one for one in drawn if experiment.arm_of(one, created_at=at) == arm)
    found = list(islice(within, CANDIDATES))

    def is_apart(viewer_id: UUID) -> bool:
        met = (other.arm_of(viewer_id, created_at=at) for other in others)
        return all(one is None or one.is_control for one in met)

    return next(filter(is_apart, found), found[0] if found else None)


def _asked(viewer_id: UUID, experiments: QuerySet[Experiment]) -> Sequence[Assigned]:
    rows = list(
        experiments.order_by("id")
        .annotate(joined_at=joined_at(viewer_id))
        .values("id", "met", "joined_at")
    )
    return assigned(rows, viewer_id=viewer_id, created_at=rows[0]["joined_at"] if rows else None)


def _running(viewer_id: UUID, at: datetime) -> QuerySet[Experiment]:
    # What an arm was before merges is looked up only for moments before the last of them.
    former = FormerArm.objects.filter(exposure_id=OuterRef("id"), until__gt=at)
    before = Subquery(former.order_by("until", "id").values("arm_id")[:1])
    met = Exposure.objects.filter(
        viewer_id=viewer_id,
        environment=Environment.PRODUCTION,
        exposed_at__lte=at,
    ).values(
        stood=Case(
            When(carried_at__gt=at, then=before), default=F("arm_id"), output_field=UUIDField()
        )
    )
    return Experiment.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=at),
        state__in=[ExperimentState.RUNNING, ExperimentState.ENDED],
        starts_at__lte=at,
    ).annotate(met=Subquery(met.filter(experiment_id=OuterRef("id"))))


def _assigned(row: Mapping[str, Any], viewer_id: UUID, created_at: datetime) -> Assigned | None:
    experiment = definition(UUID(str(row["id"])))
    if row["met"] is not None:
        return Assigned(experiment, experiment.arm(UUID(str(row["met"]))), is_exposed=True)
    arm = experiment.arm_of(viewer_id, created_at=created_at)
    return None if arm is None else Assigned(experiment, arm, is_exposed=False)
