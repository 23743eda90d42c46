"""What an experiment that runs consists of. None of it changes any more, so it is read once."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from viewers.experiments import hashing
from viewers.models import Experiment


@dataclass(frozen=True)
class ArmDefinition:
    """One of the ways that are compared, with its chance."""

    id: UUID
    code: str
    share_parts_per_million: int
    is_control: bool


@dataclass(frozen=True)
class Definition:
    """An experiment that was agreed to. `arms` are in the order in which viewers are divided."""

    id: UUID
    code: str
    varies: str
    salt: str
    arms: tuple[ArmDefinition, ...]
    layer_salt: str
    layer_holdout: int
    global_holdout: int
    slice_from: int
    slice_to: int
    new_viewers_only: bool
    starts_at: datetime | None

    def arm(self, arm_id: UUID) -> ArmDefinition:
        """The arm with this id."""
        return next(arm for arm in self.arms if arm.id == arm_id)

    def arm_of(self, viewer_id: UUID, *, created_at: datetime) -> ArmDefinition | None:
        """The arm that a viewer falls to, None if they are not in the experiment.

        Not asked for who has met an arm already: they keep it.
        """
        if self.new_viewers_only and (self.starts_at is None or created_at < self.starts_at):
            return None
        if hashing.part_of(hashing.GLOBAL_SALT, viewer_id) < self.global_holdout:
            return None
        place = hashing.part_of(self.layer_salt, viewer_id)
        if not max(self.slice_from, self.layer_holdout) <= place < self.slice_to:
            return None
        shares = (arm.share_parts_per_million for arm in self.arms)
        chosen = hashing.chosen(self.salt, viewer_id, shares)
        return None if chosen is None else self.arms[chosen]


@lru_cache(maxsize=1024)
def definition(experiment_id: UUID) -> Definition:
    """An experiment that was agreed to, read once in a process."""
    return read(experiment_id)


def read(experiment_id: UUID) -> Definition:
    """An experiment as it stands now, a draft too. Raises Experiment.DoesNotExist."""
    row = Experiment.objects.select_related("layer").get(id=experiment_id)
    return Definition(
        id=row.id,
        code=row.code,
        varies=row.varies,
        salt=row.salt,
        arms=tuple(
            ArmDefinition(arm.id, arm.code, arm.share_parts_per_million, arm.is_control)
            for arm in sorted(row.arms.all(), key=lambda arm: arm.code)
        ),
        layer_salt=row.layer.salt,
        layer_holdout=row.layer.holdout_parts_per_million,
        global_holdout=row.global_holdout_parts_per_million,
        slice_from=row.slice_from,
        slice_to=row.slice_to,
        new_viewers_only=row.new_viewers_only,
        starts_at=row.starts_at,
    )
