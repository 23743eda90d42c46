"""Policies of offers for tests, made through the same doors as real ones."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from config.ids import uuid7
from payments.access.offer_policies import HOLDOUT_SALT
from payments.desk import offer_policies
from payments.models import OfferPolicy, OfferRule
from tests.factories.viewers import DeviceFactory
from viewers.experiments import hashing
from viewers.models import Device

PAST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
#: Arms by code: what is shown, and the weight.
Arms = Mapping[str, tuple[list[str], int]]


def draft(*rules: tuple[Mapping[str, Any], Arms], holdout: int = 5) -> OfferPolicy:
    """A draft with these rules in order: for whom, and the arms."""
    policy = OfferPolicy.objects.create(name="A policy", holdout_percent=holdout, created_at=PAST)
    for position, (given, arms) in enumerate(rules, start=1):
        terms = {"name": f"Rule {position}"} | dict(given)
        rule = OfferRule.objects.create(policy=policy, position=position, **terms)
        offer_policies.set_arms(
            rule, [(code, list(shown), weight) for code, (shown, weight) in arms.items()]
        )
    return policy


def in_force(
    *rules: tuple[Mapping[str, Any], Arms], now: datetime, holdout: int = 5
) -> OfferPolicy:
    """The same, put in force."""
    operator, _ = User.objects.get_or_create(username="policy-maker")
    policy = draft(*rules, holdout=holdout)
    return offer_policies.put_in_force(policy_id=policy.id, operator_id=operator.id, now=now)


def viewer_id(*, held_out: bool) -> UUID:
    """Somebody whom every holdout has, or none."""
    least, most = (0, 10_000) if held_out else (500_000, 1_000_000)
    ids = iter(uuid7, None)
    return next(one for one in ids if least <= hashing.part_of(HOLDOUT_SALT, one) < most)


def device(*, held_out: bool = False, **given: Any) -> Device:
    """A device of such a viewer."""
    made: Device = DeviceFactory(viewer__id=viewer_id(held_out=held_out), **given)
    return made
