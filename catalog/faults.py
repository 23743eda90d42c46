"""What is wrong with a series, told place by place."""

from collections.abc import Sequence

import msgspec

from config.problems import Problem


class Fault(msgspec.Struct, frozen=True):
    """One rule broken: `path` as in `episodes[3].version.beats[0]`, `message` for people."""

    path: str
    message: str


class SeriesInvalid(Problem):
    """Its `errors` member lists the faults."""

    code = "series_invalid"
    title = "The series breaks rules of the catalog"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("", errors=[msgspec.structs.asdict(fault) for fault in faults])
        self.faults = tuple(faults)


def refuse_any(faults: Sequence[Fault]) -> None:
    """Raises SeriesInvalid if there is a fault."""
    if faults:
        raise SeriesInvalid(faults)
