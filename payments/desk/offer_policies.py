"""From a draft to the policy that decides which ways past the paywall are shown, and to its end.

One policy is in force at most. Whoever wants another edits a copy, and puts that in its place. Prices are
none of its business, so nobody has to agree.
"""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from payments.models import OfferArm, OfferPolicy, OfferRule, PolicyState

#: The constraint that keeps two from being in force: of two drafts neither waits for the other.
_ONE_IN_FORCE = "payments_offerpolicy_one_in_force"


class PolicyRefused(Exception):
    """Nothing was changed; the message says why."""


def put_in_force(*, policy_id: UUID, operator_id: int, now: datetime) -> OfferPolicy:
    """A draft decides from now on, in the place of the policy that did. Raises PolicyRefused, also to the
    later of two who do this at once."""
    try:
        return _put(policy_id=policy_id, operator_id=operator_id, now=now)
    except IntegrityError as error:
        if _ONE_IN_FORCE not in str(error):
            raise
        raise PolicyRefused(
            "Another policy was put in force at the same moment. Look at it, and try again."
        ) from error


def _put(*, policy_id: UUID, operator_id: int, now: datetime) -> OfferPolicy:
    with transaction.atomic():
        # In the order of their ids, so that two who do this at once wait for each other.
        held = OfferPolicy.objects.filter(state=PolicyState.IN_FORCE) | OfferPolicy.objects.filter(
            id=policy_id
        )
        by_id = {row.id: row for row in held.order_by("id").select_for_update()}
        policy = by_id.pop(policy_id, None)
        if policy is None or policy.state != PolicyState.DRAFT:
            raise PolicyRefused(
                "Only a draft can be put in force. Copy this policy to have it again."
            )
        _refuse_gaps(policy)
        for former in by_id.values():
            _retire(former, now)
        policy.state, policy.in_force_at, policy.put_by_id = PolicyState.IN_FORCE, now, operator_id
        policy.save(update_fields=["state", "in_force_at", "put_by"])
    return policy


def retire(*, policy_id: UUID, now: datetime) -> OfferPolicy:
    """Ends the policy in force: from now on everybody is shown the default. Raises PolicyRefused."""
    with transaction.atomic():
        policy = OfferPolicy.objects.select_for_update().get(id=policy_id)
        if policy.state != PolicyState.IN_FORCE:
            raise PolicyRefused("It is not in force.")
        _retire(policy, now)
    return policy


def copy(*, policy_id: UUID, name: str, now: datetime) -> OfferPolicy:
    """A draft with the same rules and arms, and a salt of its own."""
    with transaction.atomic():
        original = OfferPolicy.objects.prefetch_related("rules__arms").get(id=policy_id)
        made = OfferPolicy.objects.create(
            name=name, holdout_percent=original.holdout_percent, created_at=now
        )
        for rule in original.rules.all():
            arms = list(rule.arms.all())
            rule.pk, rule.policy = OfferRule().pk, made
            rule.save(force_insert=True)
            set_arms(rule, [(arm.code, arm.shown, arm.weight) for arm in arms])
    return made


def set_arms(rule: OfferRule, arms: list[tuple[str, list[str], int]]) -> None:
    """The rule answers with these from now on, as (code, shown, weight) in order."""
    with transaction.atomic():
        rule.arms.all().delete()
        OfferArm.objects.bulk_create(
            OfferArm(rule=rule, position=position, code=code, shown=shown, weight=weight)
            for position, (code, shown, weight) in enumerate(arms, start=1)
        )


def _refuse_gaps(policy: OfferPolicy) -> None:
    rules = list(policy.rules.prefetch_related("arms"))
    if not rules:
        raise PolicyRefused("It has no rule yet: it would show everybody what they see now.")
    for rule in rules:
        if not rule.arms.all():
            raise PolicyRefused(f"The rule “{rule.name}” says nothing of what is shown.")


def _retire(policy: OfferPolicy, now: datetime) -> None:
    policy.state, policy.retired_at = PolicyState.RETIRED, now
    policy.save(update_fields=["state", "retired_at"])
