"""What the arms of an experiment that was agreed to ask for. It changes no more, so it is read once."""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from payments.models import ArmTerms

#: Arm → series, None for every other → adjustment.
Asked = Mapping[UUID, Mapping[UUID | None, UUID]]


def is_on(experiment_id: UUID, series_id: UUID) -> bool:
    """Whether any arm adjusts the price of this series."""
    return any(
        series_id in by_series or None in by_series for by_series in asked(experiment_id).values()
    )


def adjustment(experiment_id: UUID, arm_id: UUID, series_id: UUID) -> UUID | None:
    """How an arm adjusts the price of a series; None where it leaves it as it is."""
    by_series = asked(experiment_id).get(arm_id, {})
    return by_series.get(series_id) or by_series.get(None)


@lru_cache(maxsize=1024)
def asked(experiment_id: UUID) -> Asked:
    """All of an experiment's terms."""
    return read(experiment_id)


def read(experiment_id: UUID) -> Asked:
    """All of an experiment's terms as they stand now, of a draft too."""
    found: dict[UUID, dict[UUID | None, UUID]] = {}
    rows = ArmTerms.objects.filter(arm__experiment_id=experiment_id)
    for arm_id, series_id, adjustment_id in rows.values_list(
        "arm_id", "series_id", "adjustment_id"
    ):
        found.setdefault(arm_id, {})[series_id] = adjustment_id
    return found
