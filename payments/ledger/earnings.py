"""What earned the coins of a reward: known by apps above this one."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from config.bodies import AnswerShape
from payments.models import Transfer


class EarnedBy(StrEnum):
    """What a viewer did for coins."""

    TASK = "task"
    CHECK_IN = "check_in"
    REFERRAL = "referral"


class Earned(AnswerShape):
    """What earned coins. `what` is its code, as an app knows it; `period` that of a task, and the date of a
    check-in; `row_id` the claim or the referral."""

    by: EarnedBy
    what: str
    period: str
    row_id: UUID


class RewardCause(Protocol):
    """A callable named in settings.REWARD_CAUSES: by transfer, what it knows of these rewards. It knows its
    own by their references."""

    def __call__(self, rewards: Sequence[Transfer]) -> Mapping[UUID, Earned]: ...


def of(rewards: Sequence[Transfer]) -> Mapping[UUID, Earned]:
    """What earned each of these, as far as anybody knows, by transfer."""
    found: dict[UUID, Earned] = {}
    for cause in _causes(tuple(settings.REWARD_CAUSES)):
        found.update(cause(rewards))
    return found


@lru_cache(maxsize=4)
def _causes(paths: tuple[str, ...]) -> Sequence[RewardCause]:
    return [import_string(path) for path in paths]
