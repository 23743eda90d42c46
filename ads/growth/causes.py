"""What earned a reward's coins: a task, a check-in, or a viewer who was brought."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ads.models import TaskClaim
from payments.ledger.earnings import Earned, EarnedBy
from payments.models import Transfer


def earned(rewards: Sequence[Transfer]) -> Mapping[UUID, Earned]:
    """By transfer: one query if there is a task among them. A referral is named by its reward's reference."""
    found: dict[UUID, Earned] = {}
    tasks = [reward.id for reward in rewards if reward.reference.startswith("task:")]
    if tasks:
        claims = TaskClaim.objects.filter(transfer_id__in=tasks).select_related("task")
        found |= {claim.transfer_id: _by_task(claim) for claim in claims}
    for reward in rewards:
        kind, _, name = reward.reference.partition(":")
        if kind == "referral":
            found[reward.id] = Earned(by=EarnedBy.REFERRAL, what="", period="", row_id=UUID(name))
    return found


def _by_task(claim: TaskClaim) -> Earned:
    return Earned(
        by=EarnedBy.TASK if claim.streak_day is None else EarnedBy.CHECK_IN,
        what=claim.task.code,
        period=claim.period,
        row_id=claim.id,
    )
