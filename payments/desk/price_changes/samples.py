"""Who is shown before and after a change: viewers, and strangers who are made up for it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from config.ids import uuid7
from payments.prices import pricing
from viewers.experiments import arms
from viewers.experiments.definitions import definition
from viewers.models import Device, Environment, Viewer


@dataclass(frozen=True)
class Sample:
    """Somebody who is shown before and after: a viewer, on one of their devices."""

    viewer_id: UUID
    device_id: UUID | None = None


@dataclass(frozen=True)
class InArm:
    """An arm of an experiment that was agreed to."""

    experiment_id: UUID
    arm_id: UUID


@dataclass(frozen=True)
class Stranger:
    """Somebody new in a region, on a platform; empty is neither known. Without an arm they are in no
    experiment."""

    region: str = ""
    platform: str = ""
    arm: InArm | None = None


def introduced(sample: Sample | Stranger, at: datetime) -> Sample | None:
    """A viewer for a stranger who comes at a moment; None where hardly anybody falls to their arm.

    The caller takes back the transaction in which they are made.
    """
    if isinstance(sample, Sample):
        return sample
    viewer_id = _in_arm(sample.arm, at) if sample.arm else uuid7()
    if viewer_id is None:
        return None
    viewer = Viewer.objects.create(
        id=viewer_id,
        # Experiments run in production only; prices are the same in both.
        environment=Environment.PRODUCTION if sample.arm else Environment.SANDBOX,
        region=sample.region,
        created_at=at,
    )
    if not sample.platform:
        return Sample(viewer.id)
    device = Device.objects.create(
        viewer=viewer, install_id=uuid7(), platform=sample.platform, created_at=at
    )
    return Sample(viewer.id, device.id)


def _in_arm(arm: InArm, at: datetime) -> UUID | None:
    """An id for somebody of the arm who meets no other experiment on prices, or its control."""
    experiment = definition(arm.experiment_id)
    running = arms.running_at(at, varies=pricing.ON_PRICES)
    others = [one for one in running if one.id != experiment.id]
    return arms.newcomer_in(experiment, experiment.arm(arm.arm_id), others=others, at=at)
