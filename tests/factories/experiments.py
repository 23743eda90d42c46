"""Experiments for tests, made through the same doors as real ones."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User

from payments.desk import experiments
from payments.prices.terms import Adjustment
from viewers.experiments import lifecycle
from viewers.models import Arm, Experiment, ExperimentState, Layer, Varies

HALF = 500_000
Shares = Mapping[str, int]
HALVES: Shares = {"control": HALF, "other": HALF}


def layer(code: str = "", *, holdout: int = 0, now: datetime) -> Layer:
    return Layer.objects.create(
        code=code or f"layer-{uuid4().hex[:12]}", holdout_parts_per_million=holdout, created_at=now
    )


def draft(
    shares: Shares = HALVES,
    asked: Mapping[str, Adjustment] | None = None,
    *,
    now: datetime,
    control: str = "control",
    series_ids: Collection[UUID] = (),
    **given: Any,
) -> Experiment:
    """A draft whose arms have these shares and ask these prices."""
    terms = {
        "code": f"experiment-{uuid4().hex[:12]}",
        "question": "Does it matter?",
        "varies": Varies.PRICE if asked else Varies.PLACEMENT,
        "new_viewers_only": False,
        "planned_viewers": 10_000,
        "created_at": now,
    }
    if "layer" not in given:
        given["layer"] = layer(now=now)
    experiment = Experiment.objects.create(**terms | given)
    for code, share in shares.items():
        arm = Arm.objects.create(
            experiment=experiment,
            code=code,
            share_parts_per_million=share,
            is_control=code == control,
        )
        if asked and code in asked:
            experiments.ask_in(arm, asked[code], now=now, series_ids=series_ids)
    return experiment


def start(experiment: Experiment, *, now: datetime) -> Experiment:
    """Asks for a draft, and has somebody else agree where that is needed."""
    first, second = (_operator(name) for name in ("una", "duo"))
    asked = lifecycle.ask(experiment_id=experiment.id, operator_id=first, now=now)
    if asked.state == ExperimentState.WAITING:
        asked = lifecycle.agree(experiment_id=experiment.id, operator_id=second, now=now)
    return asked


def running(
    shares: Shares = HALVES,
    asked: Mapping[str, Adjustment] | None = None,
    *,
    now: datetime,
    **given: Any,
) -> Experiment:
    """An experiment that runs since `now`."""
    return start(draft(shares, asked, now=now, **given), now=now)


def free_counts(*, now: datetime, **given: Any) -> Experiment:
    """Five, eight (what the default plan gives) or ten free episodes, a third each."""
    return running(
        {"control": 333_334, "five": 333_333, "ten": 333_333},
        {"five": Adjustment(free_count=5), "ten": Adjustment(free_count=10)},
        now=now,
        **{"varies": Varies.FREE_COUNT} | given,
    )


def _operator(name: str) -> int:
    user, _ = User.objects.get_or_create(username=name)
    return int(user.pk)
