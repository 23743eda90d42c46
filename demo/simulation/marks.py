"""What a simulation leaves behind: devices whose install ids follow from the seed."""

from demo.simulation import population
from viewers.models import Device

#: Of so many viewers the first few surely came.
_LOOKED_FOR = 50


def was_begun(*, seed: int) -> bool:
    """Whether viewers of this seed have come to this instance, in a run that ended or not.

    Run twice, a seed brings as many new viewers again, for guests are always new: so ask first.
    """
    ids = [population.install_id(seed=seed, number=number) for number in range(_LOOKED_FOR)]
    return Device.objects.filter(install_id__in=ids).exists()
