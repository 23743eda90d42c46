"""What earned a reward's coins: a task, a check-in, or a viewer who was brought."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ads.models import Referral, TaskClaim
from payments.ledger.earnings import Earned, EarnedBy


def earned(transfer_ids: Sequence[UUID]) -> Mapping[UUID, Earned]:
    """By transfer, in two queries."""
    claims = TaskClaim.objects.filter(transfer_id__in=transfer_ids).select_related("task")
    found = {claim.transfer_id: _by_task(claim) for claim in claims}
    for referral in Referral.objects.filter(transfer_id__in=transfer_ids):
        if referral.transfer_id is not None:
            found[referral.transfer_id] = Earned(
                by=EarnedBy.REFERRAL, what="", period="", row_id=referral.id
            )
    return found


def _by_task(claim: TaskClaim) -> Earned:
    return Earned(
        by=EarnedBy.TASK if claim.streak_day is None else EarnedBy.CHECK_IN,
        what=claim.task.code,
        period=claim.period,
        row_id=claim.id,
    )
