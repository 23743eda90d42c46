"""How far a viewer's ads at a placement have come towards what they are watched for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ads.models import AdSession, Goal, Opening, Placement, PlacementReward, Terms
from config.compiled_queries import CompiledQuery

#: A viewer has one goal that waits for ads at each placement, for each kind of reward and title.
Key = tuple[UUID, str, UUID | None]


@dataclass(frozen=True)
class Progress:
    """The terms that hold for a viewer, and how many ads they have watched towards them. None where that
    depends on the title, of which nothing was said."""

    terms: Terms
    watched: int | None


def begun(*, viewer_id: UUID, environment: str) -> Mapping[Key, Goal]:
    """The viewer's goals that wait for more ads."""
    found = _BEGUN.objects(viewer_id=viewer_id, environment=environment)
    return {(goal.placement_id, goal.reward, goal.series_id): goal for goal in found}


def towards(
    placement: Placement,
    *,
    series_id: UUID | None,
    goals: Mapping[Key, Goal],
    open_sessions: Sequence[AdSession],
) -> Progress:
    """What holds at a placement for a title, or for coins. As `ads_terms_of_next` has it: where no goal is begun,
    the first of the viewer's open sessions will begin one."""
    is_coins = placement.reward == PlacementReward.COINS
    if series_id is None and not is_coins:
        return Progress(placement, None)
    key = (placement.id, placement.reward, None if is_coins else series_id)
    goal = goals.get(key)
    if goal is not None:
        return Progress(goal, goal.ads_watched)
    same = [one for one in open_sessions if (one.placement_id, one.reward, one.series_id) == key]
    return Progress(min(same, key=lambda one: one.id) if same else placement, 0)


def of_session(session: AdSession) -> Progress:
    """What a session's ad counts towards, itself included once it was rewarded."""
    earned = getattr(session, "earned", None)
    if earned is not None:
        return Progress(earned.goal, earned.place)
    goals = begun(viewer_id=session.viewer_id, environment=session.environment)
    goal = goals.get((session.placement_id, session.reward, session.series_id))
    return Progress(goal, goal.ads_watched) if goal else Progress(session, 0)


def opened_by(session: AdSession) -> list[UUID]:
    """The episodes that a session's ad has opened for good, in their order."""
    earned = getattr(session, "earned", None)
    if earned is None or earned.goal.reward != PlacementReward.EPISODES:
        return []
    opened = Opening.objects.filter(reward=earned).order_by("entitlement__episode__number")
    return list(opened.values_list("entitlement__episode_id", flat=True))


def _begun(*, viewer_id: UUID, environment: str) -> QuerySet[Any]:
    return Goal.objects.filter(
        viewer_id=viewer_id, environment=environment, granted_at__isnull=True
    )


_BEGUN = CompiledQuery(_begun, viewer_id=UUID, environment=str)
