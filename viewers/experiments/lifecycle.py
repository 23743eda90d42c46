"""From a draft to an experiment that runs, and to its end.

A draft is edited freely. From the moment it is asked for, what is compared stays as it is; the database
refuses anything else. Where it changes much of what viewers pay, a second person has to agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from viewers.models import Arm, Experiment, ExperimentState, Layer
from viewers.models.experiments import WHOLE

#: A moment typed a little while ago still counts as now.
LATENESS = timedelta(minutes=5)


class ExperimentRefused(Exception):
    """Nothing was changed; `complaints` has a sentence for each thing to mend."""

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__(" ".join(complaints))
        self.complaints = list(complaints)

    @classmethod
    def of(cls, complaint: str) -> "ExperimentRefused":
        return cls([complaint])


class SamePerson(ExperimentRefused):
    """Nobody is their own second person."""


class DecidedBefore(ExperimentRefused):
    """It is not in the state any more in which this could be done."""


@dataclass(frozen=True)
class Verdict:
    """What an app above finds in an experiment that is about to start."""

    complaints: Sequence[str] = field(default_factory=list)
    needs_second: bool = False


class ExperimentCheck(Protocol):
    """A callable named in settings.EXPERIMENT_CHECKS: what it has against this start, at this moment."""

    def __call__(self, experiment: Experiment, *, now: datetime) -> Verdict: ...


def ask(*, experiment_id: UUID, operator_id: int, now: datetime) -> Experiment:
    """Starts a draft, or has it wait for a second person. Raises ExperimentRefused, DecidedBefore."""
    with transaction.atomic():
        experiment = _held(experiment_id, ExperimentState.DRAFT)
        verdict = _checked(experiment, now)
        experiment.asked_by_id, experiment.asked_at = operator_id, now
        experiment.needs_second = verdict.needs_second
        if verdict.needs_second:
            experiment.state = ExperimentState.WAITING
        else:
            _start(experiment, operator_id, now)
        experiment.save()
    return experiment


def agree(*, experiment_id: UUID, operator_id: int, now: datetime) -> Experiment:
    """A second person starts what the first has asked for.

    Raises SamePerson, ExperimentRefused, DecidedBefore.
    """
    with transaction.atomic():
        experiment = _held(experiment_id, ExperimentState.WAITING)
        if experiment.asked_by_id == operator_id:
            raise SamePerson.of("You asked for this yourself: somebody else has to agree to it.")
        _checked(experiment, now)
        _start(experiment, operator_id, now)
        experiment.save()
    return experiment


def return_to_draft(*, experiment_id: UUID) -> Experiment:
    """Refuses what waits, or withdraws it: it can be edited again. Raises DecidedBefore."""
    with transaction.atomic():
        experiment = _held(experiment_id, ExperimentState.WAITING)
        experiment.state = ExperimentState.DRAFT
        experiment.save(update_fields=["state"])
    return experiment


def end(*, experiment_id: UUID, operator_id: int, now: datetime) -> Experiment:
    """From now on everybody gets what everybody gets. Quotes that are live hold. Raises DecidedBefore."""
    with transaction.atomic():
        experiment = _held(experiment_id, ExperimentState.RUNNING)
        experiment.state = ExperimentState.ENDED
        experiment.ended_by_id, experiment.ended_at = operator_id, now
        experiment.save()
    return experiment


def _start(experiment: Experiment, operator_id: int, now: datetime) -> None:
    experiment.state = ExperimentState.RUNNING
    experiment.starts_at = max(experiment.starts_at or now, now)
    experiment.agreed_by_id, experiment.agreed_at = operator_id, now
    experiment.global_holdout_parts_per_million = settings.EXPERIMENT_HOLDOUT_PARTS_PER_MILLION


def _held(experiment_id: UUID, state: ExperimentState) -> Experiment:
    """The experiment, with its layer's lock: two starts in one layer see each other."""
    layer_id = Experiment.objects.values_list("layer_id", flat=True).get(id=experiment_id)
    Layer.objects.select_for_update().get(id=layer_id)
    # Not against those who are just being exposed to it, whose rows only name it.
    experiment = Experiment.objects.select_for_update(no_key=True).get(id=experiment_id)
    if experiment.state != state or experiment.layer_id != layer_id:
        raise DecidedBefore.of(
            f"This experiment is {experiment.get_state_display().lower()} already."
        )
    return experiment


def _checked(experiment: Experiment, now: datetime) -> Verdict:
    verdicts = [check(experiment, now=now) for check in _checks(tuple(settings.EXPERIMENT_CHECKS))]
    complaints = [
        *_of_arms(list(experiment.arms.all())),
        *_of_slice(experiment),
        *_of_moment(experiment, now),
        *(complaint for verdict in verdicts for complaint in verdict.complaints),
    ]
    if complaints:
        raise ExperimentRefused(complaints)
    return Verdict(needs_second=any(verdict.needs_second for verdict in verdicts))


def _of_arms(arms: Sequence[Arm]) -> Iterator[str]:
    if len(arms) < 2:
        yield "There is nothing to compare: an experiment has two arms or more."
    if sum(arm.is_control for arm in arms) != 1:
        yield "Exactly one arm is the control, which gets what everybody gets: tick one."
    whole = sum(arm.share_parts_per_million for arm in arms)
    if arms and whole != WHOLE:
        yield (
            f"The shares of the arms add up to {whole / 10_000:g} %: make them add up to 100 %. To have "
            "fewer viewers in the experiment, make its slice smaller."
        )


def _of_slice(experiment: Experiment) -> Iterator[str]:
    layer = experiment.layer
    holdout = layer.holdout_parts_per_million
    if experiment.slice_from < holdout:
        yield (
            f"The first {holdout / 10_000:g} % of the layer {layer} are in no experiment: the slice "
            "begins there or later."
        )
    others = Experiment.objects.filter(
        layer=layer,
        state=ExperimentState.RUNNING,
        slice_from__lt=experiment.slice_to,
        slice_to__gt=experiment.slice_from,
    ).exclude(id=experiment.id)
    for other in others:
        yield (
            f"{other} has {other.slice_from / 10_000:g} % to {other.slice_to / 10_000:g} % of the layer "
            f"{layer}: choose another slice or layer, or end that experiment first."
        )


def _of_moment(experiment: Experiment, now: datetime) -> Iterator[str]:
    is_asked = experiment.state == ExperimentState.DRAFT
    if is_asked and experiment.starts_at is not None and experiment.starts_at < now - LATENESS:
        yield "The moment has passed. Leave it empty for at once, or name one that is still to come."
    if experiment.planned_viewers == 0:
        yield "Say how many viewers are planned: what is read out depends on it from the beginning."


@lru_cache(maxsize=4)
def _checks(paths: tuple[str, ...]) -> Sequence[ExperimentCheck]:
    return [import_string(path) for path in paths]
