"""Who has met what the arms of an experiment do differently.

Logged once, in every arm by the same call, at the first moment at which any arm would have acted
differently for this viewer. Who is in no arm (a holdout, another slice, too old) is logged nowhere.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from viewers.experiments.arms import Assigned
from viewers.models import Environment, Exposure, FormerArm, Viewer

# A row that is there already has the same arm, unless a merge has brought another since this arm was
# looked up: then the viewer is about to meet a second one. The viewer is locked before the row is made,
# as `carry_over` does it; the foreign key would do so after it.
_EXPOSE = """
    WITH viewer AS (SELECT id FROM viewers_viewer WHERE id = %(viewer)s FOR KEY SHARE)
    INSERT INTO viewers_exposure AS kept
        (id, viewer_id, environment, experiment_id, arm_id, propensity_parts_per_million, exposed_at)
    SELECT uuidv7(), viewer.id, %(environment)s, experiment_id, arm_id, chance, %(now)s
    FROM viewer, unnest(%(experiments)s::uuid[], %(arms)s::uuid[], %(chances)s::integer[])
        AS new (experiment_id, arm_id, chance)
    ON CONFLICT (viewer_id, experiment_id, environment) DO UPDATE
    SET conflicted_at = excluded.exposed_at
    WHERE kept.arm_id <> excluded.arm_id AND kept.conflicted_at IS NULL
"""


def expose(
    *, viewer_id: UUID, environment: str, assigned: Iterable[Assigned], now: datetime
) -> None:
    """Keeps that the arms of these experiments part here for this viewer.

    One statement if that is new of any of them, none otherwise; nothing in the sandbox. Call it before the
    answer that differs is given, whatever the viewer's arm.
    """
    new = [one for one in assigned if not one.is_exposed]
    if not new or environment != Environment.PRODUCTION:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _EXPOSE,
            {
                "viewer": viewer_id,
                "environment": environment,
                "experiments": [one.experiment.id for one in new],
                "arms": [one.arm.id for one in new],
                "chances": [one.arm.share_parts_per_million for one in new],
                "now": now,
            },
        )


def carry_over(*, from_viewer_id: UUID, into_viewer_id: UUID, now: datetime) -> None:
    """What one viewer has met becomes another's, as part of making the two one.

    Of two exposures in an experiment the earlier stands, with its arm. Where the arms were not the same, the
    row is marked as conflicted: no comparison can use somebody who has met two. Safe to repeat.
    """
    if from_viewer_id == into_viewer_id:
        return
    with transaction.atomic():
        # Locked like this, neither of the two can meet anything meanwhile.
        list(
            Viewer.objects.filter(id__in=[from_viewer_id, into_viewer_id])
            .order_by("id")
            .select_for_update()
        )
        given = Exposure.objects.filter(viewer_id=from_viewer_id, carried_to=None)
        own = {
            (row.experiment_id, row.environment): row
            for row in Exposure.objects.filter(viewer_id=into_viewer_id)
        }
        for row in given:
            _carry(row, own.get((row.experiment_id, row.environment)), into_viewer_id, now)
        given.update(carried_to_id=into_viewer_id)


def _carry(given: Exposure, own: Exposure | None, into_viewer_id: UUID, now: datetime) -> None:
    if own is None:
        made = Exposure.objects.create(
            viewer_id=into_viewer_id,
            environment=given.environment,
            experiment_id=given.experiment_id,
            arm_id=given.arm_id,
            propensity_parts_per_million=given.propensity_parts_per_million,
            exposed_at=given.exposed_at,
            carried_at=now,
            conflicted_at=given.conflicted_at,
        )
        FormerArm.objects.create(exposure=made, until=now)
        return
    is_conflicting = own.arm_id != given.arm_id
    if is_conflicting or given.conflicted_at:
        own.conflicted_at = own.conflicted_at or given.conflicted_at or now
    if (given.exposed_at, given.id) < (own.exposed_at, own.id):
        if is_conflicting:
            FormerArm.objects.create(exposure=own, arm_id=own.arm_id, until=now)
            own.carried_at = now
        own.arm_id = given.arm_id
        own.propensity_parts_per_million = given.propensity_parts_per_million
        own.exposed_at = given.exposed_at
    own.save()
